"""What benchmarks/consumer.py and benchmarks/latency.py push through: account events of two sizes, and a service that keeps their state.

The account event of 2,000 lots is the platform's own (columns, decimals as strings, zstd level 1); the one of 1 KB is the same with
ten lots.
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from libs.common import events
from libs.common.bus import Bus
from libs.common.clock import SystemClock
from libs.common.consumer import Subscription
from libs.common.events import Event, EventType, Record, make_event, to_record
from libs.common.schemas.account import AccountChanged, Budgets, LotColumns, TaxRates
from libs.common.service import Service
from libs.common.unit import Unit

IN_TOPIC = "bench.in.v1"
OUT_TOPIC = "bench.out.v1"
SAID_ON = "bench.said.on"
MIGRATIONS = Path(__file__).parents[1] / "services/ingest/migrations"
STATE_DDL = (
    "CREATE TABLE IF NOT EXISTS bench_state (account_id text PRIMARY KEY, version int NOT NULL, body bytea NOT NULL)",
    "ALTER TABLE bench_state ALTER COLUMN body SET STORAGE EXTERNAL",
)
SAVE = """INSERT INTO bench_state AS s (account_id, version, body) SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[])
    ON CONFLICT (account_id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body WHERE s.version < EXCLUDED.version"""


@dataclass(frozen=True)
class Case:
    """One size of event: how many records of how many accounts, and the aimed ratio to the bare loop.

    `whole`: the handler takes the whole payload, so every lot is decoded; otherwise only its head, and the body is kept as it came.
    """

    name: str
    lots: int
    records: int
    accounts: int
    aim: float | None
    whole: bool = False

    @property
    def value_bytes(self) -> int:
        return len(records_of(Case(self.name, self.lots, 1, 1, None))[0].value)


CASES = (
    Case("1KB", 10, 30_000, 64, 0.55),
    Case("account", 2_000, 2_000, 64, 0.45),
    Case("account-decoded", 2_000, 2_000, 64, None, whole=True),
    Case("each-its-own", 2_000, 1_000, 1_000, None),
)


class Head(Struct, frozen=True):
    """What a keeper of states needs of an account."""

    account_id: str
    version: int


def bench_events(whole: bool = False) -> None:
    """Account events on the benchmark's own topics; only in the benchmark's processes."""
    events.EVENT_TYPES["pma.account.changed"] = EventType("pma.account.changed", IN_TOPIC, AccountChanged if whole else Head)
    events.EVENT_TYPES[SAID_ON] = EventType(SAID_ON, OUT_TOPIC, AccountChanged)
    events.TYPE_OF_PAYLOAD[AccountChanged] = events.EVENT_TYPES["pma.account.changed"]


def account(number: int, version: int, lots: int) -> AccountChanged:
    """An account of `lots` lots that look like a custodian's: opaque ids, cents, dates over fifteen years."""
    draw = random.Random(number)
    columns = LotColumns(
        [f"{draw.getrandbits(40):010x}" for _ in range(lots)],
        [f"SIM{draw.randrange(400):03d}" for _ in range(lots)],
        [str(draw.randrange(1, 900)) for _ in range(lots)],
        [f"{draw.randrange(10_000, 9_999_999) / 100:.2f}" for _ in range(lots)],
        [f"20{draw.randrange(10, 25)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}" for _ in range(lots)],
        [False] * lots,
    )
    name, one = f"ACC{number:06d}", Decimal("0.01")
    head: tuple[Any, ...] = (
        name,
        f"HH{number:06d}",
        "T1",
        "bench",
        "taxable",
        version,
        date(2026, 1, 2),
        0,
        "open",
        None,
        "s",
        "auto",
        False,
    )
    money = (TaxRates(Decimal("0.408"), Decimal("0.238")), Budgets(), Decimal(2), one, one, Decimal(100), Decimal("1000.12"), Decimal(0))
    return AccountChanged(*head, *money, [], [], None, [], columns, {}, [])


def records_of(case: Case) -> list[Record]:
    """The case's records: the accounts in turn, with rising versions."""
    bench_events(whole=True)
    now = datetime.now(UTC)
    found = []
    first = [account(number, 1, case.lots) for number in range(case.accounts)]
    for number in range(case.records):
        payload = structs.replace(first[number % case.accounts], version=number // case.accounts + 1)
        event = make_event("bench", payload, payload.account_id, payload.version, payload.household_id, now, "bench")
        found.append(to_record(event))
    return found


class StateKeeper:
    """Keeps the newest body of each account, and says every event on, its bytes as they came."""

    async def __call__(self, unit: Unit, event: Event, changed: AccountChanged | Head) -> None:
        states: dict[str, tuple[int, bytes]] | None = unit.held("states")
        if states is None:
            states = {}
            unit.hold("states", states, self._save)
        states[changed.account_id] = (changed.version, event.data)
        unit.emitted.append(structs.replace(event, type=SAID_ON, source="ingest", causationid=event.id))

    async def _save(self, unit: Unit, states: dict[str, tuple[int, bytes]]) -> None:
        names = sorted(states)
        await unit.connection.execute(SAVE, names, [states[n][0] for n in names], [states[n][1] for n in names])


def full_service(dsn: str, bus: Bus) -> Service:
    """A service with the whole backbone and the smallest of handlers."""
    service = Service("ingest", dsn, bus, SystemClock(), MIGRATIONS)
    keeper = StateKeeper()
    service.subscribe(Subscription((IN_TOPIC,), {AccountChanged: keeper, Head: keeper}))

    async def make_table() -> None:
        async with service.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(7)")
            for statement in STATE_DDL:
                await connection.execute(statement)

    service.at_start(make_table)
    return service
