"""What a person may still decide about a proposal that waits for approval.

Invariants
1. Only a waiting proposal of a run before its cut-off can be approved or rejected, once.
2. An approval counts only if the proposal passes all checks again; otherwise it is refused and stays out.
"""

from datetime import datetime
from enum import StrEnum

from services.orders.core.decision import Accepted, Decision, Refused
from services.orders.core.run_state import Progress


class ApprovalDenied(StrEnum):
    """Why a person's decision changes nothing."""

    NOT_WAITING = "not_waiting"
    RUN_CLOSED = "run_closed"
    PAST_CUTOFF = "past_cutoff"
    INPUTS_BEHIND = "inputs_behind"


def may_decide(progress: Progress, run_closed: bool, now: datetime, cutoff_at: datetime) -> ApprovalDenied | None:
    """Whether a person may still approve or reject; None when so."""
    if run_closed:
        return ApprovalDenied.RUN_CLOSED
    if progress is not Progress.WAITING_APPROVAL:
        return ApprovalDenied.NOT_WAITING
    if now >= cutoff_at:
        return ApprovalDenied.PAST_CUTOFF
    return None


def progress_after_approval(recheck: Decision) -> Progress | ApprovalDenied:
    """Where an approval leaves the account, given the checks of that moment."""
    match recheck:
        case Accepted():
            return Progress.APPROVED
        case Refused():
            return Progress.REFUSED
        case _:
            return ApprovalDenied.INPUTS_BEHIND
