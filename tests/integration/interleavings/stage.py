"""Replicas of the orders service on one database and one in-process bus, what they say, and the order in which the database took it."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
from fastapi import FastAPI
from msgspec import Struct

from libs.common import topics
from libs.common.bus import TopicPartition
from libs.common.bus.memory import MemoryBus
from libs.common.clock import SystemClock
from libs.common.events import EVENT_TYPES, from_record, make_event, payload_of, to_record
from libs.common.restored import place_in_lane
from libs.common.schemas.market import MarketPublished
from libs.common.schemas.order import OrderCancelled, OrderEnded, OrderPlaced, TradeBooked
from libs.common.service import Service
from services.orders.settings import OrdersSettings
from services.orders.wiring import build
from tests.integration.orders_stage import place_of
from tests.waiting import eventually

TAKEN = (topics.ACCOUNTS, topics.SCREENS, topics.LEDGERS, topics.MARKET, topics.PROPOSALS, topics.EXECUTIONS)

# Orders are placed, end and are booked by transactions that stand alone, one after the other, so the numbers are their order.
LOG = """
CREATE TABLE orders.observed (
  n bigserial PRIMARY KEY, what text NOT NULL, id text NOT NULL, xact xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE FUNCTION orders.observe_block() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'INSERT' THEN INSERT INTO orders.observed (what, id) VALUES ('placed', NEW.cl_ord_id);
  ELSIF NEW.ended AND NOT OLD.ended THEN INSERT INTO orders.observed (what, id) VALUES ('ended', NEW.cl_ord_id);
  END IF; RETURN NULL; END $$;
CREATE TRIGGER observe AFTER INSERT OR UPDATE ON orders.block FOR EACH ROW EXECUTE FUNCTION orders.observe_block();
CREATE FUNCTION orders.observe_trade() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO orders.observed (what, id) VALUES ('booked', NEW.trade_id); RETURN NULL; END $$;
CREATE TRIGGER observe AFTER INSERT ON orders.trade FOR EACH ROW EXECUTE FUNCTION orders.observe_trade();
CREATE FUNCTION orders.observe_switch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO orders.observed (what, id) VALUES ('switch', NEW.is_on::text); RETURN NULL; END $$;
CREATE TRIGGER observe AFTER UPDATE ON orders.kill_switch FOR EACH ROW EXECUTE FUNCTION orders.observe_switch();
"""


@dataclass(frozen=True)
class Observed:
    """One thing that the database took: an order placed or ended, a trade booked, the kill switch turned."""

    n: int
    what: str
    id: str
    xact: int


@dataclass
class Ear:
    """What the service has said, each event once, by its id; read on from where it was left.

    What a relay sent again, because its replica went between publishing and marking, is dropped by its place in its lane, as consumers do.
    """

    bus: MemoryBus
    placed: dict[str, OrderPlaced] = field(default_factory=dict)
    ended: dict[str, OrderEnded] = field(default_factory=dict)
    cancels: dict[str, OrderCancelled] = field(default_factory=dict)
    trades: dict[str, TradeBooked] = field(default_factory=dict)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    orders_of: dict[str, list[OrderPlaced]] = field(default_factory=lambda: defaultdict(list))
    trades_of: dict[str, list[TradeBooked]] = field(default_factory=lambda: defaultdict(list))
    twice: list[str] = field(default_factory=list)
    lanes: dict[tuple[TopicPartition, str], int] = field(default_factory=dict)

    def listen(self) -> None:
        for partition in self.bus.all_partitions((topics.ORDERS, topics.TRADES)):
            for record in self.bus.records_from(partition, self.positions.get(partition, 0), 1_000_000):
                self.positions[partition] = record.offset + 1
                lane, number = place_in_lane(record.headers) or ("", 0)
                if lane and number <= self.lanes.get((partition, lane), 0):
                    continue
                self.lanes[partition, lane] = number
                event = from_record(record.key, record.value, record.headers)
                if event.id in self.events:
                    self.twice.append(f"{event.type} {event.subject}")
                self.events.add(event.id)
                match payload_of(event, EVENT_TYPES[event.type].payload):
                    case OrderPlaced() as order:
                        self.placed[order.cl_ord_id] = order
                        self.orders_of[name_in(order.run_id)].append(order)
                    case OrderEnded() as end:
                        self.ended[end.cl_ord_id] = end
                    case OrderCancelled() as cancel:
                        self.cancels[cancel.cl_ord_id] = cancel
                    case TradeBooked() as trade:
                        self.trades[trade.trade_id] = trade
                        self.trades_of[name_in(trade.run_id)].append(trade)


def name_in(run_id: str) -> str:
    """The history that a run is of."""
    return run_id.partition("-")[0]


@dataclass
class Stage:
    """Two replicas, sometimes a third, and one client."""

    dsn: str
    bus: MemoryBus
    ear: Ear
    service: Service
    http: httpx.AsyncClient
    markets: list[MarketPublished] = field(default_factory=list)
    parked: bool = False

    async def say(self, *payloads: Struct) -> None:
        """Publish and don't wait."""
        now = self.service.clock.now()
        await self.bus.publish([to_record(make_event("test", one, *place_of(one), now, "c1")) for one in payloads])

    async def taken(self) -> None:
        """Wait until the service has committed all that was published until now."""
        ends = {partition: self.bus.end_offset(partition) for partition in self.bus.all_partitions(TAKEN)}
        behind: list[str] = []

        async def reached() -> bool:
            rows = await self.service.pool.fetch("SELECT topic, partition, next_offset FROM consumed")
            marks = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            behind[:] = [f"{p.topic}/{p.partition}: {marks.get(p, 0)} of {end}" for p, end in ends.items() if marks.get(p, 0) < end]
            return not behind

        try:
            await eventually(reached, 120.0, "everything taken")
        except AssertionError as late:
            late.add_note(f"behind: {', '.join(behind)}; the first replica has {sorted(self.service.consumer.owned)}")
            raise

    async def last_observed(self) -> int:
        """The number of the last thing taken, once nothing stands alone any more: what comes later has seen all that was taken."""
        async with self.service.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('orders'))")
            return int(await connection.fetchval("SELECT coalesce(max(n), 0) FROM observed"))

    async def log(self) -> list[Observed]:
        rows = await self.service.pool.fetch("SELECT n, what, id, xact::text::bigint AS xact FROM observed ORDER BY n")
        return [Observed(row["n"], row["what"], row["id"], row["xact"]) for row in rows]

    async def post(self, path: str, **body: object) -> int:
        answer = await self.http.post(path, json=body or None)
        assert answer.status_code in (200, 404, 409), answer.text
        return answer.status_code

    @asynccontextmanager
    async def replica(self) -> AsyncIterator[Service]:
        """One more replica for the length of the block: partitions move to it and back."""
        service, app = build_replica(self.dsn, self.bus)
        async with app.router.lifespan_context(app):
            yield service
            assert service.failure is None, repr(service.failure)


def build_replica(dsn: str, bus: MemoryBus) -> tuple[Service, FastAPI]:
    settings = OrdersSettings(postgres_dsn=dsn, kafka_bootstrap="in-process", watch_s=0.05, retry_s=0.5, _env_file=None)
    return build(settings, bus, SystemClock())


@asynccontextmanager
async def running(dsn: str) -> AsyncIterator[Stage]:
    """Two replicas and the log."""
    bus = MemoryBus()
    async with AsyncExitStack() as stack:
        service, app = build_replica(dsn, bus)
        await stack.enter_async_context(app.router.lifespan_context(app))
        admin = await asyncpg.connect(dsn)
        try:
            await admin.execute(LOG)
        finally:
            await admin.close()
        client = await stack.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders"))
        stage = Stage(dsn, bus, Ear(bus), service, client)
        async with stage.replica():
            yield stage
            assert service.failure is None, repr(service.failure)
