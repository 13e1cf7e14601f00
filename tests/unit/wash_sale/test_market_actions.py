"""Reorganizations of the market files in the service's ledger: applied once, whatever the custodian's file shows and whenever it comes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.account import AccountChanged, Lot
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import Reorganization
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.household import Departure, HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS, SecurityFacts
from services.wash_sale.core.told_lots import bought, security_of_lot, tell_departure, tell_lot
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, acted, applied, buy, day, lot, merger, paid, sell, spin_off, split

D = Decimal
E = day(5)
LATER = day(6)
OLD = lot("L1", "A", "100", "1000", day(-400))
Row = tuple[str, str, Decimal, Decimal | None]


def said(ledger: HouseholdLedger, securities: SecurityFacts, as_of: date = LATER) -> LedgerUpdated:
    content = ledger_content(ledger, securities, as_of)
    assert not isinstance(content, Refusal), content.text()
    return content


def lots_of(content: LedgerUpdated) -> list[Row]:
    return [(one.lot_id, one.security_id, one.quantity, one.tax_basis) for account in content.accounts for one in account.lots.rows()]


def differing(content: LedgerUpdated) -> list[str]:
    return [lot_id for account in content.accounts for lot_id in account.disagreements]


def file_of(*lots: Lot, version: int = 2, on: date = LATER) -> AccountChanged:
    return account(lots=lots, version=version, business_date=on)


KINDS: list[tuple[str, Reorganization, list[Row], list[Decimal]]] = [
    ("merger", merger("A", E, "B", "0.5"), [("L1", "B", D(50), D(1000))], []),
    ("merger with cash", merger("A", E, "B", "0.5", "3", "30"), [("L1", "B", D(50), D(1000))], [D(300)]),
    ("merger with cash beyond the gain", merger("A", E, "B", "0.5", "3", "16"), [("L1", "B", D(50), D(800))], [D(100)]),
    (
        "spin-off by value",
        spin_off("A", E, "C", "0.25", "20", "95"),
        [("L1", "A", D(100), D(950)), ("L1/C", "C", D(25), D(50))],
        [],
    ),
    ("return of capital", paid("A", E, "return_of_capital", "2"), [("L1", "A", D(100), D(800))], []),
    ("return of capital beyond basis", paid("A", E, "return_of_capital", "12"), [("L1", "A", D(100), D(0))], [D(200)]),
    ("cash merger", paid("A", E, "cash_merger", "9"), [], [D(-100)]),
]
ACTIONS = [action for _, action, _, _ in KINDS]


@pytest.mark.parametrize(("action", "lots", "gains"), [pytest.param(*rest, id=name) for name, *rest in KINDS])
def test_a_lot_from_before_the_action_is_changed_once(action: Reorganization, lots: list[Row], gains: list[Decimal]) -> None:
    securities = acted(action)
    content = said(applied([account(lots=[OLD])], securities), securities)
    assert lots_of(content) == lots
    assert [row.raw_gain for row in content.sales] == gains
    assert all(row.trade_date == E and row.trade_id == f"{action.kind}/A/{E}" for row in content.sales)
    assert {each for each, *_ in lots} - {"L1"} <= set(differing(content))  # until the custodian names them


@pytest.mark.parametrize("action", ACTIONS, ids=[name for name, *_ in KINDS])
def test_a_lot_of_a_file_that_shows_the_action_stays_as_it_is(action: Reorganization) -> None:
    shown = [lot("L1", "A", "100", "950", day(-400))] if action.kind in ("spin_off", "return_of_capital") else []
    shown += [lot("L7", action.new_security_id, "25", "50", day(-400))] if action.new_security_id else []
    securities = acted(action)
    for on in (E, LATER):
        content = said(applied([account(lots=shown, business_date=on)], securities), securities)
        assert lots_of(content) == [(each.lot_id, each.security_id, each.quantity, each.cost_basis) for each in shown]
        assert (content.sales, differing(content)) == ([], [])


def test_what_a_late_file_still_shows_of_an_ended_security_is_merged_and_not_traded() -> None:
    securities = acted(merger("A", E, "B", "1"))
    ledger = applied([account(lots=[OLD], business_date=LATER)], securities)
    content = said(ledger, securities)
    assert (lots_of(content), differing(content)) == ([("L1", "B", D(100), D(1000))], ["L1"])
    shown = applied([file_of(lot("L1", "B", "100", "1000", day(-400)), on=day(7))], securities, ledger)
    assert (lots_of(said(shown, securities)), differing(said(shown, securities))) == ([("L1", "B", D(100), D(1000))], [])


def test_shares_of_an_ended_security_that_came_after_its_end_are_a_disagreement() -> None:
    securities = acted(merger("A", E, "B", "1"))
    content = said(applied([account(lots=[lot("L1", "A", "10", "90", LATER)], business_date=day(7))], securities), securities, day(7))
    assert (lots_of(content), differing(content)) == ([("L1", "A", D(10), D(90))], ["L1"])


def test_a_basis_that_a_file_gives_after_the_action_is_not_changed_by_it_again() -> None:
    """Trap: the same file's corrected basis, once as what the action has made of it and once as what it is to be made of."""
    securities = acted(paid("A", E, "return_of_capital", "2"))
    first, corrected = account(lots=[OLD], business_date=day(1)), file_of(lot("L1", "A", "100", "1100", day(-400)), on=day(2))
    after = file_of(lot("L1", "A", "100", "900", day(-400)), version=3)
    for known_at_the_file in (securities, NO_SECURITY_FACTS):
        ledger = applied([first, corrected, after], known_at_the_file)
        assert lots_of(said(ledger, securities)) == [("L1", "A", D(100), D(900))]
    assert lots_of(said(applied([first, corrected, after]), NO_SECURITY_FACTS)) == [("L1", "A", D(100), D(900))]
    differs = file_of(lot("L1", "A", "100", "1100", day(-400)), version=3)  # the custodian has not applied it
    assert lots_of(said(applied([first, corrected, differs]), securities)) == [("L1", "A", D(100), D(900))]


