"""A simulated custodian: the true book of shares and cash, moved by the trades that were booked, by splits and by owners' money.

Lots have the custodian's own ids: all purchases of one account, security and day are ONE lot; a sale reduces the lots it names.
A provisional lot id ('P-' + trade id) stands for the lot that the trade's shares went to.

Invariants:
1. Shares: opening + bought - sold (busts taken back), times splits, plus corrections = held, per account and security.
2. Cash: opening + amounts of trades + what owners paid in = settled + unsettled, per account, to the cent.
3. No lot is negative; a sale of more than a lot holds is refused with ValueError and changes nothing of that trade.
4. `changes` names everything that the custodian changed by itself, so before + trades + changes = after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.custody import CustodyHoldings, CustodyLot
from libs.common.schemas.market import CorporateAction
from libs.common.schemas.order import TradeBooked

PROVISIONAL = "P-"


class CustodyChange(Struct, frozen=True):
    """What the custodian changed without a trade of ours: shares of one security, or cash in dollars."""

    account_id: str
    business_date: date
    why: Literal["split", "contribution", "withdrawal", "correction"]
    cash: Decimal
    security_id: str | None
    quantity: Decimal


@dataclass
class CustodyAccount:
    """One account at the custodian: `pending` is cash that settles on its date."""

    account_id: str
    cash_settled: Decimal
    pending: list[tuple[date, Decimal]]
    lots: dict[str, CustodyLot]

    def copy(self) -> "CustodyAccount":
        return CustodyAccount(self.account_id, self.cash_settled, list(self.pending), dict(self.lots))


@dataclass(frozen=True)
class _Moved:
    """What one trade did, so that a bust can take it back: (lot as it was, shares of the trade's day, cost), signed as the lot saw them."""

    trade: TradeBooked
    parts: list[tuple[CustodyLot, Decimal, Decimal | None]]


@dataclass
class Custodian:
    """The custodian's true book.  `business_date` is the day that is open."""

    name: str
    business_date: date
    accounts: dict[str, CustodyAccount]
    changes: list[CustodyChange] = field(default_factory=list)
    _splits: list[CorporateAction] = field(default_factory=list)
    _journal: dict[str, _Moved] = field(default_factory=dict)
    _lot_of: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Custodian":
        """An independent copy: for a file that reflects only a part of the day's trades."""
        accounts = {a.account_id: a.copy() for a in self.accounts.values()}
        other = Custodian(self.name, self.business_date, accounts, list(self.changes), list(self._splits))
        other._journal, other._lot_of = dict(self._journal), dict(self._lot_of)
        return other

    def apply(self, trades: Iterable[TradeBooked]) -> None:
        """Book trades, each once however often it comes; those of one account in the order of trade_seq."""
        for trade in trades:
            if trade.trade_id not in self._journal:
                self._journal[trade.trade_id] = self._book(self.accounts[trade.account_id], trade)

    def open_day(self, day: date, splits: Sequence[CorporateAction] = (), payments: Iterable[tuple[str, Decimal]] = ()) -> None:
        """Begin a business day: cash that settles by then is settled, splits of the day apply, owners' money moves."""
        self.business_date = day
        for account in self.accounts.values():
            account.cash_settled += sum((amount for due, amount in account.pending if due <= day), ZERO)
            account.pending = [(due, amount) for due, amount in account.pending if due > day]
        for split in splits:
            self._splits.append(split)
            for account in self.accounts.values():
                self._split(account, split)
        for account_id, amount in payments:
            self.accounts[account_id].cash_settled += amount
            why: Literal["contribution", "withdrawal"] = "contribution" if amount > 0 else "withdrawal"
            self.changes.append(CustodyChange(account_id, day, why, amount, None, ZERO))

    def holdings(self, account_id: str, sequence: int = 1) -> CustodyHoldings:
        """The account as a message of the open day, trade-date basis; lots by security, date and id."""
        account = self.accounts[account_id]
        lots = sorted(account.lots.values(), key=lambda lot: (lot.security_id, lot.acquired or date.min, lot.lot_id))
        unsettled = sum((amount for _, amount in account.pending), ZERO)
        return CustodyHoldings(self.name, account_id, self.business_date, sequence, "trade_date", account.cash_settled, unsettled, lots)

    def _book(self, account: CustodyAccount, trade: TradeBooked) -> _Moved:
        if trade.kind == "bust":
            return self._bust(account, trade)
        moved = self._buy(account, trade) if trade.side == "buy" else self._sell(account, trade)
        self._pay(account, trade, trade.amount)
        return moved

    def _pay(self, account: CustodyAccount, trade: TradeBooked, amount: Decimal) -> None:
        if trade.settle_date <= self.business_date:
            account.cash_settled += amount
        else:
            account.pending.append((trade.settle_date, amount))

    def _buy(self, account: CustodyAccount, trade: TradeBooked) -> _Moved:
        """Into the one lot of the account, security and day; what was paid is its cost."""
        lot_id = f"{account.account_id}-{trade.security_id}-{trade.trade_date:%y%m%d}"
        before = account.lots.get(lot_id, CustodyLot(lot_id, trade.security_id, ZERO, ZERO, trade.trade_date))
        self._lot_of[PROVISIONAL + trade.trade_id] = lot_id
        cost = -trade.amount
        self._put(account, trade, before, trade.quantity, cost)
        return _Moved(trade, [(before, trade.quantity, cost)])

    def _sell(self, account: CustodyAccount, trade: TradeBooked) -> _Moved:
        """Out of the lots named; each gives up cost in proportion, to the cent."""
        parts: list[tuple[CustodyLot, Decimal, Decimal | None]] = []
        for booked in trade.lots:
            lot_id = self._lot_of.get(booked.lot_id, booked.lot_id)
            lot = account.lots.get(lot_id)
            shares = booked.quantity * self._ratio_since(trade)
            if lot is None or lot.quantity < shares:
                held = ZERO if lot is None else lot.quantity
                raise ValueError(f"{trade.trade_id}: {shares} sold of lot {lot_id} in {account.account_id}, which holds {held}")
            cost = None if lot.cost_basis is None else cents_half_even(lot.cost_basis * shares / lot.quantity)
            parts.append((lot, -booked.quantity, None if cost is None else -cost))
        for lot, quantity, cost in parts:
            self._put(account, trade, lot, quantity, cost)
        return _Moved(trade, parts)

    def _bust(self, account: CustodyAccount, bust: TradeBooked) -> _Moved:
        """Take a trade back whole: its shares and cost return to, or leave, the lots that it touched."""
        original = self._journal[bust.ref_trade_id or ""]
        for lot, quantity, cost in original.parts:
            now = account.lots.get(lot.lot_id, replace(lot, quantity=ZERO, cost_basis=None if lot.cost_basis is None else ZERO))
            self._put(account, original.trade, now, -quantity, None if cost is None else -cost)
        self._pay(account, bust, -original.trade.amount)
        return _Moved(bust, [])

    def _put(self, account: CustodyAccount, trade: TradeBooked, lot: CustodyLot, quantity: Decimal, cost: Decimal | None) -> None:
        """Add shares of the trade's day and cost to a lot as it stands now; an empty lot is gone."""
        now = account.lots.get(lot.lot_id, lot)
        by_split = quantity * (self._ratio_since(trade) - 1)
        if by_split:
            self.changes.append(CustodyChange(account.account_id, self.business_date, "split", ZERO, trade.security_id, by_split))
        held = now.quantity + quantity + by_split
        if held < 0:
            raise ValueError(f"lot {lot.lot_id} of {account.account_id} would hold {held}")
        basis = None if now.cost_basis is None or cost is None else now.cost_basis + cost
        account.lots[lot.lot_id] = replace(now, quantity=held, cost_basis=basis)
        if held == 0:
            del account.lots[lot.lot_id]

    def _ratio_since(self, trade: TradeBooked) -> Decimal:
        """Shares today for one share of the trade's day: a trade that comes late meets lots that were split since."""
        ratio = Decimal(1)
        for split in self._splits:
            if split.security_id == trade.security_id and split.ex_date > trade.trade_date:
                ratio *= split.ratio
        return ratio

    def _split(self, account: CustodyAccount, split: CorporateAction) -> None:
        gained = ZERO
        for lot in [lot for lot in account.lots.values() if lot.security_id == split.security_id]:
            account.lots[lot.lot_id] = replace(lot, quantity=lot.quantity * split.ratio)
            gained += lot.quantity * (split.ratio - 1)
        if gained:
            self.changes.append(CustodyChange(account.account_id, self.business_date, "split", ZERO, split.security_id, gained))
