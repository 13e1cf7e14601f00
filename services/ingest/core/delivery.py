"""What becomes of a file: taken, duplicate, correction, late, held or refused (decision 11).

A delivery is one (custodian, business date, sequence) in one or more parts.  It is applied when all parts are in.  A higher sequence for
the same date corrects; an older date than the newest applied is late: kept, never applied backwards.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    RECEIVING = "receiving"  # parts are missing
    HELD = "held"  # empty, or far fewer accounts than the last one: a person releases it
    APPLYING = "applying"
    APPLIED = "applied"
    LATE = "late"


class FileOutcome(StrEnum):
    """What the acknowledgement of one file says."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    HELD = "held"
    LATE = "late"


@dataclass(frozen=True)
class Earlier:
    """The custodian's newest applied delivery: its date and how many accounts its first sequence had."""

    business_date: date
    accounts: int


def judge_complete(
    business_date: date, sequence: int, accounts: int, earlier: Earlier | None, fewest_accounts_frac: float
) -> tuple[DeliveryState, str | None]:
    """What to do with a delivery whose parts are all in; the reason where it is not simply applied.

    A correction (sequence above 1) may hold only the corrected accounts, so it is not measured against the last delivery.
    """
    if earlier is not None and business_date < earlier.business_date:
        return DeliveryState.LATE, f"business date {business_date} is before {earlier.business_date}, which is applied"
    if sequence > 1:
        return DeliveryState.APPLYING, None
    if accounts == 0:
        return DeliveryState.HELD, "no accounts in the file: release it if that is right"
    if earlier is not None and accounts < earlier.accounts * fewest_accounts_frac:
        return DeliveryState.HELD, f"{accounts} accounts, {earlier.accounts} the time before: release it if that is right"
    return DeliveryState.APPLYING, None