def test_a_basis_that_is_known_only_after_the_action_stays_unknown_until_it_is_told() -> None:
    securities = acted(merger("A", E, "B", "1", "1", "20"))
    ledger = applied(
        [account(lots=[lot("L1", "A", "100", None, day(-400))]), file_of(lot("L1", "B", "100", "1000", day(-400)))], securities
    )
    unknown = said(ledger, securities)
    assert lots_of(unknown) == [("L1", "B", D(100), None)]
    assert [(row.proceeds, row.basis, row.raw_gain) for row in unknown.sales] == [(D(100), None, None)]  # some of the cash is gain
    assert unknown.blocked_buys == []
    told = tell_lot(ledger, bought("A1", "L1", day(-400), D(1000)), "ann", datetime(2025, 1, 9, tzinfo=UTC), securities)
    assert isinstance(told, HouseholdLedger)
    assert [row.raw_gain for row in said(told, securities).sales] == [D(100)]


def test_terms_are_for_shares_of_their_day() -> None:
    """Trap: books are in today's shares; both securities split after the merger's day, and the old one before it."""
    actions = merger("A", E, "B", "0.5", "3", "30"), paid("B", day(7), "return_of_capital", "1")
    splits = [split("A", day(3), "2"), split("B", day(8), "3")]
    securities = acted(*actions, splits=splits)
    content = said(applied([account(lots=[OLD])], securities), securities, day(9))
    assert [row.raw_gain for row in content.sales] == [D(600)]  # 200 shares on the day
    assert lots_of(content) == [("L1", "B", D(300), D(900))]  # 100 new ones, of which each returned a dollar


