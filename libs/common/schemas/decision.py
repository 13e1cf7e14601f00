"""pma.decisions.v1: what orders, and people through it, decided about proposals, runs and the kill switch.

orders itself reads it, when its database comes from a backup; others may, for the record of who decided what.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.schemas.order import BookedLot


class HeldBack(Struct, frozen=True):
    """What one trade of an accepted proposal holds back in its household: lots of a sale, dollars of a buy, the identity group."""

    security_id: str
    identity_group: str
    kind: Literal["buy", "loss_sale", "gain_sale"]
    lots: list[BookedLot]
    cash: Decimal


class ProposalJudged(Struct, frozen=True):
    """pma.proposal.judged: one decision about a proposal, by a check or by a person (`actor`).

    `number` rises with each decision about an account in a run; `progress` is where it leaves the proposal, `code` why it was refused,
    with its numbers.  `is_answer` is false for a second proposal of an account that had its answer.
    """

    run_id: str
    account_id: str
    household_id: str
    proposal_id: str
    number: int
    progress: str
    is_answer: bool
    code: str | None
    message: str | None
    subject: str | None
    limit: Decimal | None
    actual: Decimal | None
    actor: str
    decided_at: datetime
    held_back: list[HeldBack]


class RunClosed(Struct, frozen=True):
    """pma.run.closed: the run's blocks leave now, `orders` of them, and none later."""

    run_id: str
    closed_at: datetime
    closed_by: str
    orders: int


class KillSwitchTurned(Struct, frozen=True):
    """pma.kill_switch.turned: from now on nothing leaves (`on`), or may leave again.  `number` rises with each turn."""

    number: int
    on: bool
    actor: str
    reason: str
    changed_at: datetime
