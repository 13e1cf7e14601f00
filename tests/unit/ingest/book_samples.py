"""One account's book for the tests: short ways to write a snapshot, a trade and a bust, and a custodian that books at its own pace."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.account import Lot, TaxRates
from libs.common.schemas.market import CorporateAction
from libs.common.schemas.order import BookedLot, TradeBooked
from services.ingest.core.book import AccountBook, apply_snapshot, apply_trade, cash_of, lots_of
from services.ingest.core.intake import AccountIntake
from services.ingest.core.share_actions import ShareAction
from services.ingest.core.snapshot import Basis, Snapshot, lot_columns

D = Decimal
DAY_0 = date(2025, 12, 15)
OLD = date(2024, 5, 31)
SETTLES_AFTER = timedelta(days=1)


def day(number: int) -> date:
    """Business date `number` days after the first file."""
    return DAY_0 + timedelta(days=number)


def intake(account_id: str = "A1", household_id: str = "H1", custodian: str = "north") -> AccountIntake:
    return AccountIntake(account_id, household_id, "T1", custodian, "taxable", "us500", TaxRates(D("0.408"), D("0.238")))


def lot(lot_id: str, quantity: str | Decimal, basis: str | None = "1000", acquired: date | None = OLD, security_id: str = "AAA") -> Lot:
    return Lot(lot_id, security_id, D(quantity), None if basis is None else D(basis), acquired)


def snapshot(
    on: date, *lots: Lot, sequence: int = 1, cash: str | Decimal = "10000", unsettled: str = "0", basis: Basis = "trade_date"
) -> Snapshot:
    return Snapshot("north", "A1", on, sequence, basis, D(cash), D(unsettled), lot_columns(iter(lots)))


def trade(
    seq: int,
    side: str,
    quantity: str | Decimal,
    on: date,
    lots: Iterable[tuple[str, str | Decimal]] = (),
    price: str | Decimal = "10",
    security_id: str = "AAA",
) -> TradeBooked:
    """A booked trade with the id `t<seq>`; a sale names its lots."""
    gross = cents_half_even(D(quantity) * D(price))
    return TradeBooked(
        trade_id=f"t{seq}",
        trade_seq=seq,
        kind="fill",
        ref_trade_id=None,
        account_id="A1",
        household_id="H1",
        run_id="R",
        cl_ord_id="O",
        exec_id=f"e{seq}",
        security_id=security_id,
        side="buy" if side == "buy" else "sell",
        quantity=D(quantity),
        price=D(price),
        fees=ZERO,
        amount=-gross if side == "buy" else gross,
        trade_date=on,
        settle_date=on + SETTLES_AFTER,
        lots=[BookedLot(lot_id, D(shares)) for lot_id, shares in lots],
    )


def buy(seq: int, quantity: str | Decimal, on: date, price: str | Decimal = "10", security_id: str = "AAA") -> TradeBooked:
    return trade(seq, "buy", quantity, on, (), price, security_id)


def sell(seq: int, lot_id: str, quantity: str | Decimal, on: date, price: str | Decimal = "10", security_id: str = "AAA") -> TradeBooked:
    return trade(seq, "sell", quantity, on, [(lot_id, quantity)], price, security_id)


def bust(seq: int, of: TradeBooked) -> TradeBooked:
    """Takes `of` back whole, on its own trade date, as orders books it."""
    return TradeBooked(
        trade_id=f"t{seq}",
        trade_seq=seq,
        kind="bust",
        ref_trade_id=of.trade_id,
        account_id=of.account_id,
        household_id=of.household_id,
        run_id=of.run_id,
        cl_ord_id=of.cl_ord_id,
        exec_id=f"e{seq}",
        security_id=of.security_id,
        side=of.side,
        quantity=of.quantity,
        price=of.price,
        fees=-of.fees,
        amount=-of.amount,
        trade_date=of.trade_date,
        settle_date=of.settle_date,
        lots=of.lots,
    )


def split(security_id: str, ex_date: date, ratio: str) -> CorporateAction:
    return CorporateAction(security_id, ex_date, "split", D(ratio))


def book_after(*events: Snapshot | TradeBooked, splits: Iterable[ShareAction] = ()) -> AccountBook:
    """The book after files and trades in the given order."""
    known = list(splits)
    book = AccountBook(intake())
    for event in events:
        book = apply_snapshot(book, event, known) if isinstance(event, Snapshot) else apply_trade(book, event)
    return book


def shares(book: AccountBook, *splits: ShareAction) -> dict[str, Decimal]:
    """Shares by lot id as the book has them now."""
    return {lot.lot_id: lot.quantity for lot in lots_of(book, splits).rows()}


def cash(book: AccountBook) -> Decimal:
    """Settled and unsettled cash together: which of the two is the custodian's to say."""
    return sum(cash_of(book), ZERO)


@dataclass
class PacedCustodian:
    """A custodian that books events in their order, up to a point of our choosing, perhaps a part of the next one.

    All purchases of a security and day are one lot, `C-<security>-<date>`; `named` maps the lots that sales name to its own.
    """

    opening: Snapshot
    events: list[TradeBooked] = field(default_factory=list)
    splits: list[CorporateAction] = field(default_factory=list)

    def lot_of(self, event: TradeBooked) -> str:
        return f"C-{event.security_id}-{event.trade_date.isoformat()}"

    def named(self, lot_id: str) -> str:
        """The custodian's id of a lot that a trade of ours names."""
        bought = {f"P-{event.trade_id}": self.lot_of(event) for event in self.events if event.kind == "fill" and event.side == "buy"}
        return bought.get(lot_id, lot_id)

    def snapshot(self, on: date, sequence: int, whole: int, part_of_next: Decimal = ZERO) -> Snapshot:
        """Its file with the first `whole` events, `part_of_next` shares of the one after them, and every split up to the date."""
        lots = {one.lot_id: one for one in self.opening.lots.rows()}
        total = self.opening.cash_settled
        first_day = self.opening.business_date
        for number, event in enumerate(self.events[: whole + 1]):
            quantity = event.quantity if number < whole else part_of_next
            if not quantity:
                continue
            total += cents_half_even(event.amount * quantity / event.quantity)
            for lot_id, change in self._moves(event, quantity):
                held = lots.get(lot_id) or Lot(lot_id, event.security_id, ZERO, None, event.trade_date)
                since = self._ratio(event.security_id, event.trade_date, on)
                base = self._ratio(event.security_id, first_day, on)
                lots[lot_id] = Lot(lot_id, held.security_id, held.quantity + change * since / base, held.cost_basis, held.acquired)
        held_now = [
            Lot(one.lot_id, one.security_id, one.quantity * self._ratio(one.security_id, first_day, on), one.cost_basis, one.acquired)
            for one in lots.values()
            if one.quantity
        ]
        return snapshot(on, *held_now, sequence=sequence, cash=total)

    def _moves(self, event: TradeBooked, quantity: Decimal) -> list[tuple[str, Decimal]]:
        """What so many shares of an event do to the lots; a sale empties its lots in their order."""
        back = -1 if event.kind == "bust" else 1
        if event.side == "buy":
            return [(self.lot_of(event), back * quantity)]
        moves = []
        for booked in event.lots:
            taken = min(booked.quantity, quantity)
            quantity -= taken
            moves.append((self.named(booked.lot_id), -back * taken))
        return moves

    def _ratio(self, security_id: str, after: date, until: date) -> Decimal:
        ratio = D(1)
        for one in self.splits:
            if one.security_id == security_id and after < one.ex_date <= until:
                ratio *= one.ratio
        return ratio
