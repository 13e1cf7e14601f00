# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""The certified solve on many random accounts: quantiles of gap and CPU time by risk aversion, and every account that was not solved.

    python -m benchmarks.optimizer_robustness [--accounts 1000] [--names 500] [--factors 70] [--lam 30 100 1000]
                                              [--kinds plain cap count netted] [--from-seed 1000] [--odd] [--generator FILE] [--out FILE]

Accounts come from the generator beside the scorer, every third with 20 % in one name; with --odd each is changed as
benchmarks/optimizer_odd.py says: one name, hundreds of lots of one, overdrawn, tied, without risk, without a plan.  `lam` is that of
1/2 lam TE^2 (with --odd of an account whose own is 20).  Kinds: plain; cap, a hard tracking-error cap of 0.85, 0.6 or 0.35 of what the
plain plan has, in turn; count, trades of at least 5 bp in at most 40 % of names; netted, tax netted over the year, with carried losses
worth half.  Each solve is cold and measured once; --warm measures it again from where it ended.

One JSON line a kind and lam: accounts, outcomes by name, quantiles of gap (bp of account value) and CPU milliseconds, and for caps the
largest excess over the cap; then one line an account that ended otherwise than certified (or, of odd ones, proved to have no plan),
with its seed.  Ends with 1 where an account was neither given a plan nor proved infeasible.  `--accounts 10000` is the long run; with
--out it goes on where it stopped.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported

import argparse
import importlib.util
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.optimizer_instances import Rules, model_of
from benchmarks.optimizer_odd import odd
from benchmarks.risk_shared_panel import shared_folder
from services.optimizer.core.dual.model import Model, Rows, validated
from services.optimizer.core.dual.netted_model import NettedAccount
from services.optimizer.core.dual.netting import solve_netted
from services.optimizer.core.dual.primal import tracking_error
from services.optimizer.core.dual.solve import solve
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxLaw, TaxPosition

BPS = 1e4
QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)
CAPS = (0.85, 0.6, 0.35)
LEAST_TRADE, MOST_TRADES = 5e-4, 0.4
Account = dict[str, Any]
Make = Callable[..., Account]


