"""The figures of wash_sale beside those that every service has."""

from datetime import datetime

from prometheus_client import Counter, Gauge

from libs.common.clock import Clock
from libs.common.observe import Metrics


class LedgerMetrics:
    """Ledgers said, inputs refused, and what waits: households of a run, and early trades and account versions."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._oldest: datetime | None = None
        common = {"registry": metrics.registry, "namespace": "pma", "subsystem": "wash_sale"}
        self.ledgers = Counter("ledgers_total", "Ledgers said: after a change, or to answer a run", ["cause"], **common)  # type: ignore[arg-type]
        self.refusals = Counter("refusals_total", "Inputs refused, by code", ["code"], **common)  # type: ignore[arg-type]
        self.denied_sales = Counter("denied_sales_total", "Booked sales whose loss is denied, when first said", **common)  # type: ignore[arg-type]
        self._early = Gauge("early_inputs", "Trades and account versions that wait for others", **common)  # type: ignore[arg-type]
        self._held_back = Gauge("held_back_households", "Households whose facts contradict each other", **common)  # type: ignore[arg-type]
        self._waiting = Gauge("waiting_joins", "Households that a run waits for", **common)  # type: ignore[arg-type]
        age = Gauge("waiting_joins_oldest_age_seconds", "Age of the longest wait, 0 when none waits", **common)  # type: ignore[arg-type]
        age.set_function(self._age_s)

    def set_waiting(self, households: int, oldest: datetime | None, early_inputs: int, held_back: int) -> None:
        """Note how many households wait, since when the first does, how many inputs came early, and who is held back."""
        self._waiting.set(households)
        self._oldest = oldest
        self._early.set(early_inputs)
        self._held_back.set(held_back)

    def _age_s(self) -> float:
        return 0.0 if self._oldest is None else max(0.0, (self._clock.now() - self._oldest).total_seconds())
