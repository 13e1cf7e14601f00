"""The invariants of services/orders/core/blocks.py, and one block in full."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.ids import content_id
from libs.common.schemas.account import Lot
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import OrderLot, OrderPlaced
from services.orders.core.blocks import Approved, build_blocks, shares_of
from tests.unit.orders.samples import AS_OF, OPENED, RUN, buy, proposal, sell

D = Decimal


def approved(account_id: str, *trades: object) -> Approved:
    asked = replace(proposal(*trades, proposal_id=f"p-{account_id}"), account_id=account_id)  # type: ignore[arg-type]
    lots = {
        lot.lot_id: Lot(lot.lot_id, trade.security_id, D(100), D("1234.5678"), date(2024, 5, 6), lot.lot_id.startswith("P-"))
        for trade in asked.trades
        for lot in trade.lots
    }
    return Approved(asked, lots)


def built(run: RunOpened, items: list[Approved]) -> list[OrderPlaced]:
    return build_blocks(run, [share for item in items for share in shares_of(run.run_id, item)], AS_OF, OPENED)


@st.composite
def accepted(draw: st.DrawFn) -> list[Approved]:
    """Proposals of up to six accounts over three names."""
    found = []
    for i in range(draw(st.integers(1, 6))):
        trades = []
        for security in draw(st.sets(st.sampled_from(["AAA", "BBB", "CCC"]), min_size=1)):
            if draw(st.booleans()):
                trades.append(buy(security, str(draw(st.integers(1, 50))), "10"))
            else:
                trades.append(sell(security, "10", x=str(D(draw(st.integers(1000, 50_000))) / 1000)))
        found.append(approved(f"A{i}", *trades))
    return found


@given(accepted(), st.randoms(use_true_random=False))
def test_blocks_sum_and_do_not_depend_on_the_order_of_proposals(items: list[Approved], random: object) -> None:
    orders = built(RUN, items)
    for order in orders:
        assert order.order_qty == sum(allocation.alloc_qty for allocation in order.allocations)
        for given_ in order.allocations:
            asked = next(item for item in items if item.proposal.account_id == given_.alloc_account)
            trade = next(trade for trade in asked.proposal.trades if trade.security_id == order.security_id)
            assert given_.alloc_qty + given_.fraction == trade.quantity and given_.alloc_qty == int(trade.quantity)
            assert [(lot.custodial_lot_id, lot.quantity) for lot in given_.lots] == [(lot.lot_id, lot.quantity) for lot in trade.lots]
    assert sum(len(order.allocations) for order in orders) == sum(len(item.proposal.trades) for item in items)
    assert len({order.cl_ord_id for order in orders}) == len(orders)
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert built(RUN, shuffled) == orders


def test_one_block() -> None:
    items = [approved("A1", sell("AAA", "100", a1="3", P_1="2.5")), approved("A2", sell("AAA", "100", z="4"), buy("BBB", "1", "50"))]
    sale, purchase = built(RUN, items)
    assert (purchase.side, purchase.security_id, purchase.allocations[0].lots) == ("buy", "BBB", [])
    assert (sale.cl_ord_id, sale.order_qty, sale.reference_price) == (content_id("order", "R1", "AAA", "sell"), D(9), D(100))
    by_account = {a.alloc_account: a for a in sale.allocations}
    assert (by_account["A1"].alloc_qty, by_account["A1"].fraction) == (D(5), D("0.5"))
    assert by_account["A1"].lots == [
        OrderLot("a1", D(3), None, None),
        OrderLot("P-1", D("2.5"), date(2024, 5, 6), D("12.345678")),
    ]


def test_no_account_always_comes_first() -> None:
    """The place among the allocations breaks ties; over many orders each of two accounts leads in about half."""
    firsts = [
        built(replace(RUN, run_id=f"R{i}"), [approved("A1", buy("AAA", "1", "9")), approved("A2", buy("AAA", "1", "9"))])[0]
        for i in range(200)
    ]
    led = sum(order.allocations[0].alloc_account == "A1" for order in firsts)
    assert 70 < led < 130
