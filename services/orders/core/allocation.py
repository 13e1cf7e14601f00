"""Shares one fill over the accounts of its order, each account's part over its lots, and prices the trades to book.

The statement that holds before the trade: every fill goes to all accounts pro rata to what each still lacks, at the fill's
own price and with fees pro rata, so that all get the same average price up to the rounding to whole shares.

Invariants
1. The parts of a fill are whole shares, sum to the fill, and none exceeds what its account still lacks.
2. Lots are used in the order of the instruction and never beyond its quantity.
3. Fees of a fill sum to the cent.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from libs.common.ids import content_id
from libs.common.money import SHARE_STEP, ZERO, cents_half_even, plain, split_largest_remainder
from libs.common.schemas.order import Allocation, BookedLot, OrderLot, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import Side
from services.orders.core.settlement import settle_date_of

TradeKind = Literal["fill", "cash_in_lieu", "bust"]
ONE_SHARE = Decimal(1)


class TradeDraft(Struct, frozen=True):
    """A trade to book, before its account's sequence number is known; otherwise as TradeBooked."""

    trade_id: str
    kind: TradeKind
    ref_trade_id: str | None
    account_id: str
    household_id: str
    run_id: str
    cl_ord_id: str
    exec_id: str
    security_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: Decimal
    amount: Decimal
    trade_date: date
    settle_date: date
    lots: list[BookedLot]

    def numbered(self, trade_seq: int) -> TradeBooked:
        """The trade with its account's sequence number."""
        return TradeBooked(trade_seq=trade_seq, **asdict(self))


class Part(Struct, frozen=True):
    """One account's part of a fill."""

    allocation: Allocation
    quantity: Decimal
    lots: list[BookedLot]


def share_fill(remaining: Sequence[Decimal], last_qty: Decimal) -> list[Decimal]:
    """Whole shares of a fill for each account, pro rata to what it still lacks, by largest remainder.

    Raises ValueError when the fill exceeds what is lacking: the caller has checked it against the order.
    """
    if last_qty > sum(remaining, ZERO):
        raise ValueError(f"a fill of {last_qty} exceeds the {sum(remaining, ZERO)} shares that remain")
    return split_largest_remainder(last_qty, remaining, ONE_SHARE)


def take_lots(lots: Sequence[OrderLot], used: Mapping[str, Decimal], quantity: Decimal) -> list[BookedLot]:
    """The next `quantity` shares of the instruction, in its order, beyond those already `used`.

    Raises ValueError when the instruction has fewer left: the caller never shares out more than the allocation.
    """
    taken, left = [], quantity
    for lot in lots:
        part = min(left, lot.quantity - used.get(lot.custodial_lot_id, ZERO))
        if part > 0:
            taken.append(BookedLot(lot.custodial_lot_id, part))
            left -= part
    if left != 0:
        raise ValueError(f"the lots lack {left} shares")
    return taken


def price_half_even(price: Decimal) -> Decimal:
    """Dollars a share to six places, ties to even, without trailing zeros."""
    return Decimal(plain(price.quantize(SHARE_STEP, rounding=ROUND_HALF_EVEN)))


def fees_of(fee_per_share: Decimal, quantity: Decimal) -> Decimal:
    """Dollars of fees on a quantity, to the cent."""
    return cents_half_even(fee_per_share * quantity)


def cash_effect(side: Side, quantity: Decimal, price: Decimal, fees: Decimal) -> Decimal:
    """Dollars in (a sale) or out (a buy, negative) after fees, to the cent."""
    gross = cents_half_even(quantity * price)
    return gross - fees if side == "sell" else -gross - fees


def draft_fill(
    order: OrderPlaced, exec_id: str, price: Decimal, trade_date: date, parts: Sequence[Part], fees: Decimal
) -> list[TradeDraft]:
    """The trades of one execution: `parts` at its price, `fees` shared pro rata to shares."""
    present = [part for part in parts if part.quantity > 0]
    shares = split_largest_remainder(fees, [part.quantity for part in present])
    return [
        draft(order, "fill", exec_id, part.allocation, part.quantity, price, share, trade_date, part.lots)
        for part, share in zip(present, shares, strict=True)
    ]


def draft_cash_in_lieu(
    order: OrderPlaced, exec_id: str, allocation: Allocation, average_price: Decimal, trade_date: date, lots: list[BookedLot]
) -> TradeDraft:
    """The fraction that leaves with a whole position, at the order's average price, free of fees."""
    price = price_half_even(average_price)
    return draft(order, "cash_in_lieu", exec_id, allocation, allocation.fraction, price, ZERO, trade_date, lots)


def draft_bust(trade: TradeDraft, exec_id: str) -> TradeDraft:
    """Takes a booked trade back whole, on its own trade date: shares to the same lots, cash and fees reversed."""
    return replace(
        trade,
        trade_id=content_id("trade", exec_id, trade.account_id, "bust", trade.trade_id),
        kind="bust",
        ref_trade_id=trade.trade_id,
        exec_id=exec_id,
        fees=-trade.fees,
        amount=-trade.amount,
    )


def draft(
    order: OrderPlaced,
    kind: TradeKind,
    exec_id: str,
    allocation: Allocation,
    quantity: Decimal,
    price: Decimal,
    fees: Decimal,
    trade_date: date,
    lots: list[BookedLot],
) -> TradeDraft:
    """A trade of one account; its id is a function of the execution, the account and the kind."""
    return TradeDraft(
        trade_id=content_id("trade", exec_id, allocation.alloc_account, kind),
        kind=kind,
        ref_trade_id=None,
        account_id=allocation.alloc_account,
        household_id=allocation.household_id,
        run_id=order.run_id,
        cl_ord_id=order.cl_ord_id,
        exec_id=exec_id,
        security_id=order.security_id,
        side=order.side,
        quantity=quantity,
        price=price,
        fees=fees,
        amount=cash_effect(order.side, quantity, price, fees),
        trade_date=trade_date,
        settle_date=settle_date_of(trade_date),
        lots=lots,
    )
