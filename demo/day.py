"""One business day of the demo: market, files, run, proposals, approvals, orders, fills, and the fills back in the book."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec

from demo.platform import Platform
from demo.sample import STORIES, Sample
from demo.sample.book import master_json
from demo.sample.days import DemoDay
from demo.sample.files import day_files, day_messages
from demo.sample.market import write_market
from libs.common.events import make_event, to_record
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined

OPEN_UTC = time(14, 35)
STAGE_DEADLINE_S = 300.0
LOOK_S = 0.05
Decision = ProposalCreated | ProposalDeclined
Progress = Callable[[str, int, int], None]
"""Called with the stage, how much is done, and how much there is."""


class DemoFailed(Exception):
    """The demo can't go on; says what happened."""


@dataclass
class Story:
    """What the demo saw that is on no topic: acknowledgements of files, answers of approvals, parked households."""

    acknowledgements: list[dict[str, object]] = field(default_factory=list)
    approvals: dict[str, list[str]] = field(default_factory=lambda: {"approved": [], "rejected": [], "expired": []})
    trades_given: int = 0


async def play_day(platform: Platform, sample: Sample, day: DemoDay, market_dir: Path, story: Story, progress: Progress) -> RunOpened:
    """Play one day to its end and give the day's trades to the custodian; returns the day's run."""
    platform.clock.set(day.file_made_at)
    await _market_and_files(platform, sample, day, market_dir, story, progress)
    platform.clock.set(datetime.combine(day.business_date, OPEN_UTC, UTC))
    run = await _open_run(platform, day)
    await _decide(platform, run, progress)
    await _approve(platform, run, day, story)
    await _trade(platform, run, progress)
    trades = [trade for trade in platform.observer.payloads(TradeBooked) if trade.run_id == run.run_id]
    sample.custodian.apply(sorted(trades, key=lambda trade: (trade.account_id, trade.trade_seq)))
    return run


async def _market_and_files(platform: Platform, sample: Sample, day: DemoDay, market_dir: Path, story: Story, progress: Progress) -> None:
    ingest = platform.clients["ingest"]
    progress("market snapshot and risk model", 0, 1)
    await asyncio.to_thread(write_market, sample.market, market_dir, day.business_date)
    await answer(ingest.post("/v1/market-snapshots", json={"as_of": day.business_date.isoformat()}))
    progress("market snapshot and risk model", 1, 1)
    if day.number == 1:
        said = await answer(ingest.post("/v1/accounts", content=master_json(sample.accounts)))
        if said["refused"]:
            raise DemoFailed(f"master records refused: {said['refused']}")
    files = day_files(sample.custodian, day)
    for done, file in enumerate(files):
        progress("custodian's files", done, len(files))
        response = ingest.post("/v1/files/holdings", params={"name": file.name}, content=file.content, headers={"content-type": "text/csv"})
        story.acknowledgements.append(await answer(response))
    await _publish_messages(platform, sample, day)
    progress("custodian's files", len(files), len(files))


async def _publish_messages(platform: Platform, sample: Sample, day: DemoDay) -> None:
    """The accounts that come by message; wait until each is in its book or parked."""
    ingest = platform.clients["ingest"]
    messages = day_messages(sample.custodian)
    records = [
        to_record(make_event("custodian", m, m.account_id, f"{m.business_date}/{m.sequence}", m.account_id, day.file_made_at, "messages"))
        for m in messages
    ]
    await platform.bus.publish(records)

    async def taken(account_id: str) -> bool:
        parked = {household["key"] for household in await answer(ingest.get("/v1/parked"))}
        book = await answer(ingest.get(f"/v1/accounts/{account_id}"))
        newest = book.get("newest")
        return account_id in parked or (newest is not None and newest["business_date"] == day.business_date.isoformat())

    for message in messages:
        await _look_until(platform, partial(taken, message.account_id), f"the message of {message.account_id}")


async def _open_run(platform: Platform, day: DemoDay) -> RunOpened:
    answered = await answer(platform.clients["ingest"].post("/v1/runs", json={"as_of": day.business_date.isoformat()}))
    run_id = answered["run_id"]

    def opened() -> RunOpened | None:
        return next((run for run in platform.observer.payloads(RunOpened) if run.run_id == run_id), None)

    await platform.observer.until(lambda: opened() is not None, STAGE_DEADLINE_S, "the run")
    run = opened()
    assert run is not None
    return run


