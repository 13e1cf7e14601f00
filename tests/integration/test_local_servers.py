"""PostgreSQL and Kafka as this machine runs them: real, over TCP, stopped by id, and the same after a restart."""

import asyncio
import dataclasses
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from deploy.local import kafka, postgres, process, scratch
from deploy.local.process import LocalServerError
from deploy.topics import TopicsRefused, make_topics
from libs.common.bus.kafka import KafkaBus
from libs.common.topics import TOPICS
from tests.waiting import eventually


async def ask(dsn: str, *statements: str) -> object:
    """Run the statements on one connection; the last one's first value."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose PostgreSQL is stopped afterwards, whatever the test did."""
    with scratch.scratch_directory("server") as directory:
        yield directory
        postgres.stop(directory)


async def test_postgres_18_answers_over_tcp_and_tests_run_without_fsync(postgres_dsn: str) -> None:
    assert str(await ask(postgres_dsn, "SHOW server_version")).startswith("18.")
    assert await ask(postgres_dsn, "SHOW fsync") == "off"
    assert await ask(postgres_dsn, "SHOW unix_socket_directories") == ""


async def test_each_test_has_an_empty_database(fresh_database: str) -> None:
    assert await ask(fresh_database, "CREATE TABLE t (i int)", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1


async def test_and_the_next_test_does_not_see_it(fresh_database: str) -> None:
    assert await ask(fresh_database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


async def test_a_killed_postgres_comes_back_on_its_port_with_what_was_committed(home: Path) -> None:
    first = postgres.start(home)
    assert await ask(first.dsn, "SHOW fsync") == "on"
    await ask(first.dsn, "CREATE TABLE kept AS SELECT 7 AS i", "SELECT 1")
    os.kill(first.pid, signal.SIGKILL)
    await eventually(lambda: not process.is_running(first.pid))
    second = postgres.start(home)
    assert (second.dsn, second.pid != first.pid) == (first.dsn, True)
    assert await ask(second.dsn, "SELECT i FROM kept") == 7
    assert postgres.start(home) == second


def test_stopping_postgres_twice_is_no_error(home: Path) -> None:
    postgres.start(home, fast=True)
    assert postgres.stop(home) is True
    assert postgres.stop(home) is False


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(home: Path) -> None:
    server = postgres.start(home, fast=True)
    pid_file = server.home / "data" / "postmaster.pid"
    left = pid_file.read_text()
    postgres.stop(home)
    pid_file.write_text(left.replace(str(server.pid), str(os.getpid()), 1))
    assert postgres.stop(home) is False
    assert postgres.start(home, fast=True).pid != os.getpid()


def test_data_of_another_major_version_is_refused(home: Path) -> None:
    server = postgres.start(home, fast=True)
    postgres.stop(home)
    (server.home / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(LocalServerError, match="made by PostgreSQL 15"):
        postgres.start(home)


def test_postgres_never_runs_as_root(postgres_server: postgres.Postgres) -> None:
    assert (postgres_server.home / "data").stat().st_uid != 0


def test_a_home_that_the_servers_account_cannot_enter_is_no_obstacle(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = postgres.start(tmp_path / "postgres", fast=True)
    try:
        assert process.is_running(server.pid)
    finally:
        postgres.stop(tmp_path / "postgres")
        shutil.rmtree(server.home)


def test_what_a_killed_run_left_behind_is_stopped_and_removed(postgres_server: postgres.Postgres) -> None:
    with scratch.scratch_directory("sweep") as ours:
        gone = process.spawn(["true"], ours / "log")
        assert process.wait_until(lambda: not process.is_running(gone), 5.0)
        left = ours.with_name(ours.name.replace(f"-{os.getpid()}-", f"-{gone}-"))
        left.mkdir(mode=0o711)
        server = postgres.start(left, fast=True)
        scratch.sweep()
        assert not process.is_running(server.pid)
        assert (left.exists(), ours.exists(), postgres_server.home.exists()) == (False, True, True)


def test_stop_leaves_a_process_alone_that_is_not_ours(tmp_path: Path) -> None:
    pid = process.spawn(["sleep", "30"], tmp_path / "log")
    assert process.wait_until(lambda: process.is_running(pid, "sleep 30"), 10.0), "the shell has become the program"
    process.stop(pid, "/some/home/of/ours")
    assert process.is_running(pid, "sleep 30")
    process.stop(pid, "sleep 30")
    assert not process.is_running(pid)


@pytest.mark.kafka
async def test_topics_are_made_as_the_code_says_and_no_others(kafka_bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics([topic.name for topic in TOPICS])
        assert {d["topic"]: len(d["partitions"]) for d in described} == {topic.name: topic.partitions for topic in TOPICS}
        unknown = await admin.describe_topics(["not.in.the.code"])
        assert unknown[0]["error_code"] == UnknownTopicOrPartitionError.errno
        assert "not.in.the.code" not in await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.kafka
async def test_a_topic_with_other_partitions_than_the_code_says_is_refused(kafka_bootstrap: str) -> None:
    await make_topics(kafka_bootstrap, TOPICS)
    with pytest.raises(TopicsRefused, match=f"{TOPICS[0].name} has {TOPICS[0].partitions} partitions, not 9"):
        await make_topics(kafka_bootstrap, [dataclasses.replace(TOPICS[0], partitions=9)])


@pytest.mark.kafka
async def test_kafka_keeps_its_port_cluster_and_messages_over_a_restart(kafka_bootstrap: str) -> None:
    topic = TOPICS[0].name
    with scratch.scratch_directory("restart") as home:
        try:
            first = await asyncio.to_thread(kafka.start, home)
            cluster_id = await KafkaBus(first.bootstrap).cluster_id()
            async with AIOKafkaProducer(bootstrap_servers=first.bootstrap) as producer:
                await producer.send_and_wait(topic, b"kept", partition=0)
            os.kill(first.pid, signal.SIGKILL)
            await eventually(lambda: not process.is_running(first.pid))
            second = await asyncio.to_thread(kafka.start, home)
            assert second.bootstrap == first.bootstrap != kafka_bootstrap
            assert await KafkaBus(second.bootstrap).cluster_id() == cluster_id != await KafkaBus(kafka_bootstrap).cluster_id()
            async with AIOKafkaConsumer(topic, bootstrap_servers=second.bootstrap, auto_offset_reset="earliest") as consumer:
                assert (await consumer.getone()).value == b"kept"
            assert await asyncio.to_thread(kafka.stop, home) is True
            assert kafka.stop(home) is False
        finally:
            kafka.stop(home)


def test_without_java_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert kafka.missing_programs() == ["java", "mvn"]
    with pytest.raises(LocalServerError, match="java is not installed"):
        kafka.start(tmp_path / "kafka")


def test_an_old_java_is_refused_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LocalServerError, match=r"needs Java 17 or newer.*11\.0\.2"):
        kafka.start(tmp_path / "kafka")
