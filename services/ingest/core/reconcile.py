"""Which of our booked trades does a custodian's snapshot already hold?  (decisions 3 and 4 of the design)

A date alone does not tell: a file may come before the fill, after it, or with half of it.  So the evidence is the change of the lots
between the custodian's earlier and newer snapshot, and the date only says what is possible: a snapshot of trade-date basis can't
hold a trade of a later date, one of settlement-date basis can't hold one that settles later.

A trade *lacks* `wanted - reflected` shares: wanted is its quantity, or zero once it was busted.  A custodian's sale is a lot that
shrank, its purchase a lot that grew and was acquired on the trade date; busts are the same with the signs turned.

Invariants
1. 0 <= reflected <= quantity for every trade.
2. For a lot, what trades are said to be reflected never exceeds the lot's change.
3. Reconciling the same snapshot again changes nothing.
4. The book's shares = the snapshot's shares + what each trade lacks; so shares are conserved whatever a file reflects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import ZERO
from libs.common.schemas.account import Break, Lot
from libs.common.schemas.market import CorporateAction
from libs.common.schemas.order import BookedLot, TradeBooked
from services.ingest.core.snapshot import Snapshot

PROVISIONAL = "P-"


class BookTrade(Struct, frozen=True):
    """A booked trade on top of the snapshots.  `reflected[i]` are the shares of `trade.lots[i]` (for a buy: of its one lot) that the
    newest snapshot holds, `reflected_before[i]` those that the one before held.  `reflected_in` names the file's date and sequence."""

    trade: TradeBooked
    reflected: tuple[Decimal, ...]
    reflected_before: tuple[Decimal, ...]
    reflected_in: str | None = None
    busted: bool = False

    @property
    def lots(self) -> tuple[BookedLot, ...]:
        """The lots that the trade touches; a buy makes one provisional lot."""
        if self.trade.side == "buy":
            return (BookedLot(PROVISIONAL + self.trade.trade_id, self.trade.quantity),)
        return tuple(self.trade.lots)

    def lacking(self, part: int) -> Decimal:
        """Shares of one lot that the newest snapshot still lacks; negative when it holds what was busted."""
        wanted = ZERO if self.busted else self.lots[part].quantity
        return wanted - self.reflected[part]


def book_trade(trade: TradeBooked) -> BookTrade:
    """A trade that no snapshot reflects yet."""
    parts = 1 if trade.side == "buy" else len(trade.lots)
    return BookTrade(trade, (ZERO,) * parts, (ZERO,) * parts)


@dataclass(frozen=True)
class Reconciled:
    """The trades with what the snapshot reflects, the custodian's ids of our provisional lots, and what a person must look at."""

    trades: tuple[BookTrade, ...]
    aliases: Mapping[str, str]
    breaks: tuple[Break, ...]


def split_ratio(splits: Sequence[CorporateAction], security_id: str, after: date, until: date) -> Decimal:
    """New shares for one old share of a security through the splits with `after` < ex-date <= `until`."""
    ratio = Decimal(1)
    for split in splits:
        if split.security_id == security_id and after < split.ex_date <= until:
            ratio *= split.ratio
    return ratio


def reconcile(
    before: Snapshot | None,
    newest: Snapshot,
    trades: Sequence[BookTrade],
    aliases: Mapping[str, str],
    splits: Sequence[CorporateAction],
) -> Reconciled:
    """Match booked trades with the newest snapshot.

    `before` is the newest snapshot of an earlier business date, in which each trade's `reflected_before` holds; a correction of the
    same date is therefore judged against the same `before` again.  Quantities of trades older than a split are compared in new shares.
    """
    changes = _Changes(before, newest, splits)
    known = dict(aliases)
    matched = []
    for trade in sorted(trades, key=lambda t: t.trade.trade_seq):
        start = replace(trade, reflected=trade.reflected_before)
        if not _possible(start.trade, newest):
            matched.append(start)
            continue
        ratio = split_ratio(splits, trade.trade.security_id, trade.trade.trade_date, newest.business_date)
        matched.append(_match(start, newest, changes, known, ratio))
    breaks = (*_late_trades(matched, newest), *changes.surplus({t.trade.security_id for t in trades if t.trade.side == "buy"}))
    return Reconciled(tuple(matched), known, breaks)


