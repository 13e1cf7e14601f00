"""Which of our booked trades does a custodian's snapshot already hold?  (decisions 3 and 4 of the design)

A date alone does not tell: a file may come before the fill, after it, or with half of it.  So the evidence is the change of the lots
between the custodian's earlier and newer snapshot (lot_steps.py), and the date only says what is possible: a snapshot of trade-date
basis can't hold a trade of a later date, one of settlement-date basis can't hold one that settles later.

A trade *lacks* `quantity - reflected` shares.  A bust is a trade of its own that does the opposite of what it takes back.

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

from libs.common.money import SHARE_STEP, ZERO
from libs.common.schemas.account import Break
from libs.common.schemas.order import BookedLot, TradeBooked
from services.ingest.core.lot_steps import Step
from services.ingest.core.matching import Matching
from services.ingest.core.share_actions import ONE, ShareAction, share_today
from services.ingest.core.snapshot import Snapshot

PROVISIONAL = "P-"


class BookTrade(Struct, frozen=True):
    """A booked trade on top of the snapshots.  `reflected[i]` are the shares of `lots[i]` that the newest snapshot holds,
    `reflected_before[i]` those that the one before held.  `reflected_in` names the file's date and sequence.  `booked_on` is the
    business date on which the book stood when the trade came: a custodian knows it in its files of later dates."""

    trade: TradeBooked
    booked_on: date | None
    reflected: tuple[Decimal, ...]
    reflected_before: tuple[Decimal, ...]
    reflected_in: str | None = None

    @property
    def lots(self) -> list[BookedLot]:
        """The lots that the trade touches; a buy makes one provisional lot, its bust takes from it."""
        return touched_lots(self.trade)

    @property
    def sign(self) -> int:
        """1 where the trade adds shares to its lots (a buy, or a sale taken back), -1 where it takes some away."""
        return 1 if (self.trade.side == "buy") == (self.trade.kind != "bust") else -1

    def lacking(self, part: int) -> Decimal:
        """Shares of one lot that the newest snapshot still lacks."""
        return self.lots[part].quantity - self.reflected[part]


def touched_lots(trade: TradeBooked) -> list[BookedLot]:
    """The lots of a trade: those that a sale names, or the provisional lot of a buy."""
    if trade.side == "sell":
        return trade.lots
    return [BookedLot(PROVISIONAL + (trade.ref_trade_id or trade.trade_id), trade.quantity)]


def book_trade(trade: TradeBooked, booked_on: date | None) -> BookTrade:
    """A trade that no snapshot reflects yet."""
    nothing = tuple(ZERO for _ in touched_lots(trade))
    return BookTrade(trade, booked_on, nothing, nothing)


@dataclass(frozen=True)
class Reconciled:
    """The trades with what the snapshot reflects, the custodian's ids of our provisional lots, and what a person must look at."""

    trades: tuple[BookTrade, ...]
    aliases: Mapping[str, str]
    breaks: tuple[Break, ...]


def split_ratio(splits: Sequence[ShareAction], security_id: str, after: date, until: date) -> Decimal:
    """New shares for one old share of a security through the splits and mergers with `after` < ex-date <= `until`."""
    return share_today(splits, security_id, after, until)[1] if splits else ONE


def shares_today(trade: TradeBooked, shares: Decimal, today: date, splits: Sequence[ShareAction]) -> Decimal:
    """Shares of the trade's day in shares of `today`, to six places."""
    ratio = split_ratio(splits, trade.security_id, trade.trade_date, today)
    return shares if ratio == 1 else (shares * ratio).quantize(SHARE_STEP)


def reconcile(
    before: Snapshot | None,
    newest: Snapshot,
    trades: Sequence[BookTrade],
    aliases: Mapping[str, str],
    splits: Sequence[ShareAction],
) -> Reconciled:
    """Match booked trades with the newest snapshot.

    `before` is an earlier snapshot in which each trade's `reflected_before` holds; a correction of the same date is therefore judged
    against the same `before` again.  Quantities of trades older than a split are compared in new shares.
    """
    if not trades:
        return Reconciled((), aliases, ())
    started = [replace(t, reflected=t.reflected_before) for t in sorted(trades, key=lambda t: t.trade.trade_seq)]
    today = newest.business_date
    purchases = {number: _as_today(t.trade, today, splits) for number, t in enumerate(started) if t.trade.side == "buy"}
    matching = Matching(newest, before, lot_changes(before, newest, splits), aliases, purchases)
    explained = matching.explain(_steps(started, newest, splits))
    matched = tuple(_paid_out(_reflect(trade, number, explained, newest), newest, splits) for number, trade in enumerate(started))
    traded = {(t.trade.security_id, t.sign) for t in started if _as_today(t.trade, today, splits).security_id == t.trade.security_id}
    breaks = (*_late_trades(matched, newest), *matching.unexplained(traded))
    return Reconciled(matched, matching.aliases, breaks)


