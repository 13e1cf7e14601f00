"""Rules that nothing appears or vanishes: from one state of an account to the next there are trades and what the custodian changed."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from demo.audit.evidence import Book, Evidence, total
from demo.audit.layout import CustodyChanged
from demo.audit.legs import Leg
from demo.audit.tally import NO_ORDER, Tally
from libs.common.money import ZERO
from libs.common.schemas.order import TradeBooked


def shares(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Shares before, plus bought, less sold, plus what the custodian changed, are the shares after: by account and security."""
    for earlier, later in _steps(evidence):
        expected = defaultdict(Decimal, earlier.positions)
        for trade in _trades_between(evidence, earlier, later):
            expected[trade.security_id] += _signed(trade)
        for change in _changes_between(evidence, earlier, later):
            if change.security_id is not None:
                expected[change.security_id] += change.quantity
        for security_id in sorted(expected.keys() | later.positions.keys()):
            due, held = expected[security_id], later.positions.get(security_id, ZERO)
            tally.check(due == held, NO_ORDER, f"{_named(later)}: {held} {security_id}, {due} follow from trades and custodian")


def cash(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Dollars before, plus the amounts of trades, plus what the custodian changed, are the dollars after."""
    for earlier, later in _steps(evidence):
        due = earlier.cash + total(trade.amount for trade in _trades_between(evidence, earlier, later))
        due += total(change.cash for change in _changes_between(evidence, earlier, later))
        tally.check(due == later.cash, NO_ORDER, f"{_named(later)}: {later.cash} dollars, {due} follow from trades and custodian")


def complete(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Each account's trades are numbered without a gap, the last state holds them all, and no account is lost."""
    for account_id, trades in evidence.trades_of.items():
        numbers = [trade.trade_seq for trade in trades]
        tally.check(numbers == list(range(1, len(trades) + 1)), NO_ORDER, f"{account_id}: trades numbered {numbers[:3]}..{numbers[-1]}")
    for account_id, book in evidence.before.items():
        after = evidence.after.get(account_id)
        booked = len(evidence.trades_of.get(account_id, ()))
        held = None if after is None else after.state.trade_seq
        tally.check(
            held == max(booked, book.state.trade_seq), NO_ORDER, f"{account_id}: {booked} trades booked, the last state holds {held}"
        )


def _steps(evidence: Evidence) -> Iterator[tuple[Book, Book]]:
    """Each two successive states of an account, from the first to the last."""
    states: dict[str, list[Book]] = defaultdict(list)
    for (account_id, _), book in sorted(evidence.books.items(), key=lambda item: item[0]):
        states[account_id].append(book)
    for books in states.values():
        yield from pairwise(books)


def _trades_between(evidence: Evidence, earlier: Book, later: Book) -> list[TradeBooked]:
    first, last = earlier.state.trade_seq, later.state.trade_seq
    return [trade for trade in evidence.trades_of.get(later.state.account_id, ()) if first < trade.trade_seq <= last]


def _changes_between(evidence: Evidence, earlier: Book, later: Book) -> list[CustodyChanged]:
    state = later.state
    return [
        change
        for change in evidence.custody
        if change.account_id == state.account_id and earlier.state.business_date < change.business_date <= state.business_date
    ]


def _signed(trade: TradeBooked) -> Decimal:
    """Shares that a trade adds; a bust takes back what its trade did."""
    added = trade.quantity if trade.side == "buy" else -trade.quantity
    return -added if trade.kind == "bust" else added


def _named(book: Book) -> str:
    return f"{book.state.account_id} version {book.state.version}"
