"""What ingest counts beside the common figures."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter, Gauge

from libs.common.observe import Metrics
from services.ingest.core.delivery import FileOutcome

LEFT_OUT = ("parked", "quarantined", "no_holdings", "stale")
UNUSABLE = ("quarantined", "no_holdings", "stale")


class IngestMetrics:
    """Files by outcome, refused lines, runs and the accounts that they leave out."""

    def __init__(self, common: Metrics) -> None:
        constant: dict[str, Any] = {"registry": common.registry, "namespace": "pma", "subsystem": "ingest"}
        self.files = Counter("files_total", "Files by outcome", ["outcome"], **constant)
        for outcome in FileOutcome:  # from zero on: Prometheus does not see the step from no counter to one
            self.files.labels(outcome)
        self.lines_refused = Counter("lines_refused_total", "Lines that quarantined their account", **constant)
        self.runs = Counter("runs_total", "Runs opened", **constant)
        self.left_out = Gauge("run_accounts_left_out", "Accounts that the newest run leaves out, by reason", ["reason"], **constant)
        self.accounts = Gauge("accounts", "Accounts with a master record", **constant)
        self.unusable = Gauge("accounts_unusable", "Accounts that a run would leave out now, by reason", ["reason"], **constant)
        self.breaks = Gauge("breaks", "Differences from the custodian that no trade explains", **constant)
        self.accounts_with_breaks = Gauge("accounts_with_breaks", "Accounts that have such a difference", **constant)
        self.deliveries = Gauge("deliveries", "Deliveries by state", ["state"], **constant)
        self.custodians_late = Gauge(
            "custodians_late", "Custodians without an applied delivery of today, after the files' cut-off of a weekday", **constant
        )

    def observe_left_out(self, reasons: Sequence[str | None]) -> None:
        """Set the gauge from each account's reason of a run (None: it is decided)."""
        for reason in LEFT_OUT:
            self.left_out.labels(reason).set(sum(found == reason for found in reasons))