@pytest.mark.parametrize("seen_first", ["action", "file"])
def test_what_was_bought_before_the_merger_is_merged(seen_first: str) -> None:
    securities = acted(merger("A", E, "B", "0.5"))
    first = NO_SECURITY_FACTS if seen_first == "file" else securities
    ledger = applied([account(), buy("t", 1, day(2), "40", "400", security_id="A")], first)
    ledger = applied([account(lots=[lot("P-t", "A", "40", "400", day(2))], version=2, trade_seq=1, business_date=day(4))], first, ledger)
    content = said(ledger, securities)
    assert (lots_of(content), differing(content)) == ([("P-t", "B", D(20), D(400))], ["P-t"])
    lacks = account(lots=[lot("P-t", "B", "20", "400", day(2))], version=3, trade_seq=1, business_date=E)
    assert differing(said(applied([lacks], first, ledger), securities)) == []  # ingest's book has merged it
    shown = account(lots=[lot("C9", "B", "20", "400", day(2))], version=3, trade_seq=1, business_date=LATER)
    content = said(applied([shown], first, ledger), securities)
    assert (lots_of(content), differing(content)) == ([("C9", "B", D(20), D(400))], [])
    assert [(w.security_ids, w.lot_ids) for w in content.blocked_loss_sales] == [(["B"], ["C9"])]


def test_the_successor_is_in_one_book_with_its_predecessor() -> None:
    """Trap: the two are groups of their own; a loss in the successor is replaced by what was bought as the predecessor."""
    securities = acted(merger("A", E, "B", "1"))
    events: list[AccountChanged | TradeBooked] = [
        account(lots=[lot("L2", "B", "40", "4000", day(-400))]),
        buy("t", 1, day(2), "40", "400", security_id="A"),
        sell("s", 2, day(9), "1000", {"L2": "40"}, security_id="B"),
    ]
    content = said(applied(events, securities), securities, day(9))
    assert [(row.disallowed, row.allowed_gain) for row in content.sales] == [(D(3000), D(0))]
    assert lots_of(content) == [("P-t", "B", D(40), D(3400))]


@pytest.mark.parametrize("seen_first", ["action", "file"])
def test_a_lot_under_a_new_id_is_the_same_shares(seen_first: str) -> None:
    securities = acted(merger("A", E, "B", "0.5", "3", "30"))
    first = NO_SECURITY_FACTS if seen_first == "file" else securities
    ledger = applied([account(lots=[OLD]), file_of(lot("L7", "B", "50", "1000", day(-400)))], first)
    content = said(ledger, securities)
    assert (lots_of(content), differing(content)) == ([("L7", "B", D(50), D(1000))], [])
    assert [(row.lot_id, row.security_id, row.raw_gain) for row in content.sales] == [("L7", "A", D(300))]
    assert security_of_lot(ledger, "A1", "L1", securities) == "B"
    after = applied([sell("s", 1, day(7), "600", {"L7": "20"}, security_id="B")], securities, ledger)
    content = said(after, securities, day(7))
    assert lots_of(content) == [("L7", "B", D(30), D(600))]
    assert [(row.trade_id, row.basis) for row in content.sales] == [(f"merger/A/{E}", D(0)), ("s", D(400))]
    refused = tell_lot(ledger, bought("A1", "L7", day(-400), D(1000)), "ann", datetime(2025, 1, 9, tzinfo=UTC), securities)
    assert isinstance(refused, Refusal) and "L1" in refused.text()


@pytest.mark.parametrize("seen_first", ["action", "file"])
@pytest.mark.parametrize(
    "shown",
    [
        pytest.param([lot("L7", "B", "49", "1000", day(-400))], id="another quantity"),
        pytest.param([lot("L7", "B", "50", "1000", E)], id="another date"),
        pytest.param([lot("L7", "B", "50", "500", day(-400)), lot("L8", "B", "50", "500", day(-400))], id="two that fit"),
    ],
)
def test_what_may_be_the_same_shares_is_held_once_and_listed(seen_first: str, shown: Sequence[Lot]) -> None:
    securities = acted(merger("A", E, "B", "0.5"))
    ledger = applied([account(lots=[OLD]), file_of(*shown)], NO_SECURITY_FACTS if seen_first == "file" else securities)
    content = said(ledger, securities)
    assert lots_of(content) == [("L1", "B", D(50), D(1000))]
    assert differing(content) == ["L1", *(each.lot_id for each in shown)]


def test_a_further_file_settles_what_was_in_doubt() -> None:
    securities = acted(merger("A", E, "B", "0.5"))
    ledger = applied([account(lots=[OLD]), file_of(lot("L7", "B", "49", "1000", day(-400)))], securities)
    ledger = applied([file_of(lot("L7", "B", "50", "1000", day(-400)), version=3, on=day(7))], securities, ledger)
    assert (lots_of(said(ledger, securities)), differing(said(ledger, securities))) == ([("L7", "B", D(50), D(1000))], [])


