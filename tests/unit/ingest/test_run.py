"""The daily run: who is decided on what, who is left out and why (decision 8)."""

from datetime import UTC, date, datetime, time

import pytest
from msgspec.structs import replace

from libs.common.schemas.market import RunAccount
from services.ingest.core.run import Candidate, file_is_late, open_run, run_is_due, why_excluded

MON, TUE = date(2025, 12, 15), date(2025, 12, 16)
NOON = datetime(2025, 12, 16, 12, tzinfo=UTC)
CUTOFF = time(15, 30)


def account(
    account_id: str = "A1", household_id: str = "H1", day: date | None = TUE, quarantine: str | None = None, parked: bool = False
) -> Candidate:
    return Candidate(account_id, household_id, day, 4, 7, quarantine, parked)


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (account(), None),
        (account(day=MON), "stale"),
        (account(day=None), "no_holdings"),
        (account(quarantine="line 7"), "quarantined"),
        (account(parked=True), "parked"),
        (account(day=MON, quarantine="line 7"), "quarantined"),
        (account(day=MON, quarantine="line 7", parked=True), "parked"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_why_an_account_is_left_out(candidate: Candidate, reason: str | None) -> None:
    assert why_excluded(candidate, TUE) == reason


def test_a_file_newer_than_the_run_asks_for_is_no_reason() -> None:
    assert why_excluded(account(day=TUE), MON) is None


def test_the_run_lists_versions_and_reasons_by_household_and_account() -> None:
    members = [account("A3", "H2"), account("A2", "H1", MON), account("A1", "H1")]
    run = open_run(TUE, TUE, "M1", members, NOON, CUTOFF, 200)
    assert run.accounts == [RunAccount("A1", "H1", 4, 7, None), RunAccount("A2", "H1", 4, 7, "stale"), RunAccount("A3", "H2", 4, 7, None)]
    assert (run.as_of, run.market_id, run.price_collar_bps, run.opened_at) == (TUE, "M1", 200, NOON)


def test_the_same_date_and_market_are_the_same_run() -> None:
    first = open_run(TUE, TUE, "M1", [account()], NOON, CUTOFF, 200)
    assert open_run(TUE, TUE, "M1", [], NOON.replace(hour=13), CUTOFF, 200).run_id == first.run_id
    others = {open_run(MON, MON, "M1", [], NOON, CUTOFF, 200).run_id, open_run(TUE, TUE, "M2", [], NOON, CUTOFF, 200).run_id}
    assert first.run_id not in others and len(others) == 2
    assert replace(first, accounts=[]) == open_run(TUE, TUE, "M1", [], NOON, CUTOFF, 200)


@pytest.mark.parametrize(("as_of", "utc_hour"), [(date(2025, 12, 16), 20), (date(2026, 7, 1), 19)], ids=["winter", "summer"])
def test_the_cutoff_is_new_york_time(as_of: date, utc_hour: int) -> None:
    run = open_run(as_of, as_of, "M1", [], NOON, CUTOFF, 200)
    assert run.cutoff_at == datetime(as_of.year, as_of.month, as_of.day, utc_hour, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("files_are_in", "hour_utc", "minute", "due"),
    [(True, 11, 0, True), (False, 13, 59, False), (False, 14, 0, True), (True, 14, 0, True)],
)
def test_a_run_is_due_with_the_files_or_at_nine_in_new_york(files_are_in: bool, hour_utc: int, minute: int, due: bool) -> None:
    now = datetime(2025, 12, 15, hour_utc, minute, tzinfo=UTC)
    assert run_is_due(files_are_in, now, date(2025, 12, 15), time(9, 0)) is due


@pytest.mark.parametrize(
    ("day_of_december", "hour_utc", "minute", "late"),
    [
        pytest.param(15, 13, 59, False, id="Monday, a minute before nine in New York"),
        pytest.param(15, 14, 0, True, id="Monday at nine"),
        pytest.param(19, 23, 0, True, id="Friday evening"),
        pytest.param(20, 17, 0, False, id="Saturday"),
        pytest.param(21, 17, 0, False, id="Sunday"),
    ],
)
def test_a_file_is_late_from_the_cut_off_of_a_weekday_on(day_of_december: int, hour_utc: int, minute: int, late: bool) -> None:
    now = datetime(2025, 12, day_of_december, hour_utc, minute, tzinfo=UTC)
    assert file_is_late(now, date(2025, 12, day_of_december), time(9, 0)) is late