def _as_today(trade: TradeBooked, today: date, splits: Sequence[ShareAction]) -> TradeBooked:
    """The trade in the security that a merger since has made of what it traded."""
    present = share_today(splits, trade.security_id, trade.trade_date, today)[0] if splits else trade.security_id
    return trade if present in (trade.security_id, None) else replace(trade, security_id=present)


def _paid_out(trade: BookTrade, newest: Snapshot, splits: Sequence[ShareAction]) -> BookTrade:
    """A trade whose shares a merger has turned into cash leaves no trace in the lots: its custodian holds it once it is due."""
    if not splits or not _is_due(trade, newest):
        return trade
    present = share_today(splits, trade.trade.security_id, trade.trade.trade_date, newest.business_date)[0]
    return trade if present is not None else replace(trade, reflected=tuple(lot.quantity for lot in trade.lots))


def may_hold(newest: Snapshot, trade: TradeBooked) -> bool:
    """Whether the snapshot, which came before our trade did, may hold it.

    The first file of a date holds what was traded before that date; a later one of the date may hold more.
    """
    made_on = _included_from(book_trade(trade, None), newest)
    return made_on < newest.business_date or (made_on == newest.business_date and newest.sequence > 1)


def lot_changes(before: Snapshot | None, newest: Snapshot, splits: Sequence[ShareAction]) -> dict[str, Decimal]:
    """By how many shares each lot changed, in shares of the newest snapshot; splits and mergers are no change."""
    changes = newest.quantities()
    if before is not None:
        for lot in before.lots.rows():
            ratio = split_ratio(splits, lot.security_id, before.business_date, newest.business_date)
            held = lot.quantity if ratio == 1 else (lot.quantity * ratio).quantize(SHARE_STEP)
            changes[lot.lot_id] = changes.get(lot.lot_id, ZERO) - held
    return changes


def _steps(trades: Sequence[BookTrade], newest: Snapshot, splits: Sequence[ShareAction]) -> list[Step]:
    """What each trade that the snapshot can hold does to each of its lots and was not reflected before."""
    steps = []
    for number, trade in enumerate(trades):
        if _included_from(trade, newest) > newest.business_date:
            continue
        for part, lot in enumerate(trade.lots):
            shares = shares_today(trade.trade, trade.lacking(part), newest.business_date, splits)
            if shares:
                steps.append(Step(number, part, lot.lot_id, trade.sign * shares, _is_due(trade, newest)))
    return steps


def _included_from(trade: BookTrade, newest: Snapshot) -> date:
    """The first business date whose snapshot can hold the trade."""
    return trade.trade.trade_date if newest.basis == "trade_date" else trade.trade.settle_date


def _is_due(trade: BookTrade, newest: Snapshot) -> bool:
    """Whether the snapshot should hold the trade: it was made, and the custodian told, on an earlier day."""
    return max(_included_from(trade, newest), trade.booked_on or date.min) < newest.business_date


def _reflect(trade: BookTrade, number: int, explained: Mapping[tuple[int, int], tuple[Decimal, Decimal]], newest: Snapshot) -> BookTrade:
    """The trade with what was explained of its steps: (shares explained, shares of the step), both as the lot feels them."""
    reflected = list(trade.reflected)
    for part, lot in enumerate(trade.lots):
        shares, whole = explained.get((number, part), (ZERO, ZERO))
        if shares and shares == whole:
            reflected[part] = lot.quantity
        elif shares:
            reflected[part] += (trade.lacking(part) * shares / whole).quantize(SHARE_STEP)
    if tuple(reflected) != trade.reflected:
        place = f"{newest.business_date.isoformat()}/{newest.sequence}"
        return replace(trade, reflected=tuple(reflected), reflected_in=place)
    return trade if any(reflected) else replace(trade, reflected_in=None)


def _late_trades(trades: Sequence[BookTrade], newest: Snapshot) -> list[Break]:
    """Trades of an earlier date that the snapshot should hold by now and does not."""
    return [
        Break("trade_not_reflected", trade.trade.security_id, lot.lot_id, lot.quantity, trade.reflected[part])
        for trade in trades
        if _is_due(trade, newest)
        for part, lot in enumerate(trade.lots)
        if trade.lacking(part)
    ]
