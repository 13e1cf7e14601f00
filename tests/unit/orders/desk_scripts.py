"""Orders of any shape and what a consistent desk may report on them, for the property tests."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.schemas.order import Allocation, ExecType, ExecutionReported, OrderPlaced
from libs.common.schemas.proposal import Side
from tests.unit.orders.samples import OPENED, allocation, execution, order

D = Decimal
NO_SHARES = D(0)
prices = st.decimals("90", "110", places=4)


@st.composite
def allocations(draw: st.DrawFn, account_id: str, side: Side) -> Allocation:
    """A buy of whole shares; or a sale over several lots, perhaps with a fraction at its end."""
    if side == "buy":
        return allocation(account_id, quantity=str(draw(st.integers(1, 40))))
    lots = draw(st.lists(st.integers(1, 20_000), min_size=1, max_size=4))
    whole_position = draw(st.booleans())
    milli = sum(lots) + 1000 if whole_position else (sum(lots) // 1000 + 1) * 1000
    lots[-1] += milli - sum(lots)
    return allocation(account_id, *(str(D(lot) / 1000) for lot in lots))


@st.composite
def orders(draw: st.DrawFn) -> OrderPlaced:
    side: Side = draw(st.sampled_from(["buy", "sell"]))
    count = draw(st.integers(1, 4))
    return order(*(draw(allocations(f"A{i}", side)) for i in range(count)), side=side)


@dataclass
class Desk:
    """A desk that never contradicts itself: it fills what is open, amends what it reported, ends once, fills late."""

    order_qty: Decimal
    reported: list[ExecutionReported] = field(default_factory=list)
    live: dict[str, Decimal] = field(default_factory=dict)
    newest_id: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def room(self) -> int:
        return int(self.order_qty - sum(self.live.values(), D(0)))

    def say(self, exec_type: ExecType, quantity: Decimal = NO_SHARES, price: Decimal | None = None, ref: str | None = None) -> str:
        exec_id = f"e{len(self.reported)}"
        said = execution(exec_id, exec_type, str(quantity), None if price is None else str(price), ref)
        self.reported.append(replace(said, transact_time=OPENED + timedelta(seconds=len(self.reported))))
        return exec_id

    def fill(self, quantity: int, price: Decimal) -> None:
        exec_id = self.say("fill" if quantity == self.room else "partial_fill", D(quantity), price)
        self.live[exec_id] = D(quantity)
        self.newest_id[exec_id] = exec_id

    def amend(self, root: str, quantity: Decimal, price: Decimal | None, by_newest: bool) -> None:
        ref = self.newest_id[root] if by_newest else root
        if price is None:
            self.say("trade_cancel", ref=ref)
            del self.live[root]
        else:
            self.newest_id[root] = self.say("trade_correct", quantity, price, ref)
            self.live[root] = quantity


@st.composite
def scripts(draw: st.DrawFn, order_qty: Decimal, amends: bool = True) -> Desk:
    """Up to eight reports, in the desk's own order."""
    desk = Desk(order_qty)
    desk.say("new")
    for _ in range(draw(st.integers(1, 7))):
        actions = ["fill"] * (desk.room > 0) + ["amend"] * (amends and bool(desk.live)) + ["end"] * (not desk.ended)
        match draw(st.sampled_from(actions)) if actions else None:
            case "fill":
                desk.fill(draw(st.integers(1, desk.room)), draw(prices))
            case "amend":
                root = draw(st.sampled_from(sorted(desk.live)))
                busts = draw(st.booleans())
                most = int(desk.live[root]) + desk.room
                quantity = desk.live[root] if draw(st.booleans()) else D(draw(st.integers(1, most)))
                desk.amend(root, quantity, None if busts else draw(prices), draw(st.booleans()))
            case "end":
                desk.say(draw(st.sampled_from(["cancelled", "expired"])))
                desk.ended = True
    return desk


@st.composite
def stories(draw: st.DrawFn, amends: bool = True) -> tuple[OrderPlaced, Desk]:
    placed = draw(orders())
    return placed, draw(scripts(placed.order_qty, amends))