async def _decide(platform: Platform, run: RunOpened, progress: Progress) -> None:
    """Screens and ledgers of every account of the run, then a proposal or a decline for each."""
    observer = platform.observer
    included = [account for account in run.accounts if account.excluded is None]
    households = {account.household_id for account in included}

    async def stage(name: str, total: int, count: Callable[[], int]) -> None:
        def grown() -> bool:
            failure = platform.failure()
            if failure is not None:
                raise DemoFailed(f"a service met a bug: {failure!r}") from failure
            done = min(count(), total)
            progress(name, done, total)
            return done >= total

        await observer.until(grown, STAGE_DEADLINE_S, name)

    tracker = observer.tracker
    await stage("restrictions screened", len(included), lambda: tracker.screened[run.run_id])
    await stage("tax ledgers", len(households), lambda: len(tracker.households[run.run_id]))
    await stage("accounts optimised", len(included), lambda: tracker.decided[run.run_id])


async def _approve(platform: Platform, run: RunOpened, day: DemoDay, story: Story) -> None:
    """A person approves all but one account; that one is rejected, and on the second day left to expire at the cut-off."""
    orders = platform.clients["orders"]
    doubtful = STORIES["manual_approval"].accounts[-1]
    manual = [p for p in platform.observer.payloads(ProposalCreated) if p.run_id == run.run_id and p.approval == "manual"]
    left = 0
    for proposal in sorted(manual, key=lambda p: p.account_id):
        await _look_until(platform, partial(_waiting_for_a_person, platform, proposal.proposal_id), "a proposal to wait for approval")
        headers = {"x-actor": "demo portfolio manager"}
        if proposal.account_id != doubtful:
            await answer(orders.post(f"/v1/proposals/{proposal.proposal_id}/approve", headers=headers))
            story.approvals["approved"].append(proposal.account_id)
        elif day.number != 2:
            await answer(orders.post(f"/v1/proposals/{proposal.proposal_id}/reject", headers=headers, json={"reason": "demo"}))
            story.approvals["rejected"].append(proposal.account_id)
        else:
            left += 1
            story.approvals["expired"].append(proposal.account_id)
    if left:

        async def all_answered() -> bool:
            accounts = (await answer(orders.get(f"/v1/runs/{run.run_id}")))["accounts"]
            return not any(accounts.get(progress) for progress in ("awaited", "waiting"))

        await _look_until(platform, all_answered, "orders to have judged every proposal")
        await answer(orders.post(f"/v1/runs/{run.run_id}/cutoff"))


async def _waiting_for_a_person(platform: Platform, proposal_id: str) -> bool:
    return proposal_id in {p["proposal_id"] for p in await answer(platform.clients["orders"].get("/v1/approvals"))}


async def _look_until(platform: Platform, condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again until the condition holds; ends the demo when a service met a bug, or after the stage's deadline."""
    try:
        async with asyncio.timeout(STAGE_DEADLINE_S):
            while True:
                failure = platform.failure()
                if failure is not None:
                    raise DemoFailed(f"a service met a bug: {failure!r}") from failure
                if await condition():
                    return
                await asyncio.sleep(LOOK_S)
    except TimeoutError as error:
        raise DemoFailed(f"waited {STAGE_DEADLINE_S:.0f} s for {what}") from error


async def _trade(platform: Platform, run: RunOpened, progress: Progress) -> None:
    """Blocks placed, every order ended, every trade in the account book and in the tax ledger."""
    observer = platform.observer
    state: dict[str, Any] = {}

    async def closed() -> bool:
        state.update(await answer(platform.clients["orders"].get(f"/v1/runs/{run.run_id}")))
        return bool(state["state"] == "closed")

    await _look_until(platform, closed, "the run's blocks to close")
    placed = int(state["orders"])

    def ended() -> bool:
        done = len(observer.tracker.ended[run.run_id])
        progress("orders filled", done, placed)
        return done >= placed and observer.tracker.placed[run.run_id] >= placed

    def booked() -> bool:
        done, traded = observer.tracker.booked()
        progress("fills back in the book", done, traded)
        return done == traded

    await observer.until(ended, STAGE_DEADLINE_S, "all orders to end")
    await observer.until(booked, STAGE_DEADLINE_S, "the trades in book and ledger")


async def answer(request: Awaitable[httpx.Response]) -> Any:
    """The JSON of an answer; a refusal ends the demo with its text."""
    response = await request
    if response.is_error:
        raise DemoFailed(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
    return msgspec.json.decode(response.content)
