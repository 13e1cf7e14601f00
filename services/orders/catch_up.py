"""After a restore: orders takes back its decisions, closed runs, orders, cancels and trades, then its inputs since the backup.

A run that was closed stays closed: nothing of it is placed again.  The desk's executions come again and are booked to the blocks
as before; trades that were said keep their numbers and are not said again.
"""

from collections.abc import Sequence
from typing import Any

from libs.common.db import Connection
from libs.common.events import Event
from libs.common.schemas.decision import KillSwitchTurned, ProposalJudged, RunClosed
from libs.common.schemas.order import OrderCancelled, OrderPlaced, TradeBooked
from libs.common.unit import Unit
from services.orders import said_store, store
from services.orders.deciding import reservations_of
from services.orders.judging import Judging, SaidBefore


class OrdersSaid:
    """What orders said, taken back."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back, as often as it comes."""
        said = self._judging.said
        match payload:
            case ProposalJudged():
                await said_store.adopt_decision(connection, payload, reservations_of(payload))
            case RunClosed():
                said.closed[payload.run_id] = payload
                await store.mark_closed(connection, payload.run_id, payload.closed_by, payload.closed_at)
            case KillSwitchTurned():
                await said_store.adopt_kill_switch(connection, payload)
            case OrderPlaced():
                await said_store.adopt_order(connection, payload)
            case OrderCancelled():
                await said_store.adopt_cancel(connection, payload)
            case TradeBooked():
                said.trade_ids.add(payload.trade_id)
                await said_store.adopt_trade(connection, payload, event.time)

    async def begin(self, connection: Connection) -> None:
        """What closed runs held back is held for their orders."""
        await said_store.go_on_counting(connection)
        await said_store.place_held_back(connection, self._judging.said.closed)

    async def finish(self, unit: Unit) -> Sequence[str]:
        """Whatever of closed runs has no answer has ended; names the runs of which orders never left."""
        await said_store.expire_in_closed_runs(unit.connection)
        there = await said_store.orders_of_runs(unit.connection)
        closed, self._judging.said = self._judging.said.closed, SaidBefore()
        return [
            f"run {run_id}: {run.orders - there.get(run_id, 0)} of its {run.orders} orders never left; the next run decides on them again"
            for run_id, run in sorted(closed.items())
            if there.get(run_id, 0) < run.orders
        ]