def generator(file: Path) -> Make:
    """The `make` of the account generator."""
    spec = importlib.util.spec_from_file_location("gen_account", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    make: Make = module.make
    return make


def counted(account: Account, lam: float) -> Model:
    """With a least trade and a most number of names traded."""
    account = {**account, "min_trade": LEAST_TRADE * account["value"]}
    model = model_of(account, Rules(min_trade=True))
    trades = (model.options.least > 0).astype(np.float64)
    rows = model.rows
    names, lots = len(model.names.held), len(model.lots.size)
    more = Rows(
        np.column_stack([rows.sell, np.zeros(lots)]),
        np.column_stack([rows.buy, np.zeros(names)]),
        np.append(rows.bound, np.floor(MOST_TRADES * names)),
        np.zeros(2),
        np.full(2, np.inf),
        np.column_stack([np.zeros(len(trades)), trades]),
    )
    return validated(replace(model, risk=lam, rows=more))


def netted(account: Account, lam: float) -> tuple[NettedAccount, TaxPosition]:
    """The account with its year netted, from a year that has gained 1 % short- and lost 0.5 % long-term so far."""
    model = model_of(account)
    price = dict(zip(account["tickers"], account["price"], strict=True))
    gain = np.array([1 - lot["basis_per_share"] / price[lot["ticker"]] for lot in account["lots"]])
    is_long = np.array([lot["days_held"] > 365 for lot in account["lots"]], dtype=np.bool_)
    rate = np.where(is_long, account["tax"]["lt"], account["tax"]["st"])
    spread = model.lots.sell_price - rate * gain
    free = validated(replace(model, risk=lam, lots=replace(model.lots, sell_price=spread)))
    value = Decimal(repr(account["value"]))
    year = Nets((value * Decimal("0.01")).quantize(Decimal("0.01")), (value * Decimal("-0.005")).quantize(Decimal("0.01")))
    short, long = (Decimal(repr(min(account["tax"]["st"], account["tax"][each]))) for each in ("st", "lt"))  # the law needs long <= short
    law = TaxLaw(short, long, short, Decimal(3000), short / 2, long / 2)
    return NettedAccount(free, gain * ~is_long, gain * is_long), TaxPosition(law, year, year, Budgets(), value)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    answer = call()
    return answer, 1e3 * (time.process_time() - began)


def line_of(kind: str, account: Account, plain: Model, seed: int, warm: bool) -> dict[str, Any]:
    """One solve's figures.  `plain` is the account's model at this risk aversion."""
    excess, start = None, None
    if kind == "netted":
        given, position = netted(account, plain.risk)
        answer, ms = timed(lambda: solve_netted(given, position))
        again = (lambda: solve_netted(given, position, start=answer.start)) if warm else None
    else:
        model = counted(account, plain.risk) if kind == "count" else plain
        if kind == "cap":
            free = solve(plain)
            te = max(tracking_error(plain, free.trades), 1e-6) if free.trades is not None else 1.0
            model = validated(replace(plain, te_cap=te * CAPS[seed % 3]))
        answer, ms = timed(lambda: solve(model, start=start))
        again = (lambda: solve(model, start=answer.start)) if warm else None
        if kind == "cap" and answer.trades is not None:
            excess = tracking_error(model, answer.trades) / model.te_cap - 1
    line = {"kind": kind, "seed": seed, "outcome": answer.outcome.value, "gap": None, "ms": ms, "excess": excess, "nodes": answer.nodes}
    if answer.trades is not None:
        line["gap"] = BPS * (answer.objective - answer.lower_bound)
    if again is not None:
        line["warm_ms"] = timed(again)[1]
    return line


def solves(options: argparse.Namespace, done: set[int]) -> Iterator[dict[str, Any]]:
    """Every account's lines, account by account."""
    make = generator(options.generator)
    for number in range(options.accounts):
        seed = options.from_seed + number
        if seed in done:
            continue
        account = make(options.names, seed, options.factors, tuple(options.lots), 0.2 if seed % 3 == 0 else 0.0)
        changes: list[str] = []
        if options.odd:
            account, changes = odd(account, seed)
        model = model_of(account)
        if number == 0 or seed - 1 in done:
            solve(model)  # compiles, or loads what was compiled
        for lam in options.lam:
            plain = validated(replace(model, risk=lam * account["lam"] / 20))
            for kind in options.kinds:
                line = {"lam": lam, **line_of(kind, account, plain, seed, options.warm)}
                yield {**line, "changes": changes} if changes else line
        if sys.stderr.isatty() or number % 100 == 99:
            sys.stderr.write(f"\r{number + 1}/{options.accounts} accounts ")


def quantiles(values: list[float], digits: int) -> dict[str, float]:
    names = {0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99", 1.0: "max"}
    return {names[at]: round(float(np.quantile(values, at)), digits) for at in QUANTILES} if values else {}


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Of one kind and lam."""
    found = [each["gap"] for each in lines if each["gap"] is not None]
    result = {
        "kind": lines[0]["kind"],
        "lam": lines[0]["lam"],
        "accounts": len(lines),
        "outcomes": dict(Counter(each["outcome"] for each in lines)),
        "gap_bps": quantiles(found, 4),
        "cpu_ms": quantiles([each["ms"] for each in lines], 2),
        "nodes_max": max(each["nodes"] for each in lines),
    }
    if "warm_ms" in lines[0]:
        result["warm_ms"] = quantiles([each["warm_ms"] for each in lines], 2)
    caps = [each["excess"] for each in lines if each["excess"] is not None]
    return {**result, "cap_excess_max": max(caps)} if caps else result


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer_robustness", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--names", type=int, default=500)
    parser.add_argument("--factors", type=int, default=70)
    parser.add_argument("--lots", type=int, nargs=2, default=(3, 8))
    parser.add_argument("--lam", type=float, nargs="+", default=[30.0, 100.0, 1000.0])
    parser.add_argument("--kinds", nargs="+", choices=("plain", "cap", "count", "netted"), default=["plain"])
    parser.add_argument("--from-seed", type=int, default=1000)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--generator", type=Path, default=shared_folder() / "optimizer" / "gen_account.py")
    parser.add_argument("--out", type=Path, help="lines of every solve, which a later call goes on from")
    return parser


def main() -> int:
    options = arguments().parse_args()
    lines = [json.loads(each) for each in options.out.read_text().splitlines()] if options.out and options.out.exists() else []
    solved = Counter(each["seed"] for each in lines)
    done = {seed for seed, count in solved.items() if count >= len(options.lam) * len(options.kinds)}
    lines = [each for each in lines if each["seed"] in done]
    for line in solves(options, done):
        lines.append(line)
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
    groups = defaultdict[tuple[str, float], list[dict[str, Any]]](list)
    for line in lines:
        groups[line["kind"], line["lam"]].append(line)
    for group in groups.values():
        sys.stdout.write(json.dumps(summary(group)) + "\n")
    explained = {"certified", "infeasible"} if options.odd else {"certified"}
    unusual = [each for each in lines if each["outcome"] not in explained]
    for each in unusual:
        sys.stdout.write(json.dumps(each) + "\n")
    return int(any(each["outcome"] == "no_plan" for each in unusual))


if __name__ == "__main__":
    sys.exit(main())