def test_a_person_settles_what_is_in_doubt_by_telling_that_the_old_lot_is_the_new_one() -> None:
    securities = acted(merger("A", E, "B", "0.5", "3", "30"))
    ledger = applied([account(lots=[OLD]), file_of(lot("L7", "B", "49", "690", E))], securities)
    assert differing(said(ledger, securities)) == ["L1", "L7"]
    at = datetime(2025, 1, 9, tzinfo=UTC)
    gone = tell_departure(ledger, "A1", Departure("L1", "B", D(50), LATER, "transfer", "ann", at), securities)
    assert isinstance(gone, HouseholdLedger)
    told = tell_lot(gone, bought("A1", "L7", day(-400), D(1000)), "ann", at, securities)
    assert isinstance(told, HouseholdLedger)
    content = said(told, securities)
    assert (lots_of(content), differing(content)) == ([("L7", "B", D(49), D(1000))], [])
    assert [row.raw_gain for row in content.sales] == [D(300)]  # the cash of the merger


@pytest.mark.parametrize("seen_first", ["action", "file"])
def test_spun_off_shares_take_the_custodians_id(seen_first: str) -> None:
    securities = acted(spin_off("A", E, "C", "0.25", "20", "95"))
    shown = file_of(lot("L1", "A", "100", "1000", day(-400)), lot("L9", "C", "25", None, day(-400)))
    ledger = applied([account(lots=[OLD]), shown], NO_SECURITY_FACTS if seen_first == "file" else securities)
    content = said(ledger, securities)
    assert lots_of(content) == [("L1", "A", D(100), D(950)), ("L9", "C", D(25), D(50))]
    assert differing(content) == []
    later = acted(spin_off("A", E, "C", "0.25", "20", "95"), merger("A", day(10), "B", "1"))
    renamed = file_of(lot("L9", "C", "25", None, day(-400)), lot("L20", "B", "100", "950", day(-400)), version=3, on=day(11))
    content = said(applied([renamed], later, ledger), later, day(11))
    assert lots_of(content) == [("L20", "B", D(100), D(950)), ("L9", "C", D(25), D(50))]
    assert differing(content) == []


def test_the_fraction_that_an_action_leaves_is_sold() -> None:
    actions = merger("A", E, "B", "0.33"), paid("B", E, "cash_in_lieu", "33")
    securities = acted(*actions)
    lots = [lot("L1", "A", "10", "100", day(-400)), lot("L2", "A", "5", "200", day(-30)), lot("L3", "B", "7.5", "80", day(-10))]
    content = said(applied([account(lots=lots)], securities), securities)
    assert lots_of(content) == [("L1", "B", D("2.35"), D("71.21")), ("L2", "B", D("1.65"), D(200)), ("L3", "B", D("7.5"), D(80))]
    assert [(row.trade_id, row.lot_id, row.quantity, row.proceeds) for row in content.sales] == [
        (f"cash_in_lieu/B/{E}", "L1", D("0.95"), D("31.35"))
    ]


@pytest.mark.parametrize(("counted_on", "lots"), [(day(0), [("L1", "A", D(10), D("98.04"))]), (E, [("L1", "A", D("10.2"), D(100))])])
def test_the_fraction_of_a_split(counted_on: date, lots: list[Row]) -> None:
    securities = acted(paid("A", E, "cash_in_lieu", "40"), splits=[split("A", E, "0.1")])
    quantity = "102" if counted_on < E else "10.2"
    content = said(applied([account(lots=[lot("L1", "A", quantity, "100", day(-400))], business_date=counted_on)], securities), securities)
    assert lots_of(content) == lots
    assert [row.proceeds for row in content.sales] == ([D(8)] if counted_on < E else [])
    unknown = acted(paid("A", E, "cash_in_lieu", "40"))
    assert said(applied([account(lots=[lot("L1", "A", "10.5", "100", day(-400))])], unknown), unknown).sales == []


