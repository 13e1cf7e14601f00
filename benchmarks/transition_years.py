# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""Plans over years, measured: what planning year by year costs above the joint bound, and the CPU of each.

    python -m benchmarks.transition_years [--names 500] [--lots 2000] [--kinds legacy,seasoned,concentrated] [--years 3,5]

One JSON line a rule.  Costs are basis points of account value (core/transition/value.py); `above_bps` is above the joint lower bound, which
is numerical.  `year_by_year` counts risk for the years that remain and has a timeline's exit credit: what plans do.  `one_year_risk` counts
risk for one year.  `joint` is the better of the joint plan carried out and the plan year by year.  `split`: the same total of yearly
budgets spread as the search found best, and what equal ones cost beside it.  CPU is this process's, in milliseconds.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before numpy is imported

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from benchmarks.transition_cases import transition_case
from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition.book import opening
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.joint import judge
from services.optimizer.core.transition.one_period import book_problem
from services.optimizer.core.transition.split import best_split
from services.optimizer.core.transition.value import plan_value
from services.optimizer.core.transition.years import Rules, YearsPlan, most_held, plan_years

Answer = TypeVar("Answer")
BUDGET_FRAC = Decimal("0.008")  # of the account, a year


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """The answer, and the CPU milliseconds it took."""
    begun = time.process_time()
    answer = work()
    return answer, (time.process_time() - begun) * 1e3


def one_year_risk(case: TransitionCase) -> TransitionCase:
    """The case as a plan that counts risk for one year sees it."""
    return replace(case, outlook=replace(case.outlook, horizon_years=1))


def measured(case: TransitionCase, rules: Rules, most: Floats) -> dict[str, Any]:
    """Costs above the bound and CPU of every way to plan under these rules."""
    plan, own_ms = timed(lambda: plan_years(case, rules, most))
    answer, joint_ms = timed(lambda: judge(case, rules, plan, most))
    cost, bound = plan_value(case, plan), answer.lower_bound_bps
    above = {"year_by_year": cost - bound, "joint": answer.gap_bps}
    if not rules.deadline:
        above["one_year_risk"] = plan_value(case, plan_years(one_year_risk(case), rules, most)) - bound
    found = {
        "years": rules.years,
        "rule": "timeline" if rules.deadline else "free" if rules.budget(1) == Budgets() else "tax budget",
        "bound_bps": round(bound, 3),
        "above_bps": {name: round(each, 3) for name, each in above.items()},
        "cpu_ms": {"year_by_year": round(own_ms), "joint": round(joint_ms)},
        "relaxations": len(answer.statuses),
    }
    return found if rules.budget(1) == Budgets() else found | {"split": _split(case, rules, plan, most)}


def _split(case: TransitionCase, rules: Rules, plan: YearsPlan, most: Floats) -> dict[str, Any]:
    split, ms = timed(lambda: best_split(case, rules, plan, most))
    budgets = [int(budget.tax) for budget in split.budgets if budget.tax is not None]
    return {"budgets_usd": budgets, "equal_costs_bps": round(plan_value(case, plan) - split.cost_bps, 3), "cpu_ms": round(ms)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=500)
    parser.add_argument("--lots", type=int, default=2000)
    parser.add_argument("--kinds", default="legacy,seasoned,concentrated")
    parser.add_argument("--years", default="3,5")
    args = parser.parse_args()
    for kind in args.kinds.split(","):
        case = transition_case(kind, args.names, args.lots)
        problem = book_problem(case, opening(case), 1)
        most = most_held(case, problem)
        plan_years(case, Rules(2, deadline=True), most)  # compiled code is loaded
        for years in (int(each) for each in args.years.split(",")):
            budgets = (Budgets(tax=(case.value_usd * BUDGET_FRAC).quantize(Decimal(1))),)
            for rules in (Rules(years, deadline=True), Rules(years), Rules(years, budgets=budgets)):
                line = {"account": kind, "names": args.names, "lots": len(case.lots.lot_id)} | measured(case, rules, most)
                sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
