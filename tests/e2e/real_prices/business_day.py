"""One business day of the real-price book through the whole platform, each step through the door that a user has."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from demo.day import answer
from demo.platform import Platform
from demo.sample.custodian import Custodian
from demo.sample.days import DemoDay
from demo.sample.files import holdings_file
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.desk_simulator.core import Proportions, decide
from tests.e2e.real_prices.market_directory import RealMarket, write_market
from tests.waiting import eventually

STEP_DEADLINE_S = 120.0
OPEN_UTC = time(14, 35)


@dataclass(frozen=True)
class Played:
    """What one day said: `accounts` the book at the run's versions, `accounts_after` and `ledgers_after` once every trade was booked."""

    run: RunOpened
    market: MarketPublished
    accounts: dict[str, AccountChanged]
    created: dict[str, ProposalCreated]
    declined: dict[str, ProposalDeclined]
    placed: list[OrderPlaced]
    ended: list[OrderEnded]
    trades: list[TradeBooked]
    accounts_after: dict[str, AccountChanged]
    ledgers_after: dict[str, LedgerUpdated]


async def play_day(platform: Platform, market: RealMarket, custodian: Custodian, day: DemoDay, directory: Path, master: bytes) -> Played:
    """Market, master, file, run, decisions, orders, fills, and the fills back in book and ledger; then the custodian books them too."""
    await _inputs(platform, market, custodian, day, directory, master)
    platform.clock.set(datetime.combine(day.business_date, OPEN_UTC, UTC))
    opened = await answer(platform.clients["ingest"].post("/v1/runs", json={"as_of": day.business_date.isoformat()}))
    run = await _run(platform, opened["run_id"])
    accounts = await _listed(platform, run)
    await _traded(platform, run)
    observer = platform.observer
    trades = [trade for trade in observer.payloads(TradeBooked) if trade.run_id == run.run_id]
    custodian.apply(sorted(trades, key=lambda trade: (trade.account_id, trade.trade_seq)))
    return Played(
        run=run,
        market=next(each for each in observer.payloads(MarketPublished) if each.market_id == run.market_id),
        accounts=accounts,
        created={p.account_id: p for p in observer.payloads(ProposalCreated) if p.run_id == run.run_id},
        declined={p.account_id: p for p in observer.payloads(ProposalDeclined) if p.run_id == run.run_id},
        placed=[order for order in observer.payloads(OrderPlaced) if order.run_id == run.run_id],
        ended=[order for order in observer.payloads(OrderEnded) if order.run_id == run.run_id],
        trades=trades,
        accounts_after=newest_accounts(platform),
        ledgers_after=newest_ledgers(platform),
    )


async def _inputs(platform: Platform, market: RealMarket, custodian: Custodian, day: DemoDay, directory: Path, master: bytes) -> None:
    ingest = platform.clients["ingest"]
    platform.clock.set(day.file_made_at)
    await asyncio.to_thread(write_market, market, directory)
    await answer(ingest.post("/v1/market-snapshots", json={"as_of": day.business_date.isoformat()}))
    assert not (await answer(ingest.post("/v1/accounts", content=master)))["refused"]
    file = holdings_file(custodian, day, [custodian.holdings(account_id) for account_id in sorted(custodian.accounts)])
    said = await answer(
        ingest.post("/v1/files/holdings", params={"name": file.name}, content=file.content, headers={"content-type": "text/csv"})
    )
    assert (said["outcome"], said["refused_lines"], said["applied_accounts"]) == ("accepted", [], len(custodian.accounts)), said


async def _run(platform: Platform, run_id: str) -> RunOpened:
    def opened() -> RunOpened | None:
        return next((run for run in platform.observer.payloads(RunOpened) if run.run_id == run_id), None)

    await _until(platform, lambda: opened() is not None, "the run")
    run = opened()
    assert run is not None
    return run


async def _listed(platform: Platform, run: RunOpened) -> dict[str, AccountChanged]:
    """Every account of the run at the version that it lists."""

    def found() -> dict[str, AccountChanged]:
        wanted = {(member.account_id, member.account_version) for member in run.accounts}
        return {a.account_id: a for a in platform.observer.payloads(AccountChanged) if (a.account_id, a.version) in wanted}

    await _until(platform, lambda: len(found()) == len(run.accounts), "the accounts of the run")
    return found()


async def _traded(platform: Platform, run: RunOpened) -> None:
    """Wait until the run's blocks are closed, every order of it has ended, and book and ledger hold the last trade of every account."""
    orders, observer = platform.clients["orders"], platform.observer

    async def closed() -> dict[str, object] | None:
        _raise_failure(platform)
        state: dict[str, object] = await answer(orders.get(f"/v1/runs/{run.run_id}"))
        return state if state["state"] == "closed" else None

    await _until(platform, lambda: _decided(platform, run) == sum(a.excluded is None for a in run.accounts), "the decisions")
    state = await eventually(closed, STEP_DEADLINE_S, "the run's blocks to close")
    assert state is not None

    def over() -> bool:
        return len({order.cl_ord_id for order in observer.payloads(OrderEnded) if order.run_id == run.run_id}) == state["orders"]

    await _until(platform, over, "every order to end")
    placed = [order for order in platform.observer.payloads(OrderPlaced) if order.run_id == run.run_id]
    fills = {report.exec_id for order in placed for report in decide(order, Proportions()) if report.last_qty}
    await _until(platform, lambda: _all_booked(platform, fills), "the trades in book and ledger")


def _decided(platform: Platform, run: RunOpened) -> int:
    created = sum(p.run_id == run.run_id for p in platform.observer.payloads(ProposalCreated))
    return created + sum(p.run_id == run.run_id for p in platform.observer.payloads(ProposalDeclined))


def _all_booked(platform: Platform, fills: set[str]) -> bool:
    """Every one of the fills is booked, and every account's newest book and ledger hold its last trade."""
    trades = list(platform.observer.payloads(TradeBooked))
    if not fills <= {trade.exec_id for trade in trades}:
        return False
    last: dict[str, int] = {}
    for trade in trades:
        last[trade.account_id] = max(last.get(trade.account_id, 0), trade.trade_seq)
    book, ledger = newest_accounts(platform), _ledger_rows(newest_ledgers(platform))
    return all(
        book[account_id].trade_seq == seq
        and (ledger[account_id].trade_seq, ledger[account_id].account_version) == (seq, book[account_id].version)
        for account_id, seq in last.items()
    )


def _ledger_rows(ledgers: dict[str, LedgerUpdated]) -> dict[str, LedgerAccount]:
    return {row.account_id: row for ledger in ledgers.values() for row in ledger.accounts}


def newest_accounts(platform: Platform) -> dict[str, AccountChanged]:
    """The newest version of each account."""
    return {a.account_id: a for a in sorted(platform.observer.payloads(AccountChanged), key=lambda account: account.version)}


def newest_ledgers(platform: Platform) -> dict[str, LedgerUpdated]:
    """The newest version of each household's ledger."""
    return {each.household_id: each for each in sorted(platform.observer.payloads(LedgerUpdated), key=lambda ledger: ledger.version)}


def _raise_failure(platform: Platform) -> None:
    failure = platform.failure()
    if failure is not None:
        raise AssertionError(f"a service met a bug: {failure!r}") from failure


async def _until(platform: Platform, condition: Callable[[], bool], what: str) -> None:
    def looked_at() -> bool:
        _raise_failure(platform)
        return condition()

    await platform.observer.until(looked_at, STEP_DEADLINE_S, what)
