"""What orders counts beside the common figures."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from libs.common.observe import SECONDS_BUCKETS, Metrics
from services.orders.core.decision import RefusalCode
from services.orders.core.executions import Fault, Outcome

UNKNOWN_ORDER = "unknown_order"


class OrdersMetrics:
    """Refusals by code, accounts by progress in open runs, blocks by state, executions and trades by what they were."""

    def __init__(self, common: Metrics) -> None:
        constant: dict[str, Any] = {"registry": common.registry, "namespace": "pma", "subsystem": "orders"}
        self.refusals = Counter("refusals_total", "Proposals refused", ["code"], **constant)
        self.executions = Counter("executions_total", "Executions by what they did", ["outcome"], **constant)
        for code in RefusalCode:  # from zero on: Prometheus does not see the step from no counter to one
            self.refusals.labels(code)
        for outcome in (*Outcome, *Fault, UNKNOWN_ORDER):
            self.executions.labels(outcome)
        self.trades = Counter("trades_total", "Trades booked", ["kind"], **constant)
        self.blocks = Gauge("blocks", "Block orders by state", ["state"], **constant)
        self.held = Gauge("held_executions", "Executions that wait for another, or for room in their order", **constant)
        self.accounts = Gauge("run_accounts", "Accounts of open runs by progress", ["progress"], **constant)
        self.open_runs = Gauge("open_runs", "Runs whose blocks have not closed", **constant)
        self.to_cutoff = Gauge(
            "run_seconds_to_cutoff", "Until the first cut-off of the open runs, below 0 after it; 0 when none is open", **constant
        )
        self.oldest_wait = Gauge("oldest_wait_seconds", "Age of the oldest proposal that waits for newer inputs, else 0", **constant)
        self.kill_switch = Gauge("kill_switch_on", "1 while the kill switch is on", **constant)
        self.file_to_order = Histogram(
            "file_to_order_seconds", "From the day's first custodian file to the run's blocks", buckets=SECONDS_BUCKETS, **constant
        )
        self.run_to_orders = Histogram(
            "run_opened_to_orders_seconds", "From a run's opening to its blocks", buckets=SECONDS_BUCKETS, **constant
        )
