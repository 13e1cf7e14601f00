# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""The certified solve on account instances: plan, bound, gap and CPU time, beside the solvers that could be picked instead.

    python -m benchmarks.optimizer [--repeat 7] [--min-trade] [--whole] [--max-te] [--against pdlp,piqp,clarabel,cvxpy]
                                   [--sectors BAND] [--budget NAME=USD ...] [--netted SHORT LONG] [--multipliers] [--brief] FILE...

FILE is an account of the scorer's format.  One JSON line an instance: instance, status, objective_bps, lower_bound_bps, gap_bps (basis
points of account value), cpu_ms_cold and cpu_ms_warm (medians of the solve on one thread; warm starts where the cold solve's first
relaxation ended), model_ms (once an account), score_bps and feasible by the independent scorer, trades in its format (fractional shares).

--min-trade    keep the instance's min_trade: no name trades less, in dollars
--whole        whole shares of every name (or its whole position), cash and the minimum trade kept; the bound is that of fractional shares
--max-te       keep the instance's max_te as a hard cap
--sectors      keep every sector's weight within BAND of the target's
--budget       keep tax, short_gain or long_gain of the plan at most USD (with --netted: of the year, as netted)
--netted       tax by netting the year, whose net short- and long-term gain is so many dollars so far (losses negative); losses
               lower ordinary income up to 3,000 dollars, a dollar carried on counts half its rate (score_bps: all at their rates)
--against      also solve the convex core (the options of the plan, fixed) with each of these in this run: CPU milliseconds, the difference
               of their objective in bp, and how many times the certified solve's own time on that core, cold
--multipliers  those that the bound at the root comes from (root_bound_bps), for benchmarks/certificate.py to recompute
--brief        leave the trades out

A file that makes no sense is a line with status `refused` and file, field, entry and reason; the others go on, and the exit code is 1.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.optimizer_convex import SOLVERS, programme_of, solved_by
from benchmarks.optimizer_input import BadInstance, read
from benchmarks.optimizer_instances import BUDGETS, Rules, core_of, model_of, multipliers_said, trades_for_scorer
from benchmarks.optimizer_whole import whole_shares
from benchmarks.optimizer_year import YearSoFar, law_said, netted_of, pieces_said
from services.optimizer.core.dual.model import Model, ModelError, Trades
from services.optimizer.core.dual.netted_model import NettedAccount
from services.optimizer.core.dual.netting import solve_netted
from services.optimizer.core.dual.solve import Certified, solve
from services.optimizer.core.dual.tax_law import TaxPosition
from tests.unit.optimizer import scorer

BPS = 1e4
AGAINST = (*SOLVERS, "cvxpy")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line asked for."""

    repeat: int
    rules: Rules
    so_far: YearSoFar | None
    whole: bool
    against: tuple[str, ...]
    multipliers: bool
    brief: bool


@dataclass(frozen=True, slots=True)
class Case:
    """An instance's model, and its year where that is netted."""

    model: Model
    year: tuple[NettedAccount, TaxPosition] | None

    def solved(self, start: Any = None) -> tuple[Certified, Any]:
        """The answer, and what warms another solve."""
        if self.year is None:
            answer = solve(self.model, start=start)
            return answer, answer.start
        plan = solve_netted(*self.year, start=start)
        return plan.certified, plan.start


def case_of(account: dict[str, Any], settings: Settings) -> Case:
    """Raises BadInstance, ModelError."""
    if settings.so_far is None:
        return Case(model_of(account, settings.rules), None)
    if account["tax"]["lt"] > account["tax"]["st"]:
        raise BadInstance("tax.lt", None, f"{account['tax']['lt']} is above tax.st: such a year is not netted")
    given, position = netted_of(account, settings.rules, settings.so_far)
    return Case(given.model, (given, position))


def timed(case: Case, start: Any, repeat: int) -> tuple[Certified, Any, float]:
    """The answer, which is the same each time, where it ended, and the median CPU milliseconds."""
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        answer, end = case.solved(start)
        spent.append(1e3 * (time.process_time() - began))
    return answer, end, round(statistics.median(spent), 3)


def measure(file: Path, settings: Settings) -> dict[str, Any]:
    """One instance, solved and scored.  Raises BadInstance, ModelError."""
    instance = read(file)
    account = instance.account
    began = time.process_time()
    case = case_of(account, settings)
    model = case.model
    model_ms = round(1e3 * (time.process_time() - began), 2)
    case.solved()  # compiles, or loads what was compiled; a service does this before it is ready
    answer, end, cold_ms = timed(case, None, settings.repeat)
    _, _, warm_ms = timed(case, end, settings.repeat)
    line: dict[str, Any] = {"instance": file.stem, "status": answer.outcome.value}
    if instance.ignored:
        line["ignored"] = list(instance.ignored)
    said: list[dict[str, Any]] | None = None
    if answer.trades is not None:
        said, whole_ms = _said(account, model, answer, settings)
        line |= whole_ms
    line |= _figures(account, answer, said, settings.whole)
    line |= {"cpu_ms_cold": cold_ms, "cpu_ms_warm": warm_ms, "model_ms": model_ms}
    line |= {"names": len(account["tickers"]), "lots": len(account["lots"]), "factors": model.factors}
    line |= {"newton_steps": answer.newton_steps, "nodes": answer.nodes}
    if settings.against and answer.trades is not None:
        line["convex_core"] = compared(model, answer, settings)
    if settings.multipliers:
        line |= proof_said(account, case, answer, settings)
    return line if settings.brief else {**line, "trades": said or []}


