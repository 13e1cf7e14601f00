"""What the dashboard shows, in the order in which a person at night looks: does it run, does it keep up, did the files come, how far is
the day, what left, did the guards hold, what waits for a person, and only then solver, requests and memory.
"""

from dataclasses import dataclass
from typing import Literal

from libs.common.topics import SERVICES

Unit = Literal["short", "s", "bytes", "percentunit", "currencyUSD", "reqps", "bool_on_off"]
RATE = "$__rate_interval"
UNBOOKED = "unknown_order|of_another_order|not_whole_shares|no_price|no_reference"
NO_PROBES = 'route!~"/healthz|/readyz|/metrics"'
OF_SERVICE = "* on (instance, job) group_left (service) (pma:ready >= bool 0)"


@dataclass(frozen=True)
class Panel:
    """One panel: `queries` are (PromQL, legend); `bad_from` colours a figure red from there on; `width` of 24."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: Unit = "short"
    kind: Literal["stat", "timeseries"] = "timeseries"
    width: int = 8
    bad_from: float | None = None
    stacked: bool = False


@dataclass(frozen=True)
class Row:
    """A heading and its panels, which fill lines of 24 from left to right."""

    title: str
    panels: tuple[Panel, ...]


def stat(title: str, query: str, unit: Unit = "short", bad_from: float | None = 1, legend: str = "", width: int = 4) -> Panel:
    """One figure, as it is now."""
    return Panel(title, ((query, legend),), unit, "stat", width, bad_from)


ROWS = (
    Row(
        "Does it run",
        (
            stat("Alerts", 'count(ALERTS{alertstate="firing", alertname=~"Pma.+"}) or vector(0)'),
            stat("Not ready", "count(min by (service) (pma:ready) == 0) or vector(0)"),
            stat("Services with figures", "count(count by (service) (pma:ready))", bad_from=None),
            stat("Kill switch", "max(pma_orders_kill_switch_on)", "bool_on_off"),
            stat("HTTP errors, 1 h", "pma:http_errors:ratio_rate1h or vector(0)", "percentunit", 0.005),
            stat("Behind, of the last hour", "1 - avg_over_time(pma:fresh[1h])", "percentunit", 0.005),
        ),
    ),
    Row(
        "Does it keep up",
        (
            Panel("Lag, seconds", (("max by (service) (pma:consumer_lag_seconds)", "{{service}}"),), "s", bad_from=120),
            Panel("Lag, records", (("sum by (service) (pma:consumer_lag_records)", "{{service}}"),), bad_from=10_000),
            Panel("Oldest unpublished event", (("pma:outbox_oldest_age_seconds", "{{service}}"),), "s", bad_from=60),
            Panel("Unpublished events", (("pma:outbox_rows", "{{service}}"),), bad_from=5_000),
            Panel(
                "Records taken a second",
                tuple((f"sum(rate(pma_{service}_consumed_records_total[{RATE}]))", service) for service in SERVICES),
                "reqps",
            ),
            Panel("Households that wait for inputs", (("pma:waiting_joins_oldest_age_seconds", "{{service}}, oldest"),), "s", bad_from=900),
        ),
    ),
    Row(
        "Files in",
        (
            stat("Custodians late", "max(pma_ingest_custodians_late)"),
            stat("Deliveries held", 'max(pma_ingest_deliveries{state="held"})'),
            stat("Deliveries incomplete", 'max(pma_ingest_deliveries{state="receiving"})'),
            stat("Accounts", "max(pma_ingest_accounts)", bad_from=None),
            stat("Breaks", "max(pma_ingest_breaks)"),
            stat("Accounts with breaks", "max(pma_ingest_accounts_with_breaks)"),
            Panel("Files in an hour", (("sum by (outcome) (increase(pma_ingest_files_total[1h]))", "{{outcome}}"),), stacked=True),
            Panel("Accounts that can't trade", (("max by (reason) (pma_ingest_accounts_unusable)", "{{reason}}"),), stacked=True),
            Panel("Lines refused in an hour", (("sum(increase(pma_ingest_lines_refused_total[1h]))", "lines"),)),
        ),
    ),
    Row(
        "Runs",
        (
            stat("Open runs", "max(pma_orders_open_runs)", bad_from=None),
            stat("To the cut-off", "max(pma_orders_run_seconds_to_cutoff)", "s", None),
            stat("Runs opened, 24 h", "sum(increase(pma_ingest_runs_total[24h]))", bad_from=None),
            stat("Wait for a person", 'max(pma_orders_run_accounts{progress="waiting_approval"})', bad_from=None),
            stat("Oldest wait in orders", "max(pma_orders_oldest_wait_seconds)", "s", 900),
            stat("Left out", "sum(max by (reason) (pma_ingest_run_accounts_left_out))", bad_from=None),
            Panel("Accounts of open runs", (("max by (progress) (pma_orders_run_accounts)", "{{progress}}"),), stacked=True, width=12),
            Panel("Left out by reason", (("max by (reason) (pma_ingest_run_accounts_left_out)", "{{reason}}"),), stacked=True, width=12),
        ),
    ),
    Row(
        "File to order",
        (
            Panel(
                "First file to orders, mean of the runs of a day",
                (
                    (
                        "sum(increase(pma_orders_file_to_order_seconds_sum[24h])) "
                        "/ sum(increase(pma_orders_file_to_order_seconds_count[24h]))",
                        "mean",
                    ),
                ),
                "s",
                bad_from=1_800,
                width=12,
            ),
            Panel(
                "Run opened to orders, mean of the runs of a day",
                (
                    (
                        "sum(increase(pma_orders_run_opened_to_orders_seconds_sum[24h])) "
                        "/ sum(increase(pma_orders_run_opened_to_orders_seconds_count[24h]))",
                        "mean",
                    ),
                ),
                "s",
                width=12,
            ),
        ),
    ),
    Row(
        "Orders",
        (
            Panel("Block orders by state", (("max by (state) (pma_orders_blocks)", "{{state}}"),), stacked=True),
            Panel("Executions a second", ((f"sum by (outcome) (rate(pma_orders_executions_total[{RATE}]))", "{{outcome}}"),), "reqps"),
            Panel("Trades booked a second", ((f"sum by (kind) (rate(pma_orders_trades_total[{RATE}]))", "{{kind}}"),), "reqps"),
            Panel(
                "Refusals in an hour, by reason", (("sum by (code) (increase(pma_orders_refusals_total[1h])) > 0", "{{code}}"),), width=16
            ),
            stat("Executions held", "max(pma_orders_held_executions)"),
            stat(
                "Executions unbooked, 24 h",
                f'sum(increase(pma_orders_executions_total{{outcome=~"{UNBOOKED}"}}[24h]))',
            ),
        ),
    ),
    Row(
        "Tax guards",
        (
            stat("Wash sales occurred, 24 h", "sum(increase(pma_wash_sale_denied_sales_total[24h]))"),
            stat(
                "Stopped at the last check, 24 h",
                'sum(increase(pma_orders_refusals_total{code=~"buy_in_window|loss_sale_in_window|lot_not_open|lot_oversold"}[24h]))',
                bad_from=None,
            ),
            stat("Ledgers held back", "max(pma_wash_sale_held_back_households)"),
            stat("Early inputs", "max(pma_wash_sale_early_inputs)", bad_from=None),
            stat("Losses planned, 24 h", "sum(increase(pma_optimizer_planned_loss_usd_total[24h]))", "currencyUSD", None),
            stat("Rule edits, 24 h", "sum(increase(pma_restrictions_rule_edits_total[24h]))", bad_from=None),
            Panel("Screens said a second", ((f"sum by (cause) (rate(pma_restrictions_screens_total[{RATE}]))", "{{cause}}"),), "reqps"),
            Panel("Ledgers said a second", ((f"sum by (cause) (rate(pma_wash_sale_ledgers_total[{RATE}]))", "{{cause}}"),), "reqps"),
            Panel(
                "Inputs refused in an hour",
                (
                    ("sum by (code) (increase(pma_wash_sale_refusals_total[1h]))", "wash_sale {{code}}"),
                    ("sum by (reason) (increase(pma_restrictions_refusals_total[1h]))", "restrictions {{reason}}"),
                ),
            ),
        ),
    ),
    Row(
        "What waits for a person",
        (
            Panel("Dead letters in an hour", (("pma:dead_letters:increase1h > 0", "{{service}} {{topic}}"),), bad_from=1),
            Panel("Parked households", (("pma:parked_households", "{{service}}"),), bad_from=1),
            Panel("Longest parked", (("pma:parked_oldest_age_seconds", "{{service}}"),), "s", bad_from=14_400),
        ),
    ),
    Row(
        "Solver",
        (
            Panel(
                "CPU seconds of an account",
                tuple(
                    (f"histogram_quantile({q}, sum by (le) (rate(pma_optimizer_solve_cpu_seconds_bucket[{RATE}])))", f"p{round(q * 100)}")
                    for q in (0.5, 0.95)
                ),
                "s",
                bad_from=10,
            ),
            Panel("Proposals in an hour", (("sum by (status) (increase(pma_optimizer_proposals_total[1h]))", "{{status}}"),), stacked=True),
            Panel("Declined in an hour", (("sum by (code) (increase(pma_optimizer_declined_total[1h])) > 0", "{{code}}"),), stacked=True),
            Panel(
                "Gap to the proven bound, bp (95 of 100 plans)",
                (
                    (f"histogram_quantile(0.95, sum by (le) (rate(pma_optimizer_gap_bps_bucket[{RATE}])))", "gap"),
                    (f"histogram_quantile(0.95, sum by (le) (rate(pma_optimizer_whole_shares_bps_bucket[{RATE}])))", "whole shares"),
                ),
                width=12,
                bad_from=0.5,
            ),
            Panel(
                "Plans in an hour, by what found them",
                (("sum by (method) (increase(pma_optimizer_solves_total[1h]))", "{{method}}"),),
                width=12,
                stacked=True,
            ),
            Panel("Households that wait", (("max(pma_optimizer_waiting_joins)", "households"),), width=12),
            Panel("Solved again: inputs moved", (("sum(increase(pma_optimizer_solved_again_total[1h]))", "in an hour"),), width=12),
        ),
    ),
    Row(
        "Requests and resources",
        (
            Panel(
                "Requests a second",
                (
                    (
                        f'sum by (job) (rate({{__name__=~"pma_[a-z_]+_http_request_seconds_count", {NO_PROBES}}}[{RATE}]))',
                        "{{job}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "p95 of a request",
                (
                    (
                        "histogram_quantile(0.95, sum by (job, le) "
                        f'(rate({{__name__=~"pma_[a-z_]+_http_request_seconds_bucket", {NO_PROBES}}}[{RATE}])))',
                        "{{job}}",
                    ),
                ),
                "s",
            ),
            Panel("Answers that are errors", (("pma:http_errors:ratio_rate5m", "5xx"),), "percentunit", bad_from=0.005),
            Panel(
                "Memory",
                (
                    (
                        f"process_resident_memory_bytes {OF_SERVICE}",
                        "{{service}} {{instance}}",
                    ),
                ),
                "bytes",
                bad_from=600 * 1024 * 1024,
            ),
            Panel(
                "Cores used",
                (
                    (
                        f"rate(process_cpu_seconds_total[{RATE}]) {OF_SERVICE}",
                        "{{service}} {{instance}}",
                    ),
                ),
            ),
            Panel(
                "Repeated, given up, lost",
                tuple(
                    (f'sum({{__name__=~"pma_[a-z_]+_{name}"}})', said)
                    for name, said in (
                        ("repeated_records_total", "repeated records dropped"),
                        ("fenced_batches_total", "batches given up to another owner"),
                        ("retention_lost_records_total", "records that Kafka deleted first"),
                    )
                ),
            ),
        ),
    ),
)
