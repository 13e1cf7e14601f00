"""pma.ledger.restated: what a later fact changes in what was said of the past, and what is no such change."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerRestated, LedgerUpdated
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.restated import restatement, was_decided_otherwise
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.told_lots import bought, tell_lot
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, applied, bust, buy, day, facts, lot, sell, split
from tests.unit.wash_sale.test_told_lots import NOW

D = Decimal
Event = AccountChanged | TradeBooked
CLASSES = facts({"XA": "X", "XB": "X"})
OLD = lot("L1", "XA", "100", "5000", day(-400))
FIRST = account(lots=[OLD, lot("L2", "XA", "10", "500", day(-300))])
LOSS = sell("s", 1, day(1), "4000", {"L1": "100"}, security_id="XA")
REBUY = buy("t", 2, day(5), "60", "2400", security_id="XB")


def said(facts_now: HouseholdLedger, version: int, on: int, securities: SecurityFacts = CLASSES) -> LedgerUpdated:
    content = ledger_content(facts_now, securities, day(on))
    assert not isinstance(content, Refusal), content.text()
    return replace(content, version=version)


def after(*events: Event, on: int, version: int = 1, securities: SecurityFacts = CLASSES) -> LedgerUpdated:
    return said(applied(events, securities), version, on, securities)


def compared(before: Sequence[Event], more: Sequence[Event], on: tuple[int, int]) -> LedgerRestated | None:
    return restatement(after(*before, on=on[0]), after(*before, *more, on=on[1], version=2), CLASSES)


def test_a_bust_restates_the_sale_and_opens_its_window_again() -> None:
    found = compared([FIRST, LOSS, REBUY], [bust("b", 3, REBUY)], (9, 9))
    assert found is not None
    ((sale,), lots, closed, opened) = (found.sales, found.lots, found.windows_closed, found.windows_opened)
    assert sale.before is not None and sale.after is not None
    assert (sale.before.disallowed, sale.after.disallowed, lots) == (D(600), D(0), [])
    assert (found.from_version, found.to_version, found.securities) == (1, 2, ["XA", "XB"])
    assert [each.cause for each in opened + closed] == []  # the loss of 40 shares was open all the time, and no share of the purchase free


def test_a_late_purchase_denies_a_past_loss() -> None:
    found = compared([FIRST, LOSS], [REBUY], (20, 20))
    assert found is not None
    (sale,) = found.sales
    assert sale.after is not None and sale.after.disallowed == 600


def test_a_late_sale_was_not_known() -> None:
    found = compared([FIRST], [LOSS], (9, 9))
    assert found is not None
    (sale,) = found.sales
    assert sale.before is None and [each.trade_date for each in found.windows_opened] == [day(1)]


def test_a_late_purchase_alone_opens_a_window_of_the_past_and_its_bust_closes_it() -> None:
    early = replace(REBUY, trade_seq=1)
    found = compared([FIRST], [early], (9, 9))
    assert found is not None and ([each.trade_date for each in found.windows_opened], found.sales) == ([day(5)], [])
    found = compared([FIRST, early], [bust("b", 2, early)], (9, 9))
    assert found is not None and ([each.trade_date for each in found.windows_closed], found.sales) == ([day(5)], [])


def test_a_basis_that_is_told_restates_the_lot() -> None:
    ledger = applied([FIRST], CLASSES)
    told = tell_lot(ledger, bought("A1", "L2", day(-300), D(700)), "P", NOW, CLASSES)
    assert not isinstance(told, Refusal)
    found = restatement(said(ledger, 1, 5), said(told, 2, 5), CLASSES)
    assert found is not None
    assert [(each.lot_id, each.basis_before, each.basis) for each in found.lots] == [("L2", D(500), D(700))]
    assert (found.sales, found.securities) == ([], ["XA", "XB"])


def test_what_happens_today_restates_nothing() -> None:
    assert compared([FIRST], [LOSS], (1, 1)) is None
    assert compared([FIRST], [replace(REBUY, trade_seq=1)], (5, 5)) is None
    early = replace(REBUY, trade_seq=1)
    sold = sell("u", 2, day(9), "2300", {"P-t": "60"}, security_id="XB")
    assert compared([FIRST, early], [sold], (9, 9)) is None, "its window closes, for its shares are sold"
    washed = sell("u", 2, day(9), "4000", {"L1": "100"}, security_id="XA")
    assert compared([FIRST, early], [washed], (9, 9)) is None, "the purchase takes over the loss of today"


def test_days_names_splits_and_new_accounts_restate_nothing() -> None:
    assert compared([FIRST, LOSS], [], (2, 60)) is None
    gained = lot("C-t", "XB", "60", "2400", day(5))
    renamed = account(lots=[lot("L2", "XA", "10", "500", day(-300)), gained], version=2, trade_seq=2, aliases={"P-t": "C-t"})
    assert compared([FIRST, LOSS, REBUY], [renamed], (9, 9)) is None
    recent = account("A2", [lot("N", "XA", "5", "200", day(-3))])
    assert compared([FIRST], [recent], (9, 9)) is None
    halved = facts({"XA": "X", "XB": "X"}, split("XA", day(8), "2"))
    events = (FIRST, LOSS)
    assert restatement(after(*events, on=7), said(applied(events, CLASSES), 2, 8, halved), CLASSES) is None


def test_which_versions_had_said_it_otherwise() -> None:
    before, now = after(FIRST, LOSS, REBUY, on=9, version=4), after(FIRST, LOSS, REBUY, bust("b", 3, REBUY), on=9, version=5)
    found = restatement(before, now, CLASSES)
    assert found is not None
    assert was_decided_otherwise(after(FIRST, LOSS, REBUY, on=6, version=3), now, found, CLASSES)
    assert not was_decided_otherwise(after(FIRST, LOSS, on=3, version=2), now, found, CLASSES)
