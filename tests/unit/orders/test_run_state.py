"""When a run closes, what the close leaves, and what a person may still decide."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.core.approval import ApprovalDenied, may_decide, progress_after_approval
from services.orders.core.decision import Accepted, Decision, RefusalCode, Refused, Wait
from services.orders.core.run_state import LEAVING, UNENDED, Progress, may_close, progress_after, progress_at_close
from tests.unit.orders.samples import CUTOFF

SECOND = timedelta(seconds=1)
ACCEPTED, REFUSED, WAIT = Accepted([], "auto"), Refused(RefusalCode.STALE_PIN, "moved"), Wait("screen", "screen version 5")
DECISIONS: list[Decision] = [ACCEPTED, REFUSED, WAIT]


@given(st.lists(st.sampled_from(Progress)), st.sampled_from([CUTOFF - SECOND, CUTOFF]))
def test_a_run_closes_when_all_have_ended_or_at_its_cut_off(accounts: list[Progress], now: object) -> None:
    assert may_close(accounts, now, CUTOFF) == (now == CUTOFF or not UNENDED.intersection(accounts))  # type: ignore[arg-type]


@given(st.sampled_from(Progress), st.sampled_from([*DECISIONS, None]))
def test_after_the_close_every_account_has_ended_and_what_leaves_passed_again(progress: Progress, recheck: Decision | None) -> None:
    after = progress_at_close(progress, recheck)
    assert after not in UNENDED
    assert (after in LEAVING) == (progress in LEAVING and isinstance(recheck, Accepted))
    if progress in UNENDED:
        assert after is Progress.EXPIRED


@pytest.mark.parametrize(
    ("decision", "progress"),
    [
        (ACCEPTED, Progress.ACCEPTED),
        (Accepted([], "manual"), Progress.WAITING_APPROVAL),
        (REFUSED, Progress.REFUSED),
        (WAIT, Progress.WAITING),
    ],
)
def test_progress_after_a_judgement(decision: Decision, progress: Progress) -> None:
    assert progress_after(decision) is progress


@pytest.mark.parametrize("progress", Progress)
def test_only_what_waits_for_a_person_can_be_decided(progress: Progress) -> None:
    waits = progress is Progress.WAITING_APPROVAL
    assert may_decide(progress, False, CUTOFF - SECOND, CUTOFF) is (None if waits else ApprovalDenied.NOT_WAITING)
    assert may_decide(progress, False, CUTOFF, CUTOFF) is (ApprovalDenied.PAST_CUTOFF if waits else ApprovalDenied.NOT_WAITING)
    assert may_decide(progress, True, CUTOFF - SECOND, CUTOFF) is ApprovalDenied.RUN_CLOSED


def test_an_approval_counts_only_if_the_checks_pass_again() -> None:
    assert progress_after_approval(ACCEPTED) is Progress.APPROVED
    assert progress_after_approval(REFUSED) is Progress.REFUSED
    assert progress_after_approval(WAIT) is ApprovalDenied.INPUTS_BEHIND
