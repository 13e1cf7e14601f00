"""Metrics and logs.  One registry a service, so that five services in one process keep their figures apart.

Labels are closed sets (topics, codes, states): never an account, an order or a ticker.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The figures that every service has; a service adds its own on `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        constant: dict[str, Any] = {"registry": self.registry, "namespace": "pma", "subsystem": service}
        self.consumed = Counter("consumed_records_total", "Records taken", ["topic"], **constant)
        self.repeated = Counter("repeated_records_total", "Records dropped because a relay sent them twice", ["topic"], **constant)
        self.dead_letters = Counter("dead_letters_total", "Records that could not be read", ["topic"], **constant)
        self.fenced = Counter("fenced_batches_total", "Batches given up: another owner had taken the partition", ["topic"], **constant)
        self.retention_lost = Counter(
            "retention_lost_records_total", "Records that Kafka dropped before they were taken", ["topic"], **constant
        )
        self.lag_records = Gauge("consumer_lag_records", "Records not yet taken", ["topic"], **constant)
        self.lag_seconds = Gauge("consumer_lag_seconds", "Age of the newest record taken while some wait, else 0", ["topic"], **constant)
        self.outbox_age = Gauge("outbox_oldest_age_seconds", "Age of the oldest unpublished event, 0 when none waits", **constant)
        self.outbox_rows = Gauge("outbox_rows", "Unpublished events", **constant)
        self.parked = Gauge("parked_households", "Households parked until redriven", **constant)
        self.parked_age = Gauge("parked_oldest_age_seconds", "How long the longest parked household waits, 0 when none does", **constant)
        self.ready = Gauge("ready", "1 while partitions are assigned and PostgreSQL answers", **constant)
        self.http = Histogram("http_request_seconds", "HTTP requests", ["method", "route", "status"], buckets=SECONDS_BUCKETS, **constant)
        ProcessCollector(registry=self.registry)  # memory, CPU, open files, start time of the process

    def start_at_zero(self, topics: Sequence[str]) -> None:
        """Make the counters of these topics now: Prometheus does not see the step from no counter to one."""
        for topic in topics:
            for counter in (self.consumed, self.repeated, self.dead_letters, self.fenced, self.retention_lost):
                counter.labels(topic)


def configure_logs(level: str) -> None:
    """JSON lines on standard error.

    aiokafka says thousands of lines a minute of a lost broker; what matters of it the services say themselves (`dependency_down`).
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def log() -> Any:
    """The process's structured logger."""
    return structlog.get_logger()