def proof_said(account: dict[str, Any], case: Case, answer: Certified, settings: Settings) -> dict[str, Any]:
    """What the certificate is recomputed from."""
    rules, said = settings.rules, {"rules": settings.rules.said}
    if case.year is None or settings.so_far is None:
        multipliers = multipliers_said(account, case.model, answer.bound_multipliers, rules)
        return {**said, "root_bound_bps": round(BPS * answer.root_bound, 6), "multipliers": multipliers}
    pieces, bound = pieces_said(account, rules, *case.year)
    return {**said, "year": law_said(account, settings.so_far), "root_bound_bps": round(bound, 6), "multipliers": {"pieces": pieces}}


def _said(account: dict[str, Any], model: Model, answer: Certified, settings: Settings) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The plan in the scorer's trades, in whole shares where asked for, with the time that takes."""
    trades = answer.trades or Trades(model.lots.size * 0, model.names.held * 0)
    if not settings.whole:
        return trades_for_scorer(account, trades), {}
    began = time.process_time()
    said = whole_shares(account, model, answer, float(account["min_trade"]) if settings.rules.min_trade else 0.0)
    return said, {"fractional_bps": round(BPS * answer.objective, 6), "whole_ms": round(1e3 * (time.process_time() - began), 2)}


def _figures(account: dict[str, Any], answer: Certified, said: list[dict[str, Any]] | None, whole: bool) -> dict[str, Any]:
    """Objective, bound and gap; the scorer's verdict.  Null where there is no plan."""
    bound = round(BPS * answer.lower_bound, 6)
    if said is None:
        return {"objective_bps": None, "lower_bound_bps": bound, "gap_bps": None, "score_bps": None, "feasible": False}
    scored = scorer.score(account, said)
    objective = scored["score_bps"] if whole else BPS * answer.objective
    return {
        "objective_bps": round(objective, 6),
        "lower_bound_bps": bound,
        "gap_bps": round(objective - BPS * answer.lower_bound, 6),
        "score_bps": round(scored["score_bps"], 6),
        "feasible": scored["feasible"],
        **({"violations": scored["violations"][:5]} if scored["violations"] else {}),
        "te": round(scored["te_after"], 8),
        "orders": scored["orders"],
        "orders_under_min_trade": scored["orders_under_min_trade"],
    }


def compared(model: Model, answer: Certified, settings: Settings) -> dict[str, Any]:
    """The convex core by the certified solve and by each of the others."""
    core = core_of(model, answer.trades.chosen)
    own, end, own_ms = timed(Case(core, None), None, settings.repeat)
    _, _, warm_ms = timed(Case(core, None), end, settings.repeat)
    programme = programme_of(model, answer.trades.chosen)
    found: dict[str, Any] = {"objective_bps": round(BPS * own.objective, 6), "cpu_ms": own_ms, "cpu_ms_warm": warm_ms}
    for solver in settings.against:
        other = solved_by(solver, programme, settings.repeat)
        found[solver] = {
            "status": other.status,
            "cpu_ms": other.cpu_ms,
            "times_ours": round(other.cpu_ms / own_ms, 1),
            "objective_difference_bps": round(BPS * (other.objective - own.objective), 7),
            **({} if other.solver_ms is None else {"solver_ms": other.solver_ms}),
        }
    return found


def refused(file: Path, error: Exception) -> dict[str, Any]:
    """The line of a file that was not solved."""
    line: dict[str, Any] = {"instance": file.stem, "status": "refused", "file": str(file)}
    if isinstance(error, BadInstance):
        line |= {"field": error.field, "entry": error.entry}
    return {**line, "reason": f"{file.name}: {error}"}


def budget(text: str) -> tuple[str, float]:
    """A budget's name and its dollars.  Raises ValueError."""
    name, _, usd = text.partition("=")
    if name not in BUDGETS or not isfinite(float(usd)):
        raise ValueError(text)
    return name, float(usd)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--against", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--sectors", type=float)
    parser.add_argument("--budget", type=budget, action="append", default=[])
    parser.add_argument("--netted", type=float, nargs=2, metavar=("SHORT", "LONG"))
    for flag in ("--min-trade", "--whole", "--max-te", "--multipliers", "--brief"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("files", nargs="+", type=Path)
    return parser


def main() -> int:
    parser = arguments()
    options = parser.parse_args()
    if unknown := set(options.against) - set(AGAINST):
        parser.error(f"--against knows {', '.join(AGAINST)}, not {', '.join(sorted(unknown))}")
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    if options.netted and (options.whole or options.against):
        parser.error("--netted goes with neither --whole nor --against")
    rules = Rules(options.min_trade, options.max_te, options.sectors, dict(options.budget))
    so_far = None if options.netted is None else YearSoFar(*options.netted)
    settings = Settings(options.repeat, rules, so_far, options.whole, options.against, options.multipliers, options.brief)
    failed = False
    for file in options.files:
        try:
            line = measure(file, settings)
        except (BadInstance, ModelError) as error:
            line, failed = refused(file, error), True
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
