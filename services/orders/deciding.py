"""Keeps decisions for good, and says them: so that none is lost with a database."""

from collections.abc import Sequence

from libs.common.schemas.decision import HeldBack, ProposalJudged
from libs.common.unit import Unit
from services.orders import answer_store
from services.orders.answer_store import DecisionRow
from services.orders.core.reservations import Reservation


async def keep_decision(unit: Unit, row: DecisionRow, is_answer: bool = True, held: Sequence[Reservation] = ()) -> None:
    """Keep a decision, and say it with what it holds back; `is_answer` unless the account had another answer in the run."""
    number = await answer_store.log_decision(unit.connection, row)
    said = ProposalJudged(
        run_id=row.run_id,
        account_id=row.account_id,
        household_id=row.household_id,
        proposal_id=row.proposal_id,
        number=number,
        progress=row.progress,
        is_answer=is_answer,
        code=row.code,
        message=row.message,
        subject=row.subject,
        limit=row.limit_value,
        actual=row.actual_value,
        actor=row.actor,
        decided_at=row.decided_at,
        held_back=[HeldBack(item.security_id, item.identity_group, item.kind, item.lots, item.cash) for item in held],
    )
    unit.emit(said, row.account_id, f"{row.run_id}:{number}", row.household_id)


def reservations_of(said: ProposalJudged) -> list[Reservation]:
    """What a said decision holds back."""
    place = (said.proposal_id, said.run_id, said.household_id, said.account_id)
    return [Reservation(*place, item.security_id, item.identity_group, item.kind, item.lots, item.cash) for item in said.held_back]
