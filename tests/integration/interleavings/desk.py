"""Random reports of a desk on one order."""

from decimal import Decimal
from random import Random

from libs.common.ids import content_id
from libs.common.money import ZERO
from libs.common.schemas.order import ExecType, ExecutionReported, OrderPlaced
from tests.integration.interleavings.market import COLLAR
from tests.unit.orders.samples import execution

D = Decimal


def reports(rng: Random, order: OrderPlaced) -> list[ExecutionReported]:
    """All that the desk will ever say of an order, nearly in order: fills in parts, an end, late fills, busts and corrections."""
    said: list[ExecutionReported] = []
    fills: dict[str, Decimal] = {}

    def say(exec_type: ExecType, quantity: Decimal = ZERO, ref: str | None = None) -> None:
        price = None
        if quantity:
            move = COLLAR * rng.randint(-100, 100) / 100
            price = (order.reference_price * (1 + move)).quantize(D("0.0001"))
        one = execution(content_id("exec", order.cl_ord_id, len(said)), exec_type, str(quantity), str(price) if price else None, ref)
        said.append(ExecutionReported(**{name: getattr(one, name) for name in one.__struct_fields__} | {"cl_ord_id": order.cl_ord_id}))

    def fill(quantity: Decimal) -> None:
        say("fill" if sum(fills.values()) + quantity == order.order_qty else "partial_fill", quantity)
        fills[said[-1].exec_id] = quantity

    if rng.random() < 0.08:
        say("rejected")
        return said
    if rng.random() < 0.5:
        say("new")
    ended = False
    for _ in range(rng.randint(1, 4)):
        left = int(order.order_qty - sum(fills.values()))
        if left == 0:
            break
        fill(D(rng.randint(1, left)) if rng.random() < 0.6 else D(left))
        if rng.random() < 0.15:
            say("cancelled" if rng.random() < 0.7 else "expired")
            ended = True
            break
    for exec_id in list(fills):
        draw = rng.random()
        if draw < 0.07:
            say("trade_cancel", ref=exec_id)
            fills[exec_id] = D(0)
        elif draw < 0.14:
            say("trade_correct", fills[exec_id] if rng.random() < 0.5 else D(rng.randint(1, int(fills[exec_id]))), ref=exec_id)
            fills[exec_id] = said[-1].last_qty
    left = int(order.order_qty - sum(fills.values()))
    if ended and left and rng.random() < 0.5:
        fill(D(rng.randint(1, left)))
    elif left and not ended:
        say("expired")
    if len(said) > 1 and rng.random() < 0.2:
        place = rng.randrange(len(said) - 1)
        said[place], said[place + 1] = said[place + 1], said[place]
    if rng.random() < 0.3:
        said.append(rng.choice(said))
    return said
