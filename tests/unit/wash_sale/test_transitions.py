"""The file is the starting point, booked trades move it; what waits, what is adopted, what is a disagreement."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.money import plain
from libs.common.schemas.ledger import LedgerAccount
from libs.common.schemas.order import BookedLot
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.securities import NO_SECURITY_FACTS, SecurityFacts
from services.wash_sale.core.transitions import apply_account, apply_trade, leave
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, applied, bust, buy, day, facts, lot, sell, split

D = Decimal
OLD = lot("L1", "XYZ", "100", "5000", day(-400))


def shown(ledger: HouseholdLedger, account_id: str = "A1", securities: SecurityFacts = NO_SECURITY_FACTS) -> LedgerAccount:
    content = ledger_content(ledger, securities, day(60))
    assert not isinstance(content, Refusal), content.text()
    return next(each for each in content.accounts if each.account_id == account_id)


def lots(ledger: HouseholdLedger, securities: SecurityFacts = NO_SECURITY_FACTS) -> list[tuple[str, str, str | None]]:
    """(lot, quantity, tax basis) of A1."""
    return [
        (each.lot_id, plain(each.quantity), None if each.tax_basis is None else plain(each.tax_basis))
        for each in shown(ledger, securities=securities).lots.rows()
    ]


def test_a_first_version_is_the_starting_point() -> None:
    unknown = lot("L2", "XYZ", "7.5", None, None)
    ledger = applied([account(lots=[OLD, unknown])])
    assert lots(ledger) == [("L2", "7.5", None), ("L1", "100", "5000")]
    assert shown(ledger).disagreements == []


def test_a_fill_then_the_version_that_holds_it() -> None:
    fill = buy("t1", 1, day(1), "10", "900.10")
    ledger = applied([account(lots=[OLD]), fill])
    assert lots(ledger) == [("L1", "100", "5000"), ("P-t1", "10", "900.1")]
    assert (shown(ledger).account_version, shown(ledger).trade_seq, shown(ledger).disagreements) == (1, 1, [])

    provisional = lot("P-t1", "XYZ", "10", "900.10", day(1))
    ledger = applied([account(lots=[OLD, provisional], version=2, trade_seq=1)], ledger=ledger)
    assert (shown(ledger).account_version, shown(ledger).trade_seq, shown(ledger).disagreements) == (2, 1, [])


def test_a_version_that_holds_a_trade_waits_for_it() -> None:
    ahead = account(lots=[OLD, lot("P-t1", "XYZ", "10", "900", day(1))], version=2, trade_seq=1)
    ledger = applied([account(lots=[OLD]), ahead])
    assert (shown(ledger).account_version, lots(ledger)) == (1, [("L1", "100", "5000")])
    ledger = applied([buy("t1", 1, day(1), "10", "900")], ledger=ledger)
    assert (shown(ledger).account_version, shown(ledger).disagreements) == (2, [])
    assert ledger.accounts["A1"].pending == {}


def test_trades_wait_for_their_predecessor_and_for_their_account() -> None:
    first, second = buy("t1", 1, day(1), "10", "900"), buy("t2", 2, day(2), "20", "1800")
    ledger = applied([second])
    assert ledger.accounts == {} and ledger.waiting["A1"] == [second]
    ledger = applied([account(lots=[OLD])], ledger=ledger)
    assert lots(ledger) == [("L1", "100", "5000")]
    ledger = applied([first, first, second], ledger=ledger)
    assert [name for name, _, _ in lots(ledger)] == ["L1", "P-t1", "P-t2"]
    assert ledger.waiting == {}


def test_a_sale_waits_for_the_version_that_brings_its_lot() -> None:
    brings = account(lots=[OLD, lot("L9", "XYZ", "40", "1000", day(-90))], version=2)
    ledger = applied([account(lots=[OLD]), sell("t1", 1, day(5), "900", {"L9": "30"})])
    assert shown(ledger).trade_seq == 0
    ledger = applied([brings], ledger=ledger)
    assert shown(ledger).trade_seq == 1
    assert lots(ledger) == [("L1", "100", "5000"), ("L9", "10", "250")]


def test_a_version_that_comes_after_a_later_trade_still_brings_its_lots() -> None:
    """ingest may put two trades into one version, so no version with exactly our number of trades need ever come."""
    brings = account(lots=[OLD, lot("L9", "XYZ", "40", "1000", day(-90))], version=2)
    on_old, on_new = sell("t1", 1, day(5), "600", {"L1": "10"}), sell("t2", 2, day(5), "900", {"L9": "40"})
    both = account(lots=[replace(OLD, quantity=D(90))], version=3, trade_seq=2)
    ledger = applied([account(lots=[OLD]), on_old, brings, both, on_new])
    assert lots(ledger) == [("L1", "90", "4500")]
    assert (shown(ledger).account_version, shown(ledger).trade_seq, shown(ledger).disagreements) == (3, 2, [])


FILL_1, FILL_2 = buy("t1", 1, day(1), "60", "600", order="O"), buy("t2", 2, day(1), "40", "404", order="O")
PROVISIONAL_1, PROVISIONAL_2 = lot("P-t1", "XYZ", "60", "600", day(1)), lot("P-t2", "XYZ", "40", "404", day(1))
WHOLE = lot("C7", "XYZ", "100", "1004", day(1))
ALIASES = {"P-t1": "C7", "P-t2": "C7"}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [
                FILL_1,
                FILL_2,
                account(lots=[PROVISIONAL_1, PROVISIONAL_2], version=2, trade_seq=2),
                account(lots=[WHOLE], version=3, trade_seq=2, aliases=ALIASES, business_date=day(2)),
            ],
            id="file after the fills",
        ),
        pytest.param(
            [
                account(lots=[WHOLE], version=2, business_date=day(2)),
                FILL_1,
                FILL_2,
                account(lots=[WHOLE], version=3, trade_seq=2, aliases=ALIASES, business_date=day(2)),
            ],
            id="file before the fills",
        ),
        pytest.param(
            [
                FILL_1,
                FILL_2,
                account(lots=[WHOLE], version=2, trade_seq=1, aliases={"P-t1": "C7"}, business_date=day(2)),
                account(lots=[WHOLE], version=3, trade_seq=2, aliases=ALIASES, business_date=day(2)),
            ],
            id="the custodian has more than the book's trades",
        ),
        pytest.param(
            [
                FILL_1,
                account(lots=[PROVISIONAL_1, replace(WHOLE, quantity=D(40))], version=2, trade_seq=1, business_date=day(2)),
                account(lots=[WHOLE], version=3, trade_seq=2, aliases=ALIASES, business_date=day(3)),
                FILL_2,
            ],
            id="half reflected under the custodian's id",
        ),
    ],
)
def test_provisional_lots_become_the_custodians_whenever_the_file_comes(events: list[object]) -> None:
    ledger = applied([account(), *events])  # type: ignore[list-item]
    assert lots(ledger) == [("C7", "60", "600"), ("C7", "40", "404")]
    assert (shown(ledger).account_version, shown(ledger).disagreements) == (3, [])


def test_an_alias_keeps_what_a_wash_sale_put_on_the_lot() -> None:
    events = [
        account(lots=[OLD]),
        sell("s", 1, day(1), "4000", {"L1": "100"}),
        buy("t1", 2, day(2), "60", "2400"),
        account(lots=[lot("C7", "XYZ", "60", "2400", day(2))], version=2, trade_seq=2, aliases={"P-t1": "C7"}, business_date=day(3)),
    ]
    assert lots(applied(events)) == [("C7", "60", "3000")]


@pytest.mark.parametrize("later", [[], [lot("L1", "XYZ", "90", "4500", day(-400))]], ids=["vanished", "shrunk"])
def test_a_lot_that_goes_without_a_trade_stays_and_is_listed(later: list[object]) -> None:
    ledger = applied([account(lots=[OLD]), account(lots=later, version=2, business_date=day(1))])  # type: ignore[arg-type]
    assert lots(ledger) == [("L1", "100", "5000")]
    assert shown(ledger).disagreements == ["L1"]
    healed = applied([account(lots=[OLD], version=3, business_date=day(1))], ledger=ledger)
    assert shown(healed).disagreements == []


@pytest.mark.parametrize(
    ("corrected", "expected"),
    [
        ([lot("L1", "XYZ", "90", "4400", day(-400))], [("L1", "90", "4400")]),
        ([], []),
        ([lot("L2", "XYZ", "100", "5000", day(-399))], [("L2", "100", "5000")]),
    ],
)
def test_the_same_business_date_again_corrects_the_starting_point(corrected: list[object], expected: list[object]) -> None:
    ledger = applied([account(lots=[OLD]), account(lots=corrected, version=2)])  # type: ignore[arg-type]
    assert (lots(ledger), shown(ledger).disagreements) == (expected, [])


def test_a_correction_leaves_a_traded_lot_alone() -> None:
    corrected = account(lots=[replace(OLD, quantity=D(70))], version=2, trade_seq=1)
    ledger = applied([account(lots=[OLD]), sell("t1", 1, day(1), "600", {"L1": "10"}), corrected])
    assert (lots(ledger), shown(ledger).disagreements) == ([("L1", "90", "4500")], ["L1"])


def test_basis_that_becomes_known_later_is_taken_over() -> None:
    unknown = replace(OLD, cost_basis=None, acquired=None)
    ledger = applied([account(lots=[unknown]), account(lots=[OLD], version=2, business_date=day(9))])
    assert lots(ledger) == [("L1", "100", "5000")]
    assert shown(ledger).lots.acquired == ["2023-11-29"]


def test_basis_that_was_known_is_not_forgotten() -> None:
    unknown = replace(OLD, cost_basis=None, acquired=None)
    ledger = applied([account(lots=[OLD]), account(lots=[unknown], version=2, business_date=day(9))])
    assert lots(ledger) == [("L1", "100", "5000")]
    assert shown(ledger).lots.acquired == ["2023-11-29"]


def test_a_lot_that_a_bust_brings_back_keeps_its_basis() -> None:
    sale = sell("s", 1, day(1), "400", {"L1": "10"})
    approximate = account(lots=[replace(OLD, cost_basis=D("4999.99"))], version=2, trade_seq=2, business_date=day(2))
    assert lots(applied([account(lots=[OLD]), sale, bust("b", 2, sale), approximate])) == [("L1", "100", "5000")]


def test_the_custodians_basis_of_a_washed_lot_is_not_taken_over() -> None:
    kept = lot("L2", "XYZ", "50", "2000", day(-5))
    ledger = applied(
        [
            account(lots=[OLD, kept]),
            sell("s", 1, day(1), "4000", {"L1": "100"}),
            account(lots=[replace(kept, cost_basis=D(2222))], version=2, trade_seq=1, business_date=day(2)),
        ]
    )
    assert lots(ledger) == [("L2", "50", "2500")]


def test_a_lot_that_appears_is_a_further_starting_point_and_a_purchase_on_its_date() -> None:
    ledger = applied(
        [
            account(lots=[OLD]),
            sell("s", 1, day(1), "4000", {"L1": "100"}),
            account(lots=[lot("L5", "XYZ", "100", "4100", day(8))], version=2, trade_seq=1, business_date=day(9)),
        ]
    )
    assert (lots(ledger), shown(ledger).disagreements) == ([("L5", "100", "5100")], [])


def test_a_lot_under_a_new_id_is_not_a_second_purchase() -> None:
    ledger = applied([account(lots=[OLD]), account(lots=[replace(OLD, lot_id="N1")], version=2, business_date=day(1))])
    assert (lots(ledger), shown(ledger).disagreements) == ([("L1", "100", "5000")], ["L1", "N1"])


@pytest.mark.parametrize("known_first", [True, False], ids=["split known before the file", "after it"])
def test_a_split_explains_the_custodians_new_quantity(known_first: bool) -> None:
    doubled = account(lots=[replace(OLD, quantity=D(200))], version=2, business_date=day(3))
    two_for_one = facts({}, split("XYZ", day(3), "2"))
    ledger = applied([account(lots=[OLD]), doubled], two_for_one if known_first else NO_SECURITY_FACTS)
    assert shown(ledger).disagreements == ["L1"]
    assert shown(ledger, securities=two_for_one).disagreements == []
    assert lots(ledger, two_for_one) == [("L1", "200", "5000")]


def test_a_split_before_the_file_that_brought_the_lot_is_in_it() -> None:
    assert lots(applied([account(lots=[OLD])]), facts({}, split("XYZ", day(0), "2"))) == [("L1", "100", "5000")]


def test_a_busted_sale_gives_the_lot_back_and_reopens_nothing() -> None:
    sale = sell("s", 1, day(1), "4000", {"L1": "100"})
    before = applied([account(lots=[OLD])])
    after = applied([sale, buy("t1", 2, day(2), "60", "2400"), bust("b", 3, sale)], ledger=before)
    assert lots(after) == [("L1", "100", "5000"), ("P-t1", "60", "2400")]


def test_the_fills_of_one_order_do_not_replace_each_others_lots() -> None:
    """Both lots leave in one order of two fills; the second lot, bought 5 days ago, is no replacement for the first (section 8)."""
    recent = lot("L2", "XYZ", "50", "2600", day(-5))
    one_order = [
        sell("s1", 1, day(1), "4000", {"L1": "100"}, order="O"),
        sell("s2", 2, day(1), "2000", {"L2": "50"}, order="O"),
    ]
    content = ledger_content(applied([account(lots=[OLD, recent]), *one_order]), NO_SECURITY_FACTS, day(1))
    assert not isinstance(content, Refusal)
    assert [(row.lot_id, row.disallowed) for row in content.sales] == [("L1", D(0)), ("L2", D(0))]

    two_orders = [replace(one_order[0], cl_ord_id="O1"), one_order[1]]
    content = ledger_content(applied([account(lots=[OLD, recent]), *two_orders]), NO_SECURITY_FACTS, day(1))
    assert not isinstance(content, Refusal)
    assert [(row.lot_id, row.disallowed) for row in content.sales] == [("L1", D(500)), ("L2", D(0))]


def test_who_left_keeps_the_households_history_and_shows_no_lots() -> None:
    ledger = leave(applied([account(lots=[OLD]), sell("s", 1, day(1), "4000", {"L1": "100"}), account("A2")]), "A1")
    content = ledger_content(ledger, NO_SECURITY_FACTS, day(5))
    assert not isinstance(content, Refusal)
    assert [each.account_id for each in content.accounts] == ["A2"]
    assert [each.account_id for each in content.account_years] == ["A2"]
    assert [window.cause for window in content.blocked_buys] == ["s"]
    returned = apply_account(ledger, account(version=9), NO_SECURITY_FACTS)
    assert isinstance(returned, Refusal) and returned.code is RefusalCode.ACCOUNT_CAME_BACK


@pytest.mark.parametrize(
    ("trade", "code"),
    [
        (sell("t", 1, day(1), "1", {"L1": "100.5"}), RefusalCode.OVERSOLD_LOT),
        (sell("t", 1, day(-500), "1", {"L1": "1"}), RefusalCode.SALE_BEFORE_PURCHASE),
        (replace(sell("t", 1, day(1), "1", {"L1": "3"}), quantity=D(4)), RefusalCode.LOTS_DO_NOT_ADD_UP),
        (replace(sell("t", 1, day(1), "1", {"L1": "3"}), lots=[BookedLot("L1", D(0))]), RefusalCode.NOT_POSITIVE),
        (replace(buy("t", 1, day(1), "3", "1"), quantity=D(-3)), RefusalCode.NOT_POSITIVE),
        (bust("b", 1, buy("t", 1, day(1), "3", "1")), RefusalCode.UNKNOWN_TRADE),
    ],
    ids=lambda value: value.value if isinstance(value, RefusalCode) else "",
)
def test_what_is_refused(trade: object, code: RefusalCode) -> None:
    outcome = apply_trade(applied([account(lots=[OLD])]), trade, NO_SECURITY_FACTS)  # type: ignore[arg-type]
    assert isinstance(outcome, Refusal) and outcome.code is code, outcome


def test_a_short_position_is_refused() -> None:
    outcome = apply_account(HouseholdLedger("H1"), account(lots=[replace(OLD, quantity=D(-1))]), NO_SECURITY_FACTS)
    assert isinstance(outcome, Refusal) and outcome.code is RefusalCode.NOT_POSITIVE
