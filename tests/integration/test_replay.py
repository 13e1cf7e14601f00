"""Same pins, same bytes: a recorded course of two days runs again to the same decisions and orders; a changed pin or byte is found."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from demo.compare import Compared
from demo.observer import Observer
from demo.recording import EVENTS, Recorded, read_recording, write_recording
from demo.replay import ReplayFailed, parts_of
from demo.replay import replay as run_again
from demo.sample.days import DEMO_DAYS
from deploy.local.postgres import Postgres
from libs.common.schemas.ledger import LedgerUpdated
from services.optimizer.pool import InlinePool, SolverPool
from tests.databases import create
from tests.integration.restore_stage import Days, running

pytestmark = pytest.mark.usefixtures("kernels")


@dataclass
class Replays:
    """A recording, and what came of it as it is and with one thing changed."""

    recording: list[Recorded]
    same: Compared
    with_another_pin: Compared
    with_another_byte: Compared


async def recorded_days(days: Days, dsn: str, file: Path) -> list[Recorded]:
    """Two days, written to a file as the demo does, and read again."""
    observer = Observer(days.bus)
    observing = asyncio.create_task(observer.run())
    async with running(days, dsn) as platform:
        for day in DEMO_DAYS[:2]:
            await platform.play(day)
        total = len(days.said())
        await observer.until(lambda: len(observer.events) == total, 60.0, "the observer")
    observing.cancel()
    await asyncio.gather(observing, return_exceptions=True)
    write_recording(file, observer.events)
    return read_recording(file)


def first_run_only(recording: Sequence[Recorded]) -> list[Recorded]:
    """Up to where the second run opens."""
    second = [place for place, each in enumerate(recording) if each.type == "pma.run.opened"][1]
    return list(recording[:second])


def with_raised_ledgers(recording: Sequence[Recorded]) -> list[Recorded]:
    """As if one household's ledger had passed through one version more."""
    changed = []
    for each in recording:
        payload = each.payload()
        if isinstance(payload, LedgerUpdated) and payload.household_id == "H003":
            each = replace(each, data=Raw(msgspec.json.encode(replace(payload, version=payload.version + 1))))  # noqa: PLW2901
        changed.append(each)
    return changed


def with_another_cent(recording: Sequence[Recorded]) -> list[Recorded]:
    """As if the first recorded proposal had said one byte else."""
    place = next(place for place, each in enumerate(recording) if each.type == "pma.proposal.created")
    data = bytes(recording[place].data).replace(b'"cost":"', b'"cost":"1', 1)
    return [*recording[:place], replace(recording[place], data=Raw(data)), *recording[place + 1 :]]


@pytest.fixture(scope="module")
def replays(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Replays:
    async def all_of_it() -> Replays:
        directory = tmp_path_factory.mktemp("recorded")
        recording = await recorded_days(Days(directory), await create(postgres_server, "recorded"), directory / EVENTS)
        day = first_run_only(recording)
        changes = {"pin": with_raised_ledgers(day), "byte": with_another_cent(day)}
        changed = {
            name: await run_again(events, await create(postgres_server, f"replayed_{name}"), InlinePool(), lambda *_: None)
            for name, events in changes.items()
        }
        same = await run_again(recording, await create(postgres_server, "replayed"), SolverPool(2), lambda *_: None)
        return Replays(recording, same, changed["pin"], changed["byte"])

    return asyncio.run(all_of_it())


def test_every_decision_and_order_comes_out_byte_for_byte(replays: Replays) -> None:
    assert replays.same.first is None, replays.same.text()
    said = [each.type for each in replays.recording]
    assert replays.same.equal == {name: said.count(name) for name in replays.same.equal}
    assert min(replays.same.equal[name] for name in ("pma.proposal.created", "pma.proposal.declined", "pma.order.placed")) > 0
    assert sum(replays.same.different.values()) == 0


def test_a_changed_pin_is_found_and_named(replays: Replays) -> None:
    assert not replays.with_another_pin.same
    assert "pins.ledger_version" in replays.with_another_pin.text()


def test_a_changed_byte_is_found_and_its_member_named(replays: Replays) -> None:
    compared = replays.with_another_byte
    assert compared.different == {"pma.proposal.created": 1}
    assert compared.first is not None
    assert re.fullmatch(r"  trades\[0\]\.cost: recorded '1(.*)', replayed '\1'", compared.first.splitlines()[1])


def test_a_recording_that_breaks_off_in_a_run_is_refused(replays: Replays) -> None:
    opened = next(place for place, each in enumerate(replays.recording) if each.type == "pma.run.opened")
    with pytest.raises(ReplayFailed, match="was not recorded to its close"):
        parts_of(replays.recording[: opened + 1])
