"""What a person tells of a lot: a late basis, or that a lot was no purchase; everything that follows is derived again."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.schemas.ledger import LedgerUpdated
from services.wash_sale.core.household import Departure, HouseholdLedger
from services.wash_sale.core.ledger_changes import changes_between
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.securities import NO_SECURITY_FACTS
from services.wash_sale.core.told_lots import ToldLot, bought, from_spouse, given, inherited, tell_departure, tell_lot
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, applied, buy, day, lot, sell

D = Decimal
NOW = datetime(2025, 6, 1, tzinfo=UTC)
UNKNOWN = lot("L1", "XYZ", "100", None, None)
SOLD = sell("s", 1, day(1), "4000", {"L1": "100"})


def told(ledger: HouseholdLedger, what: ToldLot) -> HouseholdLedger:
    outcome = tell_lot(ledger, what, "ann", NOW, NO_SECURITY_FACTS)
    assert not isinstance(outcome, Refusal), outcome.text()
    return outcome


def content(ledger: HouseholdLedger) -> LedgerUpdated:
    found = ledger_content(ledger, NO_SECURITY_FACTS, day(5))
    assert not isinstance(found, Refusal)
    return found


def test_a_basis_that_becomes_known_after_the_sale_restates_it_and_what_replaced_it() -> None:
    before = applied([account(lots=[UNKNOWN]), SOLD, buy("t", 2, day(3), "60", "2460")])
    after = told(before, bought("A1", "L1", day(-400), D(5000)))
    (row,) = content(after).sales
    assert (row.basis, row.raw_gain, row.disallowed, row.term) == (D(5000), D(-1000), D(600), "long")
    assert [each.tax_basis for each in content(after).accounts[0].lots.rows()] == [D(3060)]
    changes = changes_between(content(before), replace(content(after), version=1))
    assert [(c.before.raw_gain, c.after.raw_gain) for c in changes.restated if c.before and c.after] == [(None, D(-1000))]
    assert ([each.lot_id for each in changes.lots], changes.securities) == (["P-t"], ["XYZ"])


@pytest.mark.parametrize(
    ("what", "proceeds", "basis", "gain", "term"),
    [
        pytest.param(given("A1", "L1", day(-9), D(3000), day(-900), D(4100), D(0)), "4000", D(3000), D(1000), "long", id="4.2 gain"),
        pytest.param(given("A1", "L1", day(-9), D(6000), day(-900), D(4500), D(0)), "4000", D(4500), D(-500), "short", id="4.2 loss"),
        pytest.param(given("A1", "L1", day(-9), D(6000), day(-900), D(4500), D(0)), "5000", None, D(0), "none", id="4.2 neither"),
        pytest.param(inherited("A1", "L1", day(-9), D(4500)), "4000", D(4500), D(-500), "long", id="4.3 inherited"),
        pytest.param(from_spouse("A1", "L1", day(-9), D(6000), day(-900)), "4000", D(6000), D(-2000), "long", id="3.5 from a spouse"),
    ],
)
def test_how_a_lot_came(what: ToldLot, proceeds: str, basis: Decimal | None, gain: Decimal, term: str) -> None:
    sold = sell("s", 1, day(1), proceeds, {"L1": "100"})
    (row,) = content(told(applied([account(lots=[UNKNOWN]), sold]), what)).sales
    assert (row.basis, row.raw_gain, row.term) == (basis, gain, term)


def test_a_lot_that_was_no_purchase_washes_nothing_and_blocks_nothing() -> None:
    recent = lot("L2", "XYZ", "100", "4100", day(-9))
    ledger = applied([account(lots=[lot("L1", "XYZ", "100", "5000", day(-400)), recent]), SOLD])
    assert content(ledger).sales[0].disallowed == D(1000)
    fewer = applied([account(lots=[lot("L1", "XYZ", "10", "500", day(-400)), recent])])
    assert len(content(fewer).blocked_loss_sales) == 1
    gift = given("A1", "L2", day(-9), D(3000), day(-900), D(4100), D(0))
    assert content(told(ledger, gift)).sales[0].disallowed == 0
    assert content(told(fewer, gift)).blocked_loss_sales == []


def test_what_was_told_beats_the_file() -> None:
    ledger = told(applied([account(lots=[lot("L1", "XYZ", "100", "5000", day(-400))])]), bought("A1", "L1", day(-300), D(4400)))
    later = applied([account(lots=[lot("L1", "XYZ", "100", "5000", day(-400))], version=2, business_date=day(9))], ledger=ledger)
    (shown,) = content(later).accounts[0].lots.rows()
    assert (shown.tax_basis, shown.acquired) == (D(4400), day(-300))


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (bought("A9", "L1", day(-400), D(1)), RefusalCode.UNKNOWN_ACCOUNT),
        (bought("A1", "L9", day(-400), D(1)), RefusalCode.UNKNOWN_LOT),
        (bought("A1", "L1", day(2), D(1)), RefusalCode.SALE_BEFORE_PURCHASE),
    ],
)
def test_what_can_not_be_told(what: ToldLot, code: RefusalCode) -> None:
    outcome = tell_lot(applied([account(lots=[UNKNOWN]), SOLD]), what, "ann", NOW, NO_SECURITY_FACTS)
    assert isinstance(outcome, Refusal) and outcome.code is code


def test_shares_that_left_without_a_trade_are_explained() -> None:
    old = lot("L1", "XYZ", "100", "5000", day(-400))
    shrunk = account(lots=[lot("L1", "XYZ", "60", "3000", day(-400))], version=2, business_date=day(3))
    ledger = applied([account(lots=[old]), shrunk])
    assert content(ledger).accounts[0].disagreements == ["L1"]
    gone = Departure("L1", "XYZ", D(40), day(2), "gift", "ann", NOW)
    explained = tell_departure(ledger, "A1", gone, NO_SECURITY_FACTS)
    assert not isinstance(explained, Refusal)
    shown = content(explained).accounts[0]
    assert (shown.disagreements, [(each.quantity, each.tax_basis) for each in shown.lots.rows()]) == ([], [(D(60), D(3000))])
    assert tell_departure(explained, "A1", gone, NO_SECURITY_FACTS) is explained
    again = applied([replace(shrunk, version=3)], ledger=explained)
    assert content(again).accounts[0].disagreements == []


def test_what_left_before_a_loss_replaces_it_no_more() -> None:
    recent = lot("L2", "XYZ", "100", "4100", day(-9))
    ledger = applied([account(lots=[lot("L1", "XYZ", "100", "5000", day(-400)), recent]), SOLD])
    gone = Departure("L2", "XYZ", D(100), day(0), "gift", "ann", NOW)
    given_away = tell_departure(ledger, "A1", gone, NO_SECURITY_FACTS)
    assert not isinstance(given_away, Refusal)
    assert (content(ledger).sales[0].disallowed, content(given_away).sales[0].disallowed) == (D(1000), D(0))


def test_more_than_was_held_can_not_have_left() -> None:
    gone = Departure("L1", "XYZ", D(1), day(2), "gift", "ann", NOW)
    outcome = tell_departure(applied([account(lots=[UNKNOWN]), SOLD]), "A1", gone, NO_SECURITY_FACTS)
    assert isinstance(outcome, Refusal) and (outcome.code, outcome.field) == (RefusalCode.OVERSOLD_LOT, "quantity")


def test_a_gift_told_again_with_its_value_is_the_same_gift() -> None:
    gone = Departure("L1", "XYZ", D(30), day(1), "gift", "ann", NOW)
    worth = replace(gone, value=D(900), donee="public_charity")
    ledger = applied([account(lots=[lot("L1", "XYZ", "100", "5000", day(-400))])])
    for each in (gone, worth, worth):
        outcome = tell_departure(ledger, "A1", each, NO_SECURITY_FACTS)
        assert not isinstance(outcome, Refusal)
        ledger = outcome
    assert ledger.accounts["A1"].departures == [worth]
