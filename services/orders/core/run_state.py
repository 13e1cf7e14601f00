"""Which accounts of a run have ended, and when its blocks close.

Invariants
1. A run closes when every account has ended, or at its own cut-off, and never before either.
2. After the close every account has ended; what leaves was accepted or approved.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from services.orders.core.decision import Accepted, Decision, Refused


class Progress(StrEnum):
    """How far an account is in a run.

    awaited: no answer of the optimizer yet; waiting: a proposal newer than what orders has seen; waiting_approval: for a
    person; accepted, approved: it leaves; the others ended without orders: declined (optimizer), refused (these checks),
    rejected (a person), expired (the cut-off came first), excluded (the run leaves it out).
    """

    AWAITED = "awaited"
    WAITING = "waiting"
    WAITING_APPROVAL = "waiting_approval"
    ACCEPTED = "accepted"
    APPROVED = "approved"
    DECLINED = "declined"
    REFUSED = "refused"
    REJECTED = "rejected"
    EXPIRED = "expired"
    EXCLUDED = "excluded"


UNENDED = frozenset({Progress.AWAITED, Progress.WAITING, Progress.WAITING_APPROVAL})
LEAVING = frozenset({Progress.ACCEPTED, Progress.APPROVED})


def progress_after(decision: Decision) -> Progress:
    """Where a judged proposal leaves its account."""
    match decision:
        case Accepted(approval="manual"):
            return Progress.WAITING_APPROVAL
        case Accepted():
            return Progress.ACCEPTED
        case Refused():
            return Progress.REFUSED
        case _:
            return Progress.WAITING


def may_close(accounts: Iterable[Progress], now: datetime, cutoff_at: datetime) -> bool:
    """Whether the run's blocks close: every account has ended, or the run's own cut-off has come."""
    return now >= cutoff_at or all(progress not in UNENDED for progress in accounts)


def progress_at_close(progress: Progress, recheck: Decision | None) -> Progress:
    """Where the close leaves an account: what has not ended expires; what would leave is refused if it no longer stands.

    `recheck` is the last judgement of what would leave, None for the others.  What then waits for something newer expires.
    """
    if progress in UNENDED:
        return Progress.EXPIRED
    if progress not in LEAVING or isinstance(recheck, Accepted):
        return progress
    return Progress.REFUSED if isinstance(recheck, Refused) else Progress.EXPIRED
