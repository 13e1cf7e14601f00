"""What the simulated desk does with an order: a function of the order alone.

Invariants
1. The same order always gets the same executions with the same ids.
2. Shares filled never exceed the order; cum_qty and leaves_qty are right after each execution.
3. Every price is within the order's collar around its reference price.
4. Every execution is on the order's trade date in New York.
"""

import hashlib
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from msgspec import Struct

from libs.common.clock import NEW_YORK
from libs.common.ids import content_id
from libs.common.schemas.order import ExecType, ExecutionReported, OrderPlaced

BPS = 10_000
PRICE_STEP = Decimal("0.0001")
OPEN_NEW_YORK = time(9, 31)
TRADING_MINUTES = 300
FEWEST_FOR_PARTS = 2


class Behaviour(StrEnum):
    """What becomes of an order at the simulated desk."""

    WHOLE = "whole"
    PARTS = "parts"
    PART_THEN_EXPIRED = "part_then_expired"
    LATE_AFTER_CANCEL = "late_after_cancel"
    BUSTED = "busted"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    RESTING = "resting"


class Proportions(Struct, frozen=True):
    """How many orders in ten thousand get each behaviour (the rest fill whole), and the widest price move in basis points."""

    rejected: int = 250
    parts: int = 2_500
    part_then_expired: int = 200
    late_after_cancel: int = 150
    corrected: int = 0
    busted: int = 0
    resting: int = 0
    price_move_bps: int = 10

    def shares(self) -> dict[Behaviour, int]:
        """Orders in ten thousand by behaviour."""
        return {behaviour: getattr(self, behaviour) for behaviour in Behaviour if behaviour is not Behaviour.WHOLE}


class Lifted(Struct, frozen=True):
    """One execution before it is numbered."""

    exec_type: ExecType
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    refers_back: int | None = None
    text: str | None = None


def draw(cl_ord_id: str, what: str, below: int) -> int:
    """A whole number in [0, below) that depends on the order's id and on what it decides."""
    return int.from_bytes(hashlib.sha256(f"{cl_ord_id}:{what}".encode()).digest()[:8], "big") % below


def behaviour_of(order: OrderPlaced, proportions: Proportions) -> Behaviour:
    """What becomes of the order; one share can't come in parts, so such an order fills whole."""
    number, reached = draw(order.cl_ord_id, "behaviour", BPS), 0
    for behaviour, share in proportions.shares().items():
        reached += share
        if number < reached:
            needs_parts = behaviour in (Behaviour.PARTS, Behaviour.PART_THEN_EXPIRED, Behaviour.LATE_AFTER_CANCEL)
            return Behaviour.WHOLE if needs_parts and order.order_qty < FEWEST_FOR_PARTS else behaviour
    return Behaviour.WHOLE


def price_of(order: OrderPlaced, what: str, proportions: Proportions) -> Decimal:
    """A price near the reference: at most the smaller of the collar and the widest move away, rounded toward the reference."""
    widest = min(proportions.price_move_bps, order.price_collar_bps)
    moved_bps = draw(order.cl_ord_id, f"price {what}", 2 * widest + 1) - widest
    move = (order.reference_price * moved_bps / BPS).quantize(PRICE_STEP, rounding=ROUND_DOWN)
    return order.reference_price + move


def parts_of(order: OrderPlaced) -> list[Decimal]:
    """The order's quantity in two or three whole parts."""
    shares = int(order.order_qty)
    first = 1 + draw(order.cl_ord_id, "first part", shares - 1)
    rest = shares - first
    if rest >= FEWEST_FOR_PARTS and draw(order.cl_ord_id, "parts", 2):
        second = 1 + draw(order.cl_ord_id, "second part", rest - 1)
        return [Decimal(first), Decimal(second), Decimal(rest - second)]
    return [Decimal(first), Decimal(rest)]


def in_parts(order: OrderPlaced, behaviour: Behaviour, proportions: Proportions) -> list[Lifted]:
    """Partial fills that complete the order, or that the day's end or the desk's own cancel cuts short."""
    fills = [Lifted("partial_fill", quantity, price_of(order, str(i), proportions)) for i, quantity in enumerate(parts_of(order))]
    if behaviour is Behaviour.PARTS:
        return [*fills[:-1], Lifted("fill", fills[-1].quantity, fills[-1].price)]
    if behaviour is Behaviour.PART_THEN_EXPIRED:
        return [*fills[:-1], Lifted("expired", text="simulated: the day ended")]
    return [fills[0], Lifted("cancelled", text="simulated: cancelled by the desk"), fills[1]]


def lifted(order: OrderPlaced, proportions: Proportions) -> list[Lifted]:
    """What the desk reports, in its own order, after the acknowledgement."""
    whole, again = (Lifted("fill", order.order_qty, price_of(order, what, proportions)) for what in ("whole", "again"))
    match behaviour_of(order, proportions):
        case Behaviour.REJECTED:
            return [Lifted("rejected", text="simulated: the venue rejects the order")]
        case Behaviour.RESTING:
            return []
        case Behaviour.BUSTED:
            return [whole, Lifted("trade_cancel", refers_back=1), again]
        case Behaviour.CORRECTED:
            return [whole, Lifted("trade_correct", again.quantity, again.price, refers_back=1)]
        case Behaviour.WHOLE:
            return [whole]
        case behaviour:
            return in_parts(order, behaviour, proportions)


def decide(order: OrderPlaced, proportions: Proportions) -> list[ExecutionReported]:
    """Every execution that the desk will ever report on the order by itself, in its own order."""
    reports = [Lifted("new"), *lifted(order, proportions)]
    rejected = any(report.exec_type == "rejected" for report in reports)
    return number_reports(order, reports[1:] if rejected else reports)


def number_reports(order: OrderPlaced, reports: list[Lifted]) -> list[ExecutionReported]:
    """Give each report its id, its time and the running quantities."""
    first_minute = draw(order.cl_ord_id, "minute", TRADING_MINUTES)
    opened = datetime.combine(order.trade_date, OPEN_NEW_YORK, NEW_YORK).astimezone(UTC)
    numbered: list[ExecutionReported] = []
    filled, ended = Decimal(0), False
    for n, report in enumerate(reports):
        if report.exec_type in ("partial_fill", "fill"):
            filled += report.quantity
        elif report.exec_type == "trade_cancel":
            filled -= order.order_qty
        ended = ended or report.exec_type in ("cancelled", "rejected", "expired")
        numbered.append(
            ExecutionReported(
                exec_id=content_id("exec", order.cl_ord_id, n),
                cl_ord_id=order.cl_ord_id,
                exec_type=report.exec_type,
                last_qty=report.quantity,
                last_px=report.price,
                cum_qty=filled,
                leaves_qty=Decimal(0) if ended else order.order_qty - filled,
                transact_time=opened + timedelta(minutes=first_minute + n),
                trade_date=order.trade_date,
                exec_ref_id=None if report.refers_back is None else numbered[n - report.refers_back].exec_id,
                text=report.text,
            )
        )
    return numbered


def decide_cancel(order: OrderPlaced, proportions: Proportions, reason: str) -> list[ExecutionReported]:
    """The answer to a request to cancel: only an order that rests is still open; the others have ended by then."""
    if behaviour_of(order, proportions) is not Behaviour.RESTING:
        return []
    return number_reports(order, [Lifted("new"), Lifted("cancelled", text=reason)])[1:]
