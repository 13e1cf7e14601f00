"""The composition of a service: pool, bus, consumer, relays and background work, started and stopped together.

A service's `__main__` builds one with its handlers and its routes; the demo and the tests build all five in one process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.consumer import EventConsumer, Subscription, back_off
from libs.common.db import Pool, create_pool, is_transient, migrate, transaction
from libs.common.errors import DependencyDown, InvariantBroken
from libs.common.observe import Metrics, log
from libs.common.outbox import Relay, append_events
from libs.common.restored import refuse_if_restored
from libs.common.unit import Unit

if TYPE_CHECKING:
    from libs.common.catch_up import Adoption

LANES = ("http", "background")
CANCEL_AGAIN_S = 2.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0


class Service:
    """One service, running: `async with service.running():`.

    `background` are endless coroutines (solve loops, cut-off watches) that are restarted after a pause when a dependency is down.
    Anything else that one of them or the consumer raises is a bug: `failed` is set and the process must end.
    """

    def __init__(self, name: str, dsn: str, bus: Bus, clock: Clock, migrations: Path) -> None:
        self.name = name
        self.clock = clock
        self.bus = bus
        self.metrics = Metrics(name)
        self.failed = asyncio.Event()
        self.failure: BaseException | None = None
        self._dsn = dsn
        self._migrations = migrations
        self._pool: Pool | None = None
        self._consumer: EventConsumer | None = None
        self._relays: dict[str, Relay] = {}
        self._background: list[Callable[[], Awaitable[None]]] = []
        self._subscription: Subscription | None = None
        self._at_start: list[Callable[[], Awaitable[None]]] = []
        self._wakes: list[Callable[[], None]] = []
        self._adoption: Adoption | None = None
        self._may_speak = False
        self._begun = asyncio.Event()

    def subscribe(self, subscription: Subscription) -> None:
        """Say what the service takes from the bus; before it runs."""
        self._subscription = subscription
        self.metrics.start_at_zero(subscription.topics)

    @property
    def subscription(self) -> Subscription:
        """What the service takes from the bus."""
        if self._subscription is None:
            raise RuntimeError(f"{self.name} takes nothing")
        return self._subscription

    def catches_up_by(self, adoption: "Adoption") -> None:
        """Say how the service takes back what it said, after a restore."""
        self._adoption = adoption

    @property
    def adoption(self) -> "Adoption":
        """How the service takes back what it said."""
        if self._adoption is None:
            raise RuntimeError(f"{self.name} can't catch up")
        return self._adoption

    def add_background(self, work: Callable[[], Awaitable[None]]) -> None:
        """Add an endless coroutine that runs beside the consumer."""
        self._background.append(work)

    def at_start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` once after connecting, before the service takes anything: finish what a crash left half done."""
        self._at_start.append(work)

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake` after every committed batch of the consumer: background work may have something to do."""
        self._wakes.append(wake)

    @property
    def pool(self) -> Pool:
        """The connection pool of the running service."""
        if self._pool is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._pool

    @property
    def consumer(self) -> EventConsumer:
        """The consumer of the running service."""
        if self._consumer is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._consumer

    @property
    def ready(self) -> bool:
        """Partitions are assigned and PostgreSQL has answered."""
        return self._consumer is not None and self._consumer.ready and not self.failed.is_set()

    @asynccontextmanager
    async def unit(self, lane: str, actor: str, correlationid: str | None = None) -> AsyncIterator[Unit]:
        """A unit of work outside the consumer, on lane 'http' or 'background'; what it emits leaves after the commit.

        Raises DependencyDown until it is known that no backup stands behind what the service has said.
        """
        if not self._may_speak:
            raise DependencyDown(f"{self.name} has not begun: " + (str(self.failure) if self.failure else "Kafka has not answered yet"))
        async with transaction(self.pool) as connection:
            unit = Unit(connection, self.name, self.clock.now(), actor, correlationid=correlationid)
            yield unit
            await unit.batch.finish()
            if unit.emitted:
                await append_events(connection, f"{self.name}:{lane}", unit.emitted)
        if unit.emitted:
            self._relays[lane].wake()

    async def redrive(self, key: str) -> tuple[int, str | None]:
        """Apply a parked household's messages again; see EventConsumer.redrive."""
        outcome = await self.consumer.redrive(key)
        self._relays["background"].wake()
        return outcome

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Pool]:
        """Migrated and connected, and nothing more; a PostgreSQL that does not answer yet is waited for."""
        self._pool = await self._connect()
        try:
            yield self._pool
        finally:
            await self._pool.close()
            self._pool = None

    async def _connect(self) -> Pool:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await migrate(self._dsn, self.name, self._migrations)
                return await create_pool(self._dsn, self.name)
            except DependencyDown as error:
                log().warning("dependency_down", reason=str(error), pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def make_consumer(self, make: Callable[..., EventConsumer] = EventConsumer) -> EventConsumer:
        """The consumer of the subscription; `make` takes what EventConsumer takes."""
        return make(self.name, self.pool, self.bus, self.clock, self.metrics, self.subscription)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        """Migrate, connect, consume; on leaving, stop in the opposite order."""
        async with self.connected() as pool:
            tasks: list[asyncio.Task[None]] = []
            try:
                self._relays = {lane: Relay(pool, self.bus, f"{self.name}:{lane}") for lane in LANES}
                work: list[Callable[[], Awaitable[None]]] = [relay.run for relay in self._relays.values()]
                if self._subscription is not None:
                    self._consumer = self.make_consumer()
                    self._consumer.after_commit.extend(self._wakes)
                    work.append(self._consumer.run)
                tasks = [asyncio.create_task(self._guard(each)) for each in (*work, *self._background)]
                try:
                    await self._begin()
                except InvariantBroken as error:
                    self._fail(error)
                except DependencyDown:
                    tasks.append(asyncio.create_task(self._begin_when_answered()))
                yield self
            finally:
                self._begun.clear()
                self._may_speak = False
                await _cancel(tasks)
                self._consumer = None

    async def _begin(self) -> None:
        """See that PostgreSQL and Kafka fit each other, finish what a crash left half done, and let all work begin."""
        await refuse_if_restored(self.name, self.pool, self.bus)
        self._may_speak = True
        for start in self._at_start:
            await _down_is_down(start)
        self._begun.set()

    async def _begin_when_answered(self) -> None:
        """Try to begin until Kafka answers, while the work waits."""

        async def begin() -> None:
            await self._begin()
            await asyncio.Event().wait()

        try:
            await back_off(begin)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work once the service has begun; after each pause look again, since a database may have been restored meanwhile."""
        paused = False

        async def again() -> None:
            nonlocal paused
            if paused:
                await refuse_if_restored(self.name, self.pool, self.bus)
            paused = True
            await _down_is_down(work)

        try:
            await self._begun.wait()
            await back_off(again)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        trace = None if isinstance(error, InvariantBroken) else error  # what an invariant says is enough
        log().critical("service_failed", service=self.name, reason=repr(error), exc_info=trace)
        self.failure = error
        self.failed.set()


async def _down_is_down(work: Callable[[], Awaitable[None]]) -> None:
    """Also what reads outside a transaction meets a PostgreSQL that is down as DependencyDown."""
    try:
        await work()
    except Exception as error:
        if is_transient(error):
            raise DependencyDown(f"PostgreSQL: {error!r}") from error
        raise


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a library may swallow one cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
