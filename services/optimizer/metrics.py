"""What optimizer counts beside the common figures."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from libs.common.observe import SECONDS_BUCKETS, Metrics
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined


class OptimizerMetrics:
    """Decisions, declines by code, solve seconds, and households that wait for their inputs."""

    def __init__(self, common: Metrics) -> None:
        constant: dict[str, Any] = {"registry": common.registry, "namespace": "pma", "subsystem": "optimizer"}
        self.proposals = Counter("proposals_total", "Accounts with a proposal, by the solver's end state", ["status"], **constant)
        self.declined = Counter("declined_total", "Accounts without a proposal, by code", ["code"], **constant)
        self.solve_seconds = Histogram("solve_cpu_seconds", "CPU seconds of one account", buckets=SECONDS_BUCKETS, **constant)
        self.harvested = Counter("planned_loss_usd_total", "Losses that proposals plan to take, in dollars", **constant)
        self.waiting = Gauge("waiting_joins", "Households whose inputs have not met", **constant)
        self.waiting_age = Gauge("waiting_join_oldest_age_seconds", "How long the oldest of them waits", **constant)

    def observe_decision(self, decision: ProposalCreated | ProposalDeclined) -> None:
        """Count one decision."""
        if isinstance(decision, ProposalDeclined):
            self.declined.labels(decision.code).inc()
            return
        self.proposals.labels(decision.solve_status).inc()
        self.harvested.inc(float(decision.tax.short_loss + decision.tax.long_loss))
