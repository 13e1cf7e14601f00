"""What becomes of a delivery whose parts are all in (decision 11)."""

from datetime import date

import pytest

from services.ingest.core.delivery import DeliveryState, Earlier, judge_complete

MON, TUE = date(2025, 12, 15), date(2025, 12, 16)
APPLYING, HELD, LATE = DeliveryState.APPLYING, DeliveryState.HELD, DeliveryState.LATE

# (case, business date, sequence, accounts, the custodian's newest applied delivery, state, words of the reason)
CASES: list[tuple[str, date, int, int, Earlier | None, DeliveryState, str | None]] = [
    ("the first ever", MON, 1, 3, None, APPLYING, None),
    ("the first ever, empty", MON, 1, 0, None, HELD, "no accounts"),
    ("the next day", TUE, 1, 250, Earlier(MON, 250), APPLYING, None),
    ("just enough accounts", TUE, 1, 200, Earlier(MON, 250), APPLYING, None),
    ("far fewer accounts", TUE, 1, 199, Earlier(MON, 250), HELD, "199 accounts, 250 the time before"),
    ("empty", TUE, 1, 0, Earlier(MON, 250), HELD, "no accounts"),
    ("a correction of one account", TUE, 2, 1, Earlier(TUE, 250), APPLYING, None),
    ("a correction of none", TUE, 2, 0, Earlier(TUE, 250), APPLYING, None),
    ("an older date", MON, 1, 250, Earlier(TUE, 250), LATE, "2025-12-15 is before 2025-12-16"),
    ("a correction of an older date", MON, 2, 1, Earlier(TUE, 250), LATE, "which is applied"),
]


@pytest.mark.parametrize(("day", "sequence", "accounts", "earlier", "state", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_becomes_of_a_delivery(
    day: date, sequence: int, accounts: int, earlier: Earlier | None, state: DeliveryState, reason: str | None
) -> None:
    found, said = judge_complete(day, sequence, accounts, earlier, 0.8)
    assert found is state
    assert (said is None) if reason is None else (said is not None and reason in said)
