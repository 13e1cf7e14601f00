"""Kafka and a durable PostgreSQL of a run's own, which it may stop in several ways and start again on the same data."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka, postgres, process
from deploy.local.scratch import scratch_directory

STOP_DEADLINE_S = 30.0


@dataclass
class Servers:
    """Both servers, by their homes."""

    kafka_home: Path
    postgres_home: Path
    bootstrap: str
    dsn: str

    def stop_kafka(self, how: signal.Signals) -> None:
        """SIGTERM: in order; SIGKILL: at once."""
        pid = int((self.kafka_home / "kafka.pid").read_text())
        process.stop(pid, str(self.kafka_home), STOP_DEADLINE_S, gently=how)

    def start_kafka(self) -> None:
        """Again, on the same data and the same port."""
        assert kafka.start(self.kafka_home).bootstrap == self.bootstrap

    def stop_postgres(self, how: signal.Signals) -> None:
        """SIGINT: fast, open transactions roll back; SIGQUIT: immediate, without a checkpoint, so that the next start recovers."""
        pid = int((self.postgres_home / "data" / "postmaster.pid").read_text().split()[0])
        process.stop(pid, str(self.postgres_home), STOP_DEADLINE_S, gently=how)

    def start_postgres(self) -> None:
        """Again, on the same data and the same port."""
        server = postgres.start(self.postgres_home, fast=False)
        assert server.dsn == self.dsn


@contextlib.asynccontextmanager
async def running_servers() -> AsyncIterator[Servers]:
    """Both, new and empty, for the length of the block."""
    with scratch_directory("kafka") as kafka_home, scratch_directory("postgres") as postgres_home:
        try:
            node, server = await asyncio.gather(
                asyncio.to_thread(kafka.start, kafka_home), asyncio.to_thread(postgres.start, postgres_home, fast=False)
            )
            yield Servers(kafka_home, postgres_home, node.bootstrap, server.dsn)
        finally:
            await asyncio.to_thread(postgres.stop, postgres_home)
            await asyncio.to_thread(kafka.stop, kafka_home)
