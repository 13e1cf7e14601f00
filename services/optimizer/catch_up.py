"""After a restore: optimizer takes back the proposals and declines that it had said, then its inputs since the backup.

A household of which every account has its decision is decided; one of which only some have is solved for the others, on those decisions.
"""

from collections.abc import Sequence
from typing import Any

from libs.common.db import Connection
from libs.common.events import Event
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.unit import Unit
from services.optimizer import decision_store


class DecisionsSaid:
    """What optimizer said, taken back."""

    async def begin(self, connection: Connection) -> None:
        """Nothing: handlers say nothing, and nothing is solved while it catches up."""

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back, as often as it comes."""
        if not isinstance(payload, ProposalCreated | ProposalDeclined):
            return
        await decision_store.adopt_decision(connection, payload)

    async def finish(self, unit: Unit) -> Sequence[str]:
        """Households that had their decisions are not solved again."""
        await decision_store.mark_decided(unit.connection)
        return []
