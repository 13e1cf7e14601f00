"""How far things are, kept up as each event comes: what the demo's bars show and its steps wait for."""

from collections import Counter, defaultdict

from msgspec import Struct

from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.order import OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from services.desk_simulator.core import Proportions, decide


class Tracker:
    """Counts by run, and the last trade of each account as orders, the book and the ledger know it."""

    def __init__(self) -> None:
        self.screened: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.placed: Counter[str] = Counter()
        self.households: defaultdict[str, set[str]] = defaultdict(set)
        self.ended: defaultdict[str, set[str]] = defaultdict(set)
        self._traded: dict[str, int] = {}
        self._in_book: dict[str, int] = {}
        self._in_ledger: dict[str, int] = {}
        self._unbooked: set[str] = set()
        self._booked: set[str] = set()

    def note(self, payload: Struct) -> None:
        """Take one event into account."""
        match payload:
            case ScreenUpdated(run_id=str(run_id)):
                self.screened[run_id] += 1
            case ProposalCreated() | ProposalDeclined():
                self.decided[payload.run_id] += 1
            case OrderPlaced():
                self.placed[payload.run_id] += 1
                fills = {report.exec_id for report in decide(payload, Proportions()) if report.last_qty}
                self._unbooked |= fills - self._booked
            case OrderEnded():
                self.ended[payload.run_id].add(payload.cl_ord_id)
            case AccountChanged():
                _raise(self._in_book, payload.account_id, payload.trade_seq)
            case LedgerUpdated():
                if payload.run_id is not None:
                    self.households[payload.run_id].add(payload.household_id)
                for account in payload.accounts:
                    _raise(self._in_ledger, account.account_id, account.trade_seq)
            case TradeBooked():
                _raise(self._traded, payload.account_id, payload.trade_seq)
                self._booked.add(payload.exec_id)
                self._unbooked.discard(payload.exec_id)

    def booked(self) -> tuple[int, int]:
        """Traded accounts whose book and ledger hold their last trade, and all traded accounts.

        The desk is a function of the order, so the fills to come are known; while one is in no trade, one account more is counted.
        """
        done = sum(self._in_book.get(a, 0) >= seq and self._in_ledger.get(a, 0) >= seq for a, seq in self._traded.items())
        return done, len(self._traded) + bool(self._unbooked)


def _raise(numbers: dict[str, int], key: str, number: int) -> None:
    numbers[key] = max(numbers.get(key, 0), number)