def test_a_lot_that_the_file_calls_another_security_is_a_disagreement_without_any_action() -> None:
    ledger = applied([account(lots=[OLD]), file_of(lot("L1", "B", "100", "1200", day(-400)))])
    content = said(ledger, NO_SECURITY_FACTS)
    assert (lots_of(content), differing(content)) == ([("L1", "A", D(100), D(1000))], ["L1"])


def test_a_retirement_account_gains_nothing_by_an_action() -> None:
    securities = acted(paid("A", E, "cash_merger", "20"))
    content = said(applied([account(lots=[OLD], account_type="roth_ira")], securities), securities)
    assert (lots_of(content), [row.raw_gain for row in content.sales]) == ([], [None])


def test_an_action_in_what_nobody_holds_changes_nothing() -> None:
    ledger = applied([account(lots=[lot("L1", "Z", "10", "100", day(-9))])])
    before = said(ledger, NO_SECURITY_FACTS)
    for action in ACTIONS:
        assert said(ledger, acted(action)) == before


def test_a_sale_before_a_late_known_action_is_judged_again() -> None:
    securities = acted(paid("A", E, "return_of_capital", "2"))
    ledger = applied([account(lots=[OLD]), sell("s", 1, LATER, "950", {"L1": "100"}, security_id="A")])
    assert [row.raw_gain for row in said(ledger, NO_SECURITY_FACTS).sales] == [D(-50)]
    assert [row.raw_gain for row in said(ledger, securities).sales] == [D(150)]


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Lot], Reorganization, list[Lot]]:
    """Lots of a file, an action, and the lots as the custodian's file shows them after it: under the old ids or under new ones."""
    sizes = draw(st.lists(st.integers(1, 400), min_size=1, max_size=4, unique=True))
    lots = [lot(f"L{n}", "A", f"{size * 4}", draw(st.sampled_from([f"{size * 30}", None])), day(-400 + n)) for n, size in enumerate(sizes)]
    kept = draw(st.booleans())
    action = draw(st.sampled_from(ACTIONS))
    shown: list[Lot] = []
    for number, one in enumerate(lots):
        basis = draw(st.sampled_from(["17", None, one.cost_basis]))
        told = None if basis is None else str(basis)
        if action.kind in ("spin_off", "return_of_capital"):
            shown.append(lot(one.lot_id, "A", str(one.quantity), told, one.acquired))
        if action.new_security_id is not None:
            assert action.ratio is not None
            own = f"N{number}" if action.kind == "spin_off" or not kept else one.lot_id
            shown.append(lot(own, action.new_security_id, str(one.quantity * action.ratio), told, one.acquired))
    return lots, action, shown


@settings(max_examples=150, deadline=None)
@given(stories(), st.sampled_from([E, LATER]))
def test_the_books_are_the_same_whether_the_file_or_the_action_came_first(
    story: tuple[list[Lot], Reorganization, list[Lot]], shown_on: date
) -> None:
    lots, action, shown = story
    securities = acted(action)
    events = [account(lots=lots), file_of(*shown, on=shown_on), file_of(*shown, version=3, on=day(8))]
    for number in range(len(events) + 1):
        early = applied(events[:number])
        late = said(applied(events[number:], securities, early), securities, day(8))
        if number == 0:
            expected = late
            assert differing(expected) == []
            assert {one.lot_id: one.quantity for one in shown} == {lot_id: quantity for lot_id, _, quantity, _ in lots_of(expected)}
        assert late == expected


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 3))
def test_the_action_keeps_dollars(story: tuple[list[Lot], Reorganization, list[Lot]], which: int) -> None:
    """Basis before = basis after, cash and the gain in it taken into account."""
    lots, action, _ = story
    known = [one for one in lots if one.cost_basis is not None]
    securities = acted(action)
    content = said(applied([account(lots=known)], securities), securities)
    before = sum((one.cost_basis or D(0) for one in known), D(0))
    after = sum((basis or D(0) for *_, basis in lots_of(content)), D(0))
    gains = sum((row.allowed_gain or D(0) for row in content.sales), D(0))
    cash = sum((one.quantity for one in known), D(0)) * (action.cash_per_share or D(0))
    assert after == before - cash + gains
