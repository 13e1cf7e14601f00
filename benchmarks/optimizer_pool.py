# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""Accounts a second through the service's worker pool, and whether more cores bring more.

    python -m benchmarks.optimizer_pool [--processes 1 2] [--accounts 200] [--names 500] [--factors 70] [--next-day] [--generator FILE]

Accounts of the generator as the service's payloads (packed, as its tables keep them): one market for all, holdings of their own.  A task is
what the service sends: decode, build, solve, certify, whole shares, encode.  One JSON line a number of processes: accounts a second by the
clock, and per core by the workers' own CPU time, which others on the machine don't disturb; CPU milliseconds an account, median and p95;
decisions by how they ended; `linear`, accounts a second and core by CPU time against the first line's.  The same account gives the
same bytes whatever the worker, or the command ends with 1.  With --next-day the same accounts are decided once more at prices that moved
by 1 % each: from nothing, and from where each one's last decision ended (`start`).
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported, here and in the workers: see decision 15

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.machine import machine
from benchmarks.optimizer_robustness import generator
from benchmarks.risk_shared_panel import shared_folder
from libs.common.packing import pack
from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.pool import Outcome, SolverPool, Task, decode_decision
from tests.unit.optimizer.instances import world_of

DIFFERENT = 40
MOVED = 0.01  # of a price, in a day


def accounts(options: argparse.Namespace, moved: float = 0.0) -> list[dict[str, Any]]:
    """Instances of one market: prices, targets and risk of the first, holdings each of its own; `moved`: how far prices moved."""
    make = generator(options.generator)
    first = make(options.names, 1, options.factors)
    found = []
    for seed in range(1, DIFFERENT + 1):
        rng = np.random.default_rng(seed)
        lots = []
        for lot in first["lots"]:
            shares = round(lot["shares"] * float(rng.uniform(0.6, 1.4)), 4)
            lots.append({**lot, "shares": shares, "basis_per_share": round(lot["basis_per_share"] * float(np.exp(0.1 * rng.normal())), 4)})
        found.append({**first, "lots": lots})
    drift = np.exp(moved * np.random.default_rng(0).normal(size=len(first["price"])))
    price = [round(price * float(times), 2) for price, times in zip(first["price"], drift, strict=True)]
    return [{**each, "price": price} for each in found]


def tasks_of(instances: list[dict[str, Any]]) -> tuple[bytes, list[Task]]:
    """The market packed, and a task an instance."""
    tasks, market = [], b""
    for instance in instances:
        given = world_of(instance)
        market = market or pack(given.market)
        account, screen, ledger, run = (pack(each) for each in (given.account, given.screen, given.ledger, given.run))
        tasks.append(Task(account, screen, ledger, run, given.run.market_id, []))
    return market, tasks


async def solved(pool: SolverPool, tasks: list[Task], number: int) -> list[Outcome]:
    """`number` decisions, a few ahead of the workers, in order."""
    room = asyncio.Semaphore(2 * pool.processes)

    async def one(task: Task) -> Outcome:
        async with room:
            return await pool.decide(task)

    return await asyncio.gather(*(one(tasks[i % len(tasks)]) for i in range(number)))


async def measured(processes: int, market: bytes, tasks: list[Task], number: int, start: str) -> tuple[dict[str, Any], list[bytes]]:
    """One size of pool; the decisions.  `start` says what the tasks start from."""
    pool = SolverPool(processes)
    await pool.start()
    try:
        pool.put_market(tasks[0].market_id, market)
        await solved(pool, tasks, 4 * processes)  # each worker has the market now
        began = time.perf_counter()
        outcomes = await solved(pool, tasks, number)
        took = time.perf_counter() - began
    finally:
        pool.stop()
    cpu_ms = [1e3 * each.cpu_s for each in outcomes]
    decisions = [decode_decision(each.decision) for each in outcomes]
    ends = Counter(each.solve_status if isinstance(each, ProposalCreated) else each.code for each in decisions)
    line = {
        "processes": processes,
        "start": start,
        "accounts": number,
        "per_second": round(number / took, 1),
        "per_second_a_core_of_cpu": round(1e3 / statistics.mean(cpu_ms), 1),
        "cpu_ms_p50": round(statistics.median(cpu_ms), 2),
        "cpu_ms_p95": round(float(np.quantile(cpu_ms, 0.95)), 2),
        "ends": dict(ends),
    }
    return line, [each.decision for each in outcomes]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer_pool", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--names", type=int, default=500)
    parser.add_argument("--factors", type=int, default=70)
    parser.add_argument("--next-day", action="store_true")
    parser.add_argument("--generator", type=Path, default=shared_folder() / "optimizer" / "gen_account.py")
    options = parser.parse_args()
    market, tasks = tasks_of(accounts(options))
    same, decided = _measured(options, market, tasks, "nothing")
    if options.next_day:
        later, fresh = tasks_of(accounts(options, MOVED))
        begun = [msgspec.structs.replace(task, last=pack(decode_decision(raw))) for task, raw in zip(fresh, decided, strict=True)]
        for start, given in (("nothing", fresh), ("last decision", begun)):
            same &= _measured(options, later, given, start)[0]
    return int(not same)


def _measured(options: argparse.Namespace, market: bytes, tasks: list[Task], start: str) -> tuple[bool, list[bytes]]:
    """Print a line for each number of processes; whether the same account gave the same bytes, and the decisions."""
    seen: dict[int, bytes] = {}
    same, first = True, 0.0
    for processes in options.processes:
        line, decisions = asyncio.run(measured(processes, market, tasks, max(options.accounts, len(tasks)), start))
        for number, decision in enumerate(decisions):
            same &= seen.setdefault(number % len(tasks), decision) == decision
        first = first or line["per_second_a_core_of_cpu"]
        linear = round(line["per_second_a_core_of_cpu"] / first, 3)
        sys.stdout.write(json.dumps({**line, "linear": linear, "same_bytes": same, **machine()}) + "\n")
        sys.stdout.flush()
    return same, [seen[number] for number in range(len(tasks))]


if __name__ == "__main__":
    sys.exit(main())
