"""Account states of 2,000 lots written a second, by ingest's own save path, on a real PostgreSQL with fsync.

    python -m benchmarks.states [--accounts 2000] [--lots 2000] [--batch 50]

A state is the account's book with its snapshot, just read: packed (JSON, zstd 1) and written in batches of one transaction each, as a
delivery is applied.  Beside it, from the same run: the bare part, as many equally large bodies, packed before, by one unnest a batch into
a table with a primary key.  Prints one JSON line.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from benchmarks import book
from benchmarks.machine import cpu_s, machine, tree
from deploy.local import postgres
from libs.common.db import Connection, create_pool, migrate, transaction
from libs.common.packing import pack
from services import ingest
from services.ingest import store
from services.ingest.core.book import AccountBook, apply_snapshot, publishable
from services.ingest.core.holdings_csv import HoldingsReader
from services.ingest.core.intake import AccountIntake

DISTINCT = 100
BARE = "CREATE TABLE bare (account_id text PRIMARY KEY, body bytea NOT NULL)"
PLAIN_INSERT = "INSERT INTO bare SELECT * FROM unnest($1::text[], $2::bytea[])"


def bodies(lots: int) -> list[bytes]:
    """The packed books of `DISTINCT` accounts."""
    sizes = book.Sizes(DISTINCT, lots, files=1)
    made = []
    for number, holdings in enumerate(HoldingsReader("bench", ["".join(book.holdings_lines(sizes, 0))]).accounts()):
        intake = msgspec.convert(book.master_record(sizes, number), AccountIntake)
        if holdings.snapshot is None:
            raise RuntimeError(holdings.quarantine)
        made.append(pack(publishable(apply_snapshot(AccountBook(intake), holdings.snapshot, []), [])[0]))
    return made


def book_of(body: bytes, number: int) -> AccountBook:
    """A book just read, under an account id of its own."""
    found = store.decode_book(body)
    return msgspec.structs.replace(found, intake=msgspec.structs.replace(found.intake, account_id=f"S{number:06d}"))


async def timed(
    pool: asyncpg.Pool,
    accounts: int,
    batch: int,
    give: Callable[[int], Any],
    write: Callable[[Connection, Sequence[Any]], Awaitable[object]],
) -> tuple[float, float]:
    """Seconds by the clock and CPU seconds of this process for writing the accounts; what makes them ready before is not counted."""
    clock = cpu = 0.0
    for start in range(0, accounts, batch):
        items = [give(number) for number in range(start, min(accounts, start + batch))]
        clock, cpu = clock - time.perf_counter(), cpu - time.process_time()
        async with transaction(pool) as connection:
            await write(connection, items)
        clock, cpu = clock + time.perf_counter(), cpu + time.process_time()
    return clock, cpu


async def write_bare(connection: Connection, rows: Sequence[tuple[str, bytes]]) -> None:
    ids, bodies = zip(*rows, strict=True)
    await connection.execute(PLAIN_INSERT, ids, bodies)


async def measure(server: postgres.Postgres, accounts: int, lots: int, batch: int) -> dict[str, Any]:
    await migrate(server.dsn, "ingest", Path(ingest.__file__).parent / "migrations")
    pool = await create_pool(server.dsn, "ingest")
    try:
        packed = bodies(lots)
        await pool.execute(BARE)
        await pool.execute("ALTER TABLE bare ALTER COLUMN body SET STORAGE EXTERNAL")
        bare_s, _ = await timed(pool, accounts, batch, lambda i: (f"S{i:06d}", packed[i % len(packed)]), write_bare)
        before = cpu_s(tree(server.pid))
        save_s, client_s = await timed(pool, accounts, batch, lambda i: book_of(packed[i % len(packed)], i), store.save_books)
        server_s = cpu_s(tree(server.pid)) - before
    finally:
        await pool.close()
    return {
        "benchmark": "states",
        "accounts": accounts,
        "lots": lots,
        "batch": batch,
        "body_bytes": len(packed[0]),
        "states_per_s": round(accounts / save_s),
        "bare_writes_per_s": round(accounts / bare_s),
        "ratio": round(bare_s / save_s, 3),
        "client_cpu_ms_a_state": round(1e3 * client_s / accounts, 3),
        "server_cpu_ms_a_state": round(1e3 * server_s / accounts, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.states", description=__doc__)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--lots", type=int, default=2_000)
    parser.add_argument("--batch", type=int, default=50)
    options = parser.parse_args()
    with postgres.temporary(fast=False) as server:
        line = asyncio.run(measure(server, options.accounts, options.lots, options.batch))
    sys.stdout.write(json.dumps({**line, **machine()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
