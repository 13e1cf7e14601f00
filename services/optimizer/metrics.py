"""The figures of optimizer beside those that every service has."""

from datetime import datetime
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from libs.common.clock import Clock
from libs.common.observe import SECONDS_BUCKETS, Metrics
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.core.chain import Method, SolveState
from services.optimizer.core.decline import DeclineCode

GAP_BUCKETS_BPS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 30.0)


class OptimizerMetrics:
    """Decisions, declines by code, solve seconds, and households that wait for their inputs."""

    def __init__(self, common: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._oldest: datetime | None = None
        constant: dict[str, Any] = {"registry": common.registry, "namespace": "pma", "subsystem": "optimizer"}
        self.proposals = Counter("proposals_total", "Accounts with a proposal, by the solver's end state", ["status"], **constant)
        self.declined = Counter("declined_total", "Accounts without a proposal, by code", ["code"], **constant)
        for state in SolveState:
            self.proposals.labels(state.value)
        for code in DeclineCode:  # from zero on: Prometheus does not see the step from no counter to one
            self.declined.labels(code)
        self.solve_seconds = Histogram("solve_cpu_seconds", "CPU seconds of one account", buckets=SECONDS_BUCKETS, **constant)
        self.gap_bps = Histogram("gap_bps", "Gap of a decision's plan to its bound, basis points", buckets=GAP_BUCKETS_BPS, **constant)
        self.whole_shares_bps = Histogram(
            "whole_shares_bps",
            "What whole shares and the smallest trade cost, basis points",
            buckets=GAP_BUCKETS_BPS,
            **constant,
        )
        self.methods = Counter("solves_total", "Decisions with a plan, by what found it", ["method"], **constant)
        for method in Method:
            self.methods.labels(method.value)
        self.solved_again = Counter("solved_again_total", "Households whose inputs moved during the solve", **constant)
        self.planned_losses = Counter("planned_loss_usd_total", "Losses that proposals plan to take, in dollars", **constant)
        self._waiting = Gauge("waiting_joins", "Households whose inputs have not met", **constant)
        age = Gauge("waiting_joins_oldest_age_seconds", "Age of the longest wait, 0 when none waits", **constant)
        age.set_function(self._age_s)

    def observe_decision(self, decision: ProposalCreated | ProposalDeclined) -> None:
        """Count one decision."""
        if decision.certificate is not None:
            self.gap_bps.observe(float(decision.certificate.gap_bps))
            self.whole_shares_bps.observe(float(decision.certificate.whole_shares_bps))
            self.methods.labels(decision.certificate.method).inc()
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
