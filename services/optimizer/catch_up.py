"""After a restore: optimizer takes back the proposals, declines and chosen plans that it had said, then its inputs since the backup.

A household of which every account has its decision is decided; one of which only some have is solved for the others, on those decisions.
"""

from collections.abc import Sequence
from typing import Any

from libs.common.db import Connection
from libs.common.events import Event
from libs.common.schemas.plan import PlanChosen, PlanWithdrawn
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.unit import Unit
from services.optimizer import decision_store, plan_store


class DecisionsSaid:
    """What optimizer said, taken back."""

    async def begin(self, connection: Connection) -> None:
        """Nothing: handlers say nothing, and nothing is solved while it catches up."""

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back, as often as it comes."""
        match payload:
            case ProposalCreated() | ProposalDeclined():
                await decision_store.adopt_decision(connection, payload)
            case PlanChosen():
                await plan_store.adopt_plan(connection, payload, event.time)
            case PlanWithdrawn():
                await plan_store.adopt_withdrawal(connection, payload.plan_id, payload.withdrawn_by, event.time)

    async def finish(self, unit: Unit) -> Sequence[str]:
        """Households that had their decisions are not solved again."""
        await decision_store.mark_decided(unit.connection)
        return []
