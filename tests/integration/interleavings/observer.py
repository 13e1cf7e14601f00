"""Every placed order and every booked trade of a history against the rules, in the order in which the database took them.

Written from docs/orders.md and the design alone; it shares no code with the service.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from libs.common.schemas.order import Allocation, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from tests.integration.interleavings.book import Position, position, realised_loss, standing
from tests.integration.interleavings.history import Barrier, History
from tests.integration.interleavings.household import OPENING, OPENING_CASH, Account
from tests.integration.interleavings.market import COLLAR, GROUP_OF, HALF_SPREAD_BPS, blocked_in, price_in
from tests.integration.interleavings.stage import Observed

D = Decimal
CENT = D("0.01")


@dataclass
class Open:
    """An order at the desk, and what of it each account was booked, by lot (a buy's shares under the empty name)."""

    order: OrderPlaced
    booked: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass
class Observer:
    """Walks through the log of one history.

    `called_back` are the orders that the desk was or will be asked to cancel; `late` by (execution, account) the shares that it moved
    after its order had ended, and the orders that had been placed since.
    """

    history: History
    called_back: set[str]
    positions: dict[str, Position] = field(default_factory=dict)
    booked: dict[str, list[TradeBooked]] = field(default_factory=lambda: defaultdict(list))
    open: dict[str, Open] = field(default_factory=dict)
    known: dict[str, Open] = field(default_factory=dict)
    placed_at: dict[str, int] = field(default_factory=dict)
    ended_at: dict[str, int] = field(default_factory=dict)
    closes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    switch_on: bool = False
    late: dict[tuple[str, str], tuple[Decimal, set[str]]] = field(default_factory=dict)

    def walk(self, log: Sequence[Observed]) -> None:
        """Raises AssertionError at the first thing that must not be."""
        history, ear = self.history, self.history.stage.ear
        for account in history.accounts:
            self.positions[account.account_id] = position(OPENING, OPENING_CASH, [])
        closing: dict[int, list[OrderPlaced]] = {}
        for one in log:
            match one.what:
                case "switch":
                    self.switch_on = one.id == "true"
                case "placed" if ear.placed[one.id].run_id in history.runs:
                    order = ear.placed[one.id]
                    assert not self.switch_on, f"{order.cl_ord_id} left while the kill switch was on"
                    assert one.id not in self.placed_at, "an order is placed once"
                    self.placed_at[one.id] = one.n
                    self.closes[order.run_id].add(one.xact)
                    self.open[one.id] = self.known[one.id] = Open(order)
                    closing.setdefault(one.xact, []).append(order)
                    self.check_block(order, self.barrier_before(one.n))
                    self.check_exclusive(order)
                case "ended" if one.id in self.known:
                    self.ended_at[one.id] = one.n
                    self.open.pop(one.id, None)
                case "booked" if (trade := ear.trades[one.id]).run_id in history.runs:
                    self.book(trade, one.n)
        for orders in closing.values():
            self.check_cash(orders)
        self.check_end()

    def barrier_before(self, n: int) -> Barrier | None:
        """The last barrier that everything observed as number `n` came after."""
        return next((barrier for barrier in reversed(self.history.barriers) if barrier.n < n), None)

    def account(self, account_id: str) -> Account:
        return next(one for one in self.history.accounts if one.account_id == account_id)

    def check_block(self, order: OrderPlaced, barrier: Barrier | None) -> None:
        """The block is the sum of its allocations, each of them a proposal's trade as it was proposed."""
        assert order.order_qty == sum(one.alloc_qty for one in order.allocations) > 0
        assert len({one.alloc_account for one in order.allocations}) == len(order.allocations)
        assert len({(other.order.run_id, other.order.security_id, other.order.side) for other in self.known.values()}) == len(self.known)
        for allocation in order.allocations:
            proposal = self.history.proposals[allocation.proposal_id]
            (trade,) = [one for one in proposal.trades if (one.security_id, one.side) == (order.security_id, order.side)]
            assert (proposal.account_id, proposal.run_id) == (allocation.alloc_account, order.run_id)
            assert allocation.alloc_qty == int(allocation.alloc_qty)
            assert allocation.alloc_qty + allocation.fraction == trade.quantity
            assert [(lot.custodial_lot_id, lot.quantity) for lot in allocation.lots] == [(lot.lot_id, lot.quantity) for lot in trade.lots]
            self.check_inputs(order, proposal, barrier)
            self.check_trade(order, allocation, proposal, trade)

    def check_inputs(self, order: OrderPlaced, proposal: ProposalCreated, barrier: Barrier | None) -> None:
        """Nothing newer was known than what is pinned, and what is pinned allows the trade."""
        account, pins, name = self.account(proposal.account_id), proposal.pins, order.security_id
        if barrier is not None:
            assert pins.account_version >= barrier.accounts[account.account_id], f"{name}: the account had moved on"
            assert pins.screen_version >= barrier.screens[account.account_id], f"{name}: the screen had moved on"
            assert pins.ledger_version >= barrier.ledgers[account.household_id], f"{name}: the ledger had moved on"
            self.check_market(order, barrier)
        version = account.said[pins.account_version - 1]
        assert (version.state, version.do_not_trade) == ("open", False)
        for word in account.screens[pins.screen_version - 1].verdicts:
            if word.security_id == name:
                may = word.may_buy if order.side == "buy" else word.may_sell
                assert may, f"{name}: {order.side} against the screen"
        open_elsewhere = [
            other
            for other in self.open.values()
            if other.order.run_id != order.run_id and any(one.alloc_account == account.account_id for one in other.order.allocations)
        ]
        assert not open_elsewhere, f"{account.account_id} has orders of an earlier run at the desk"

    def check_market(self, order: OrderPlaced, barrier: Barrier) -> None:
        """The name was free and within the collar in a snapshot that may have been the newest one then."""
        possible = self.history.stage.markets[barrier.market :]
        low, high = order.reference_price * (1 - COLLAR), order.reference_price * (1 + COLLAR)
        name = order.security_id
        assert any(name not in blocked_in(market) and low <= price_in(market, name) <= high for market in possible), f"{name}: its market"

    def check_trade(self, order: OrderPlaced, allocation: Allocation, proposal: ProposalCreated, trade: ProposedTrade) -> None:
        """Lots are there and free, and no wash sale is made, given every trade that was booked before."""
        account = self.account(allocation.alloc_account)
        now, group = self.positions[account.account_id], GROUP_OF[order.security_id]
        for lot in allocation.lots:
            held = now.lots[lot.custodial_lot_id]
            at_the_desk = sum(
                (
                    left
                    for other in self.open.values()
                    if other.order is not order
                    for left in self.left_of(other, account.account_id, lot.custodial_lot_id)
                ),
                D(0),
            )
            assert held.security_id == order.security_id
            assert lot.quantity + at_the_desk <= held.shares, (
                f"{lot.custodial_lot_id} oversold: {lot.quantity} + {at_the_desk} of {held.shares}"
            )
        for other in self.history.accounts:
            if other.household_id != account.household_id:
                continue
            for past in standing(self.booked[other.account_id]):
                if GROUP_OF[past.security_id] != group:
                    continue
                if order.side == "buy":
                    washed = other.account_type == "taxable" and realised_loss(past, self.positions[other.account_id].lots)
                    assert not washed, f"{order.security_id} bought within 30 days of the loss in {past.trade_id}"
                elif past.side == "buy" and self.may_lose(account, trade):
                    self.check_sold_out(other, past, account, proposal)

    def check_sold_out(self, buyer: Account, past: TradeBooked, seller: Account, proposal: ProposalCreated) -> None:
        """A possible loss in the window of a purchase: only with all that is left of the purchase, sold first."""
        lot_id = f"P-{past.trade_id}"
        left = self.positions[buyer.account_id].lots[lot_id].shares
        if left <= 0:
            return
        instructions = [lot for trade in proposal.trades for lot in trade.lots if lot.lot_id == lot_id]
        assert buyer is seller and [lot.quantity for lot in instructions] == [left], f"loss sold in the window of {past.trade_id}"
        for trade in proposal.trades:
            own = [lot.lot_id == lot_id for lot in trade.lots]
            recent = [lot.lot_id.startswith("P-") for lot in trade.lots]
            assert not any(own) or all(recent[: own.index(True)]), f"{lot_id} is not sold first"

    def left_of(self, other: Open, account_id: str, lot_id: str) -> list[Decimal]:
        return [
            lot.quantity - other.booked[account_id, lot_id]
            for allocation in other.order.allocations
            if allocation.alloc_account == account_id
            for lot in allocation.lots
            if lot.custodial_lot_id == lot_id
        ]

    def may_lose(self, account: Account, trade: ProposedTrade) -> bool:
        """Whether some lot of a sale could bring less than its basis within the collar."""
        if trade.side == "buy" or account.account_type != "taxable":
            return False
        bases = [self.positions[account.account_id].lots[lot.lot_id].basis for lot in trade.lots]
        return any(basis is None or basis > trade.price * (1 - COLLAR) for basis in bases)

    def check_exclusive(self, order: OrderPlaced) -> None:
        """No household has a buy and a possible loss sale of one group at the desk at once."""
        sides: dict[tuple[str, str], set[str]] = defaultdict(set)
        for other in self.open.values():
            for allocation in other.order.allocations:
                account = self.account(allocation.alloc_account)
                key = account.household_id, GROUP_OF[other.order.security_id]
                trades = self.history.proposals[allocation.proposal_id].trades
                (trade,) = [one for one in trades if (one.security_id, one.side) == (other.order.security_id, other.order.side)]
                if trade.side == "buy":
                    sides[key].add("buy")
                elif self.may_lose(account, trade):
                    sides[key].add("loss sale")
        assert {"buy", "loss sale"} not in sides.values(), f"{order.cl_ord_id}: a buy and a loss sale of one group in one household"

    def check_cash(self, orders: Sequence[OrderPlaced]) -> None:
        """What a close buys for an account is paid by its settled cash and by what it sells there."""
        accounts = {one.alloc_account: one.proposal_id for order in orders for one in order.allocations}
        for account_id, proposal_id in accounts.items():
            proposal = self.history.proposals[proposal_id]
            version = self.account(account_id).said[proposal.pins.account_version - 1]
            spread = HALF_SPREAD_BPS / 10_000
            cost = sum((one.quantity * one.price * (1 + spread) for one in proposal.trades if one.side == "buy"), D(0))
            proceeds = sum((one.quantity * one.price * (1 - spread) for one in proposal.trades if one.side == "sell"), D(0))
            spendable = version.cash_settled + min(version.cash_unsettled, D(0)) + proceeds
            assert cost == 0 or cost <= spendable + len(proposal.trades) * CENT, f"{account_id} buys for {cost} with {spendable}"

    def book(self, trade: TradeBooked, n: int) -> None:
        """One more trade: numbered on, within its allocation and its lots."""
        account, of = self.account(trade.account_id), self.known[trade.cl_ord_id]
        mine = self.booked[account.account_id]
        assert trade.trade_seq == len(mine) + 1, f"{account.account_id} has trade {trade.trade_seq} after {len(mine)}"
        assert trade.household_id == account.household_id
        assert (trade.security_id, trade.side) == (of.order.security_id, of.order.side)
        if trade.kind == "bust":
            assert trade.ref_trade_id in {one.trade_id for one in standing(mine)}
        mine.append(trade)
        self.positions[account.account_id].take(trade)
        sign = -1 if trade.kind == "bust" else 1
        for lot in trade.lots:
            of.booked[account.account_id, lot.lot_id] += sign * lot.quantity  # type: ignore[assignment]
        of.booked[account.account_id, ""] += sign * trade.quantity  # type: ignore[assignment]
        (allocation,) = [one for one in of.order.allocations if one.alloc_account == account.account_id]
        assert D(0) <= of.booked[account.account_id, ""] <= allocation.alloc_qty + allocation.fraction
        for instruction in allocation.lots:
            assert D(0) <= of.booked[account.account_id, instruction.custodial_lot_id] <= instruction.quantity
        if trade.kind != "cash_in_lieu" and self.ended_at.get(trade.cl_ord_id, n) < n:
            self.note_late(of.order, account, trade, sign)

    def note_late(self, late: OrderPlaced, account: Account, trade: TradeBooked, sign: int) -> None:
        """A trade of an order that had ended: what was placed since in the household and group is at the desk without knowing of it."""
        overtaken = {
            cl_ord_id
            for cl_ord_id, other in self.open.items()
            if self.placed_at[cl_ord_id] > self.ended_at[late.cl_ord_id]
            and GROUP_OF[other.order.security_id] == GROUP_OF[late.security_id]
            and any(self.account(one.alloc_account).household_id == account.household_id for one in other.order.allocations)
        }
        moved, before = self.late.get((trade.exec_id, account.account_id), (D(0), set()))
        self.late[trade.exec_id, account.account_id] = (moved + sign * trade.quantity, before | overtaken)

    def check_end(self) -> None:
        """Runs closed once; each order ended with the shares that were booked; executions are shared out whole."""
        ear = self.history.stage.ear
        assert ear.twice == []
        assert all(len(xacts) == 1 for xacts in self.closes.values()), "a run closes once"
        all_trades = [trade for trades in self.booked.values() for trade in trades]
        for cl_ord_id, of in self.known.items():
            fills = [one for one in standing(all_trades) if one.cl_ord_id == cl_ord_id and one.kind == "fill"]
            filled = sum((one.quantity for one in fills), D(0))
            assert filled <= of.order.order_qty
            assert cl_ord_id in self.ended_at, "the desk ended it"
            assert ear.ended[cl_ord_id].cum_qty == filled
            quantities: Counter[str] = Counter()
            for one in fills:
                quantities[one.exec_id] += one.quantity  # type: ignore[assignment]
            reported = {one.exec_id: one.last_qty for one in self.history.executions[cl_ord_id]}
            assert all(reported[exec_id] == quantity for exec_id, quantity in quantities.items()), "a fill is shared out whole"
        overtaken = {cl_ord_id for moved, others in self.late.values() if moved for cl_ord_id in others}
        assert overtaken <= self.called_back, "a late booking calls back what was placed without it"
