"""Where the time of day enters.  Cores take dates as arguments; only wiring and handlers hold a clock."""

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


class Clock(Protocol):
    """Tells the current time in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is set: the demo's business days and the tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def set(self, moment: datetime) -> None:
        """Move to `moment`; going back is refused with ValueError, since no real clock of ours may."""
        if moment < self._now:
            raise ValueError(f"the clock can't go back from {self._now} to {moment}")
        self._now = moment


def trade_date_of(moment: datetime) -> date:
    """The New York calendar date of a UTC moment: the trade date of an execution."""
    return moment.astimezone(NEW_YORK).date()
