"""Gauges that are read from the tables: blocks by state, accounts of open runs by progress, waits, the kill switch."""

import asyncio
from datetime import datetime

from libs.common.db import Connection, transaction
from libs.common.service import Service
from services.orders.core.run_state import Progress
from services.orders.metrics import OrdersMetrics

EVERY_S = 1.0
STATES = ("new", "partially_filled", "filled", "cancelled", "rejected", "expired")


async def watch_tables(service: Service, metrics: OrdersMetrics) -> None:
    """Set the gauges every second, for ever."""
    while True:
        async with transaction(service.pool) as connection:
            await observe_tables(connection, metrics, service.clock.now())
        await asyncio.sleep(EVERY_S)


async def observe_tables(connection: Connection, metrics: OrdersMetrics, now: datetime) -> None:
    """Set every gauge of the service's own tables; `now` is UTC."""
    blocks = {row["state"]: row["blocks"] for row in await connection.fetch("SELECT state, count(*) AS blocks FROM block GROUP BY state")}
    for state in STATES:
        metrics.blocks.labels(state).set(blocks.get(state, 0))
    rows = await connection.fetch(
        "SELECT progress, count(*) AS accounts, min(changed_at) AS since FROM run_account JOIN run USING (run_id) "
        "WHERE closed_at IS NULL GROUP BY progress"
    )
    accounts = {row["progress"]: row for row in rows}
    for progress in Progress:
        metrics.accounts.labels(progress).set(accounts[progress]["accounts"] if progress in accounts else 0)
    waiting = accounts.get(Progress.WAITING)
    metrics.oldest_wait.set(max(0.0, (now - waiting["since"]).total_seconds()) if waiting else 0)
    row = await connection.fetchrow("SELECT (SELECT coalesce(sum(held), 0) FROM block) AS held, (SELECT is_on FROM kill_switch) AS is_on")
    metrics.held.set(row["held"])
    metrics.kill_switch.set(row["is_on"])
    row = await connection.fetchrow("SELECT count(*) AS runs, min(cutoff_at) AS first FROM run WHERE closed_at IS NULL")
    metrics.open_runs.set(row["runs"])
    metrics.to_cutoff.set((row["first"] - now).total_seconds() if row["runs"] else 0)
