"""The figures of restrictions beside those that every service has."""

from datetime import datetime

from prometheus_client import Counter, Gauge

from libs.common.clock import Clock
from libs.common.observe import Metrics


class ScreenMetrics:
    """Screens, edits, refusals, and the runs' households that wait for an account or a market."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._oldest: datetime | None = None
        common = {"registry": metrics.registry, "namespace": "pma", "subsystem": "restrictions"}
        self.screens = Counter("screens_total", "Screens said, by what led to them", ["cause"], **common)  # type: ignore[arg-type]
        self.edits = Counter("rule_edits_total", "Edits of rules", ["action", "level"], **common)  # type: ignore[arg-type]
        self.refusals = Counter("refusals_total", "Rules, wishes and edits refused", ["reason"], **common)  # type: ignore[arg-type]
        self._waiting = Gauge("waiting_joins", "Households that a run waits for", **common)  # type: ignore[arg-type]
        age = Gauge("waiting_joins_oldest_age_seconds", "Age of the longest wait, 0 when none waits", **common)  # type: ignore[arg-type]
        age.set_function(self._age_s)

    def set_waiting(self, households: int, oldest: datetime | None) -> None:
        """Note how many households wait, and since when the first does."""
        self._waiting.set(households)
        self._oldest = oldest

    def _age_s(self) -> float:
        return 0.0 if self._oldest is None else max(0.0, (self._clock.now() - self._oldest).total_seconds())
