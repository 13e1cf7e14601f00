"""What comes again, or older than what was taken, changes nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.account import AccountChanged
from services.wash_sale.core.transitions import apply_account, apply_trade
from tests.unit.wash_sale.histories import SECURITIES, History, histories
from tests.unit.wash_sale.samples import account, applied, buy, day, lot

OPENING = lot("L1", "XYZ", "100", "5000", day(-400))


def test_an_older_version_that_comes_late_changes_nothing() -> None:
    first, second = account(lots=[OPENING]), account(lots=[], version=2)
    ledger = applied([first, second])
    assert apply_account(ledger, first, SECURITIES) is ledger
    assert apply_account(ledger, second, SECURITIES) is ledger


def test_a_trade_that_comes_again_is_booked_once() -> None:
    fill = buy("t1", 1, day(1), "10", "900")
    ledger = applied([account(lots=[OPENING]), fill])
    assert apply_trade(ledger, fill, SECURITIES) is ledger


@settings(max_examples=40)
@given(histories(), st.data())
def test_any_part_of_a_history_again_changes_nothing(history: History, data: st.DataObject) -> None:
    ledger = applied(history.events, SECURITIES)
    for event in data.draw(st.lists(st.sampled_from(history.events), max_size=6)):
        again = apply_account(ledger, event, SECURITIES) if isinstance(event, AccountChanged) else apply_trade(ledger, event, SECURITIES)
        assert again is ledger
