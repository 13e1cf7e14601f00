"""Gauges that are read from the tables: deliveries by state, accounts that can't trade by reason, breaks, custodians that are late."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, time

from libs.common.clock import trade_date_of
from libs.common.db import Connection, transaction
from libs.common.service import Service
from services.ingest import delivery_store
from services.ingest.core.delivery import DeliveryState
from services.ingest.core.run import file_is_late
from services.ingest.metrics import UNUSABLE, IngestMetrics

EVERY_S = 15.0


def table_watch(service: Service, metrics: IngestMetrics, files_cutoff: time) -> Callable[[], Awaitable[None]]:
    """Set the gauges again and again, for ever; Prometheus asks no more often."""

    async def watch() -> None:
        while True:
            async with transaction(service.pool) as connection:
                await observe_tables(connection, metrics, service.clock.now(), files_cutoff)
            await asyncio.sleep(EVERY_S)

    return watch


async def observe_tables(connection: Connection, metrics: IngestMetrics, now: datetime, files_cutoff: time) -> None:
    """Set every gauge of the service's own tables; `now` is UTC, `files_cutoff` New York time."""
    today = trade_date_of(now)
    late = file_is_late(now, today, files_cutoff)
    metrics.custodians_late.set(len(await delivery_store.custodians_missing(connection, today)) if late else 0)

    rows = await connection.fetch("SELECT state, count(*) AS deliveries FROM delivery GROUP BY state")
    deliveries = {row["state"]: row["deliveries"] for row in rows}
    for state in DeliveryState:
        metrics.deliveries.labels(state).set(deliveries.get(state, 0))

    row = await connection.fetchrow(
        "SELECT count(*) AS accounts, coalesce(sum(breaks), 0) AS breaks, count(*) FILTER (WHERE breaks > 0) AS with_breaks, "
        "count(*) FILTER (WHERE quarantine IS NOT NULL) AS quarantined, count(*) FILTER (WHERE business_date IS NULL) AS no_holdings, "
        "count(*) FILTER (WHERE quarantine IS NULL AND business_date < newest) AS stale "
        "FROM (SELECT *, max(business_date) OVER (PARTITION BY custodian) AS newest FROM account) a"
    )
    metrics.accounts.set(row["accounts"])
    metrics.breaks.set(row["breaks"])
    metrics.accounts_with_breaks.set(row["with_breaks"])
    for reason in UNUSABLE:
        metrics.unusable.labels(reason).set(row[reason])
