"""The daily run: which accounts are decided on which version, and which are left out and why (decision 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from libs.common.clock import NEW_YORK
from libs.common.ids import content_id
from libs.common.schemas.market import RunAccount, RunOpened

SATURDAY = 5


@dataclass(frozen=True)
class Candidate:
    """An account as the run finds it; `business_date` is of the snapshot its book stands on."""

    account_id: str
    household_id: str
    business_date: date | None
    version: int
    trade_seq: int
    quarantine: str | None
    household_parked: bool


def why_excluded(account: Candidate, files_of: date) -> str | None:
    """Why an account is not part of a run that stands on the files of a business date; None when it is."""
    if account.household_parked:
        return "parked"
    if account.quarantine is not None:
        return "quarantined"
    if account.business_date is None:
        return "no_holdings"
    if account.business_date < files_of:
        return "stale"
    return None


def run_is_due(files_are_in: bool, now: datetime, as_of: date, files_cutoff: time) -> bool:
    """A run opens when the day's files are in, or at the files' cut-off (New York time) without those that are missing (decision 8)."""
    return files_are_in or now >= datetime.combine(as_of, files_cutoff, NEW_YORK)


def file_is_late(now: datetime, today: date, files_cutoff: time) -> bool:
    """Whether a custodian's file of today that is not here is late: from the cut-off (New York time) on, from Monday to Friday."""
    return today.weekday() < SATURDAY and now >= datetime.combine(today, files_cutoff, NEW_YORK)


def open_run(
    as_of: date,
    files_of: date,
    market_id: str,
    accounts: Sequence[Candidate],
    opened_at: datetime,
    cutoff: time,
    price_collar_bps: int,
    files_received_at: datetime | None = None,
) -> RunOpened:
    """The run of a trade date on one market snapshot; asked for twice it has the same id.  `cutoff` is New York time."""
    members = [
        RunAccount(a.account_id, a.household_id, a.version, a.trade_seq, why_excluded(a, files_of))
        for a in sorted(accounts, key=lambda a: (a.household_id, a.account_id))
    ]
    cutoff_at = datetime.combine(as_of, cutoff, NEW_YORK).astimezone(opened_at.tzinfo)
    run_id = content_id("run", as_of.isoformat(), market_id)
    return RunOpened(run_id, as_of, market_id, opened_at, cutoff_at, price_collar_bps, members, files_received_at)
