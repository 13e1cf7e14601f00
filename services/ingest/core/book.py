"""The account book: the custodian's newest snapshot plus the trades we booked that it does not reflect yet.

Invariants
1. File before the fill, after it, half reflected, corrected after it: the same final book (decision 3).
2. `version` rises exactly when the published content changes; a new business date alone is freshness.
3. Trades apply in the order of their sequence numbers, each once, whatever the order in which they come.
4. A snapshot older than the newest one changes nothing.
5. After a restore a book says nothing before it holds again what it held when it last said something, or more; then only what differs.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from libs.common.errors import CannotApply
from libs.common.ids import bytes_id
from libs.common.money import ZERO, cents_half_even, plain
from libs.common.schemas.account import AccountChanged, AccountState, Break, Lot, LotColumns, TransitionPlan
from libs.common.schemas.order import TradeBooked
from services.ingest.core.intake import AccountIntake, said_if_set
from services.ingest.core.plans import following, own_wishes
from services.ingest.core.reconcile import BookTrade, book_trade, may_hold, reconcile, shares_today
from services.ingest.core.share_actions import ShareAction, share_today
from services.ingest.core.snapshot import Snapshot, lot_at, lot_columns, with_lots

KEEP_REFLECTED_DAYS = 14
FIRST_DAY = date(1, 1, 1)


class SaidBefore(Struct, frozen=True):
    """What a book restored from a backup had gone on to say: the place that it must reach again before it says anything more."""

    business_date: date
    trade_seq: int


class AccountBook(Struct, frozen=True):
    """Everything ingest knows of one account.

    `newest` is the snapshot the book stands on; `before` the newest one of an earlier business date or, while there is none, the
    account's first.  `waiting` are trades whose predecessors have not come yet.  `digest` is of the content last published under
    `version`.  `said_before` is there while the book, after a restore, lacks a file or trades that it had then.  `plan`: see plans.py.
    """

    intake: AccountIntake
    newest: Snapshot | None = None
    before: Snapshot | None = None
    trades: tuple[BookTrade, ...] = ()
    waiting: tuple[TradeBooked, ...] = ()
    trade_seq: int = 0
    aliases: dict[str, str] = {}
    breaks: tuple[Break, ...] = ()
    quarantine: str | None = None
    version: int = 0
    digest: str = ""
    said_before: SaidBefore | None = None
    plan: TransitionPlan | None = None


def apply_snapshot(book: AccountBook, snapshot: Snapshot, splits: Sequence[ShareAction]) -> AccountBook:
    """Stand the book on a newer snapshot; an older one, or the same again, leaves it as it is.  Lifts a quarantine.

    What can't be trusted quarantines instead: another custodian's, or other holdings under a date and sequence that came before.
    """
    if snapshot.custodian != book.intake.custodian:
        return quarantine(book, f"{snapshot.custodian} sent holdings, the account master says {book.intake.custodian}")
    if book.newest is not None and snapshot.order <= book.newest.order:
        if snapshot.order == book.newest.order and snapshot != book.newest:
            place = f"{snapshot.business_date}, sequence {snapshot.sequence}"
            return quarantine(book, f"{place} came before with other holdings: a correction has the next sequence")
        return book
    corrects = book.newest is not None and snapshot.business_date == book.newest.business_date and book.before is not None
    before = book.before if corrects else book.newest
    trades = book.trades if corrects else tuple(replace(t, reflected_before=t.reflected) for t in book.trades)
    found = reconcile(before, snapshot, trades, book.aliases, splits)
    kept = tuple(t for t in found.trades if not _settled_long_ago(t, snapshot.business_date))
    return replace(
        book,
        newest=snapshot,
        before=before,
        trades=kept,
        aliases=dict(found.aliases),
        breaks=found.breaks,
        quarantine=None,
    )


def _settled_long_ago(trade: BookTrade, today: date) -> bool:
    done = not any(trade.lacking(part) for part in range(len(trade.lots)))
    return done and trade.reflected == trade.reflected_before and today - trade.trade.settle_date > timedelta(days=KEEP_REFLECTED_DAYS)


def quarantine(book: AccountBook, reason: str) -> AccountBook:
    """The day's holdings can't be trusted: keep the last good book, and do not trade until a good snapshot comes."""
    return replace(book, quarantine=reason)


def apply_trade(book: AccountBook, trade: TradeBooked, splits: Sequence[ShareAction] = ()) -> AccountBook:
    """Put a booked trade on top of the snapshot; repeated ones are ignored, early ones wait for their predecessors.

    One that comes after a file that may hold it is looked for there, so that it does not count twice.
    """
    if trade.trade_seq <= book.trade_seq or any(t.trade_seq == trade.trade_seq for t in book.waiting):
        return book
    queue = sorted((*book.waiting, trade), key=lambda t: t.trade_seq)
    while queue and queue[0].trade_seq == book.trade_seq + 1:
        book = _find_late(_apply_next(book, queue.pop(0)), splits)
    return replace(book, waiting=tuple(queue))


def comes_late(book: AccountBook, trade: TradeBooked) -> bool:
    """Whether this trade, or one that waits for it, may be in the file on which the book stands."""
    return book.newest is not None and any(may_hold(book.newest, one) for one in (*book.waiting, trade))


def _find_late(book: AccountBook, splits: Sequence[ShareAction]) -> AccountBook:
    """The book with its last trade found in the file that came before it, where that file shows it.

    A trade that comes after two files that hold it leaves no trace between them; it stays on top, and the next file makes it a break.
    A trade of the file's own day is found only whole: a corrected file may as well say something else of the lot that is then sold.
    """
    newest, before = book.newest, book.before
    if newest is None or before is None or not may_hold(newest, book.trades[-1].trade):
        return book
    found = reconcile(before, newest, book.trades, book.aliases, splits)
    last = found.trades[-1]
    if last.trade.trade_date == newest.business_date and any(last.lacking(part) for part in range(len(last.lots))):
        return book
    return replace(book, trades=found.trades, aliases=dict(found.aliases), breaks=found.breaks)


def _apply_next(book: AccountBook, trade: TradeBooked) -> AccountBook:
    if trade.kind == "bust":
        known = [(t.trade.trade_id, t.trade.ref_trade_id) for t in book.trades]
        if not any(trade_id == trade.ref_trade_id for trade_id, _ in known):
            raise CannotApply(f"bust {trade.trade_id} of {trade.ref_trade_id}: that trade is not in the book of {trade.account_id}")
        if any(taken_back == trade.ref_trade_id for _, taken_back in known):
            raise CannotApply(f"bust {trade.trade_id} of {trade.ref_trade_id}: it was taken back before")
    stands_on = book.newest.business_date if book.newest else None
    return replace(book, trades=(*book.trades, book_trade(trade, stands_on)), trade_seq=trade.trade_seq)


def lots_of(book: AccountBook, splits: Sequence[ShareAction]) -> LotColumns:
    """The lots held now: the snapshot's, less the sales and plus the purchases that it lacks; only lots so touched are converted.

    Raises CannotApply where a lot would go below zero.
    """
    if book.newest is None:
        return lot_columns(iter(()))
    columns, lots = book.newest.lots, dict[str, Lot]()
    row_of = {lot_id: row for row, lot_id in enumerate(columns.lot_id)} if book.trades else {}
    for trade in book.trades:
        for part, touched in enumerate(trade.lots):
            lacking = shares_today(trade.trade, trade.lacking(part), book.newest.business_date, splits)
            if not lacking:
                continue
            lot_id = book.aliases.get(touched.lot_id, touched.lot_id)
            if lot_id not in lots and lot_id in row_of:
                lots[lot_id] = lot_at(columns, row_of[lot_id])
            elif lot_id not in lots:
                present = share_today(splits, trade.trade.security_id, trade.trade.trade_date, book.newest.business_date)[0]
                lots[lot_id] = _empty_lot(book, lot_id, trade, present or trade.trade.security_id)
            lots[lot_id] = _after_trade(lots[lot_id], trade, trade.sign * lacking)
    for lot in lots.values():
        if lot.quantity < 0:
            raise CannotApply(f"account {book.intake.account_id}, lot {lot.lot_id}: trades not yet reflected leave {lot.quantity} shares")
    return with_lots(columns, lots)


def _empty_lot(book: AccountBook, lot_id: str, trade: BookTrade, security_id: str) -> Lot:
    """A lot that the snapshot does not hold: ours by a purchase, or one that a bust brings back, its basis unknown until the next file."""
    if trade.trade.side == "buy":
        return Lot(lot_id, security_id, ZERO, ZERO, trade.trade.trade_date, provisional=True)
    known = {lot.lot_id: lot for lot in book.before.lots.rows()} if book.before is not None else {}
    acquired = known[lot_id].acquired if lot_id in known else None
    return Lot(lot_id, security_id, ZERO, None, acquired)


def _after_trade(lot: Lot, trade: BookTrade, change: Decimal) -> Lot:
    """A lot after a trade, or a part of one, that changes it by so many shares.

    A purchase (or its bust) brings its own cost; a sale takes basis in proportion, to the cent, and its bust gives it back.
    """
    basis = lot.cost_basis
    if basis is not None and trade.trade.side == "buy":
        basis -= _cash_lacking(trade)
    elif basis is not None:
        basis = cents_half_even(basis * (lot.quantity + change) / lot.quantity) if lot.quantity else None
    return replace(lot, quantity=lot.quantity + change, cost_basis=basis)


def _cash_lacking(trade: BookTrade) -> Decimal:
    """Dollars of a trade that the snapshot lacks: its amount less the part, in proportion to shares, that the snapshot holds."""
    reflected = sum(trade.reflected, ZERO)
    return trade.trade.amount - cents_half_even(trade.trade.amount * reflected / trade.trade.quantity)


def cash_of(book: AccountBook) -> tuple[Decimal, Decimal]:
    """Settled and unsettled cash in dollars.  What the snapshot lacks: purchases leave settled cash at once, proceeds are unsettled."""
    if book.newest is None:
        return ZERO, ZERO
    settled, unsettled = book.newest.cash_settled, book.newest.cash_unsettled
    for trade in book.trades:
        amount = _cash_lacking(trade)
        if amount < 0:
            settled += amount
        else:
            unsettled += amount
    return settled, unsettled


def publishable(book: AccountBook, splits: Sequence[ShareAction]) -> tuple[AccountBook, AccountChanged | None]:
    """The book under its right version, and the event to publish if its content changed (None if not, or if nothing is held yet).

    Raises CannotApply where the trades do not fit the snapshot.
    """
    if book.newest is None or (book.said_before is not None and _lacks(book, book.newest, book.said_before)):
        return book, None
    content = _content(book, book.newest, splits)
    digest = digest_of(content)
    if digest == book.digest:
        return replace(book, said_before=None), None
    if book.said_before == SaidBefore(book.newest.business_date, book.trade_seq):
        return book, None  # the same place, other content: a correction, or a bad line, of that day is still to come again
    said = replace(content, version=book.version + 1)
    return replace(book, version=said.version, digest=digest, said_before=None), said


def digest_of(content: AccountChanged) -> str:
    """What two versions of an account have in common exactly when one need not be said after the other."""
    return bytes_id(msgspec.json.encode(replace(content, version=0, business_date=FIRST_DAY)))


def _lacks(book: AccountBook, newest: Snapshot, said: SaidBefore) -> bool:
    return newest.business_date < said.business_date or book.trade_seq < said.trade_seq


def adopt_said(book: AccountBook | None, said: AccountChanged) -> AccountBook | None:
    """The book once it stands behind a version that it said before the database was restored; None where that is not news.

    The master record is the one that was said.  Files and trades come again by themselves.
    """
    if book is not None and book.version >= said.version:
        return None
    record = {name: getattr(said, name) for name in AccountIntake.__struct_fields__} | {"wishes": own_wishes(said)}
    place = SaidBefore(said.business_date, said.trade_seq)
    held, intake = book or AccountBook(AccountIntake(**record)), AccountIntake(**record)
    return replace(held, intake=intake, version=said.version, digest=digest_of(said), said_before=place, plan=said.transition)


def why_unusable(book: AccountBook) -> str | None:
    """Why runs leave the account out, if they do: the day's file can't be trusted, or the book lacks what it had before a restore."""
    if book.quarantine is None and book.said_before is not None:
        lacked = f"the file of {book.said_before.business_date}, trades up to number {book.said_before.trade_seq}"
        return f"restored from a backup: the book does not hold again what it held ({lacked})"
    return book.quarantine


def _content(book: AccountBook, newest: Snapshot, splits: Sequence[ShareAction]) -> AccountChanged:
    intake = book.intake
    settled, unsettled = cash_of(book)
    lots = lots_of(book, splits)
    held = set(lots.lot_id) if book.aliases else ()
    state: AccountState = "quarantined" if book.quarantine else "open"
    content = AccountChanged(
        account_id=intake.account_id,
        household_id=intake.household_id,
        taxpayer_id=intake.taxpayer_id,
        custodian=intake.custodian,
        account_type=intake.account_type,
        version=book.version,
        business_date=newest.business_date,
        trade_seq=book.trade_seq,
        state=state,
        state_reason=book.quarantine,
        strategy_id=intake.strategy_id,
        approval=intake.approval,
        do_not_trade=intake.do_not_trade,
        rates=intake.rates,
        budgets=intake.budgets,
        risk_aversion=intake.risk_aversion,
        cash_min_frac=intake.cash_min_frac,
        cash_max_frac=intake.cash_max_frac,
        min_trade=intake.min_trade,
        cash_settled=Decimal(plain(settled)),
        cash_unsettled=Decimal(plain(unsettled)),
        cash_flows=intake.cash_flows,
        wishes=intake.wishes,
        tax_opening=intake.tax_opening,
        past_sales=intake.past_sales,
        lots=lots,
        aliases={ours: theirs for ours, theirs in sorted(book.aliases.items()) if theirs in held},
        breaks=list(book.breaks),
        **said_if_set(intake),
    )
    return following(content, book.plan)
