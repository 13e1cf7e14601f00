"""The figures of optimizer beside those that every service has."""

from datetime import datetime
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from libs.common.clock import Clock
from libs.common.observe import SECONDS_BUCKETS, Metrics
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.core.decline import DeclineCode


class OptimizerMetrics:
    """Decisions, declines by code, solve seconds, and households that wait for their inputs."""

    def __init__(self, common: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._oldest: datetime | None = None
        constant: dict[str, Any] = {"registry": common.registry, "namespace": "pma", "subsystem": "optimizer"}
        self.proposals = Counter("proposals_total", "Accounts with a proposal, by the solver's end state", ["status"], **constant)
        self.declined = Counter("declined_total", "Accounts without a proposal, by code", ["code"], **constant)
        for code in DeclineCode:  # from zero on: Prometheus does not see the step from no counter to one
            self.declined.labels(code)
        self.solve_seconds = Histogram("solve_cpu_seconds", "CPU seconds of one account", buckets=SECONDS_BUCKETS, **constant)
        self.solved_again = Counter("solved_again_total", "Households whose inputs moved during the solve", **constant)
        self.planned_losses = Counter("planned_loss_usd_total", "Losses that proposals plan to take, in dollars", **constant)
        self._waiting = Gauge("waiting_joins", "Households whose inputs have not met", **constant)
        age = Gauge("waiting_joins_oldest_age_seconds", "Age of the longest wait, 0 when none waits", **constant)
        age.set_function(self._age_s)

    def observe_decision(self, decision: ProposalCreated | ProposalDeclined) -> None:
        """Count one decision."""
        if isinstance(decision, ProposalDeclined):
            self.declined.labels(decision.code).inc()
            return
        self.proposals.labels(decision.solve_status).inc()
        self.planned_losses.inc(float(decision.tax.short_loss + decision.tax.long_loss))

    def set_waiting(self, households: int, oldest: datetime | None) -> None:
        """Note how many households wait, and since when the first does."""
        self._waiting.set(households)
        self._oldest = oldest

    def _age_s(self) -> float:
        return 0.0 if self._oldest is None else max(0.0, (self._clock.now() - self._oldest).total_seconds())