def _possible(trade: TradeBooked, newest: Snapshot) -> bool:
    included_from = trade.trade_date if newest.basis == "trade_date" else trade.settle_date
    return included_from <= newest.business_date


def _match(trade: BookTrade, newest: Snapshot, changes: "_Changes", aliases: dict[str, str], ratio: Decimal) -> BookTrade:
    reflected = list(trade.reflected)
    for part, lot in enumerate(trade.lots):
        lacking = replace(trade, reflected=tuple(reflected)).lacking(part) * ratio
        if trade.trade.side == "sell":
            taken = changes.take_shrunk(aliases.get(lot.lot_id, lot.lot_id), lacking)
        else:
            taken = changes.take_grown(trade.trade, lot.lot_id, lacking, aliases)
        reflected[part] += taken / ratio
    place = f"{newest.business_date.isoformat()}/{newest.sequence}"
    changed = tuple(reflected) != trade.reflected
    return replace(trade, reflected=tuple(reflected), reflected_in=place if changed else trade.reflected_in)


class _Changes:
    """How each lot changed from one snapshot to the next, and how much of that our trades have explained."""

    def __init__(self, before: Snapshot | None, newest: Snapshot, splits: Sequence[CorporateAction]) -> None:
        self._left: dict[str, Decimal] = {}
        self._lots: dict[str, Lot] = {}
        earlier: dict[str, Decimal] = {}
        for lot in before.lots.rows() if before is not None else ():
            assert before is not None
            ratio = split_ratio(splits, lot.security_id, before.business_date, newest.business_date)
            earlier[lot.lot_id] = lot.quantity * ratio
            self._lots[lot.lot_id] = lot
            self._left[lot.lot_id] = -earlier[lot.lot_id]
        for lot in newest.lots.rows():
            self._lots[lot.lot_id] = lot
            self._left[lot.lot_id] = self._left.get(lot.lot_id, ZERO) + lot.quantity
        self._grown_by_day: dict[tuple[str, date | None], list[str]] = {}
        for lot_id, lot in sorted(self._lots.items()):
            self._grown_by_day.setdefault((lot.security_id, lot.acquired), []).append(lot_id)

    def take_shrunk(self, lot_id: str, wanted: Decimal) -> Decimal:
        """Explain up to `wanted` shares of a lot's shrinking (of its growing, when `wanted` is negative); returns the shares explained."""
        change = -self._left.get(lot_id, ZERO)
        taken = _toward(change, wanted)
        if taken:
            self._left[lot_id] += taken
        return taken

    def take_grown(self, trade: TradeBooked, provisional_id: str, wanted: Decimal, aliases: dict[str, str]) -> Decimal:
        """Explain up to `wanted` shares by lots of the trade's security and date that grew; the first names the provisional lot."""
        explained = ZERO
        for lot_id in self._grown_by_day.get((trade.security_id, trade.trade_date), ()):
            taken = _toward(self._left[lot_id], wanted - explained)
            if taken:
                self._left[lot_id] -= taken
                explained += taken
                aliases.setdefault(provisional_id, lot_id)
        return explained

    def surplus(self, bought: set[str]) -> list[Break]:
        """Lots that grew beyond our purchases of that security: a person must say what the rest is."""
        return [
            Break("lot_larger_than_trades", self._lots[lot_id].security_id, lot_id, None, left)
            for lot_id, left in sorted(self._left.items())
            if left > 0 and self._lots[lot_id].security_id in bought
        ]


def _toward(available: Decimal, wanted: Decimal) -> Decimal:
    """The part of `available` that has the sign of `wanted` and is not more than it."""
    if wanted > 0:
        return max(ZERO, min(available, wanted))
    return min(ZERO, max(available, wanted))


def _late_trades(trades: Sequence[BookTrade], newest: Snapshot) -> list[Break]:
    """Trades of an earlier date that the snapshot should hold by now and does not."""
    found = []
    for trade in trades:
        due = trade.trade.trade_date if newest.basis == "trade_date" else trade.trade.settle_date
        if due >= newest.business_date:
            continue
        for part, lot in enumerate(trade.lots):
            if trade.lacking(part):
                wanted = ZERO if trade.busted else lot.quantity
                found.append(Break("trade_not_reflected", trade.trade.security_id, lot.lot_id, wanted, trade.reflected[part]))
    return found
