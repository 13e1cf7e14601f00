"""The smallest relaxation of an account's limits in its own words: dollars, fractions and names."""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from libs.common.schemas.proposal import Relaxation
from services.optimizer.core.arrays import Floats
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.dual.model import Trades
from services.optimizer.core.dual.netting import solve_netted
from services.optimizer.core.dual.solve import solve
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.dual_programme import NAMES, TRACKING_ERROR, TRADES, TURNOVER, DualProgramme, dual_programme
from services.optimizer.core.netted_programme import netted_account
from services.optimizer.core.problem import Problem
from services.optimizer.core.relax import COUNTS, Loosened, Solver, price_of, smallest_relaxation
from services.optimizer.core.tax_position import budget_uses

FRACTION_STEP, CENT, ONE = Decimal("1e-6"), Decimal("0.01"), Decimal(1)
WORDS = {
    "tax_budget_usd": "the tax budget's room",
    "short_gain_budget_usd": "the short-term gain budget's room",
    "long_gain_budget_usd": "the long-term gain budget's room",
    "turnover_frac": "turnover",
    "tracking_error_frac": "the cap on tracking error",
    "trades": "the number of trades",
    "names": "the number of names held",
}
NETTED_WORDS = {"tax": "tax budget", "short_gain": "budget of short-term gains", "long_gain": "budget of long-term gains"}


def less_cash(decline: Decline) -> list[Relaxation]:
    """For cash that no sale can raise: what can be paid out instead."""
    limit, actual = decline.limit, decline.actual
    if decline.code is not DeclineCode.CASH_SHORT or limit is None or actual is None or not 0 <= actual < limit:
        return []
    return [Relaxation("withdrawals_usd", limit, actual, f"lower the withdrawals due from {limit} to {actual}")]


def relaxations(problem: Problem, penalty: float, least: Floats) -> list[Relaxation]:
    """What to loosen, and to what, so that a plan in fractional shares exists; empty where none was found.

    `penalty` is the price of a soft breach, `least` [names] the smallest trade: those of the solve that found no plan.
    """
    nothing_held = np.zeros(len(problem.held), dtype=np.bool_)
    programme = dual_programme(problem, nothing_held, penalty, least)
    relaxed = smallest_relaxation(programme.model, programme.weight_names, programme.row_names, _solver(problem, programme))
    return [*_netted_budgets(problem, programme, relaxed.trades), *(_said(each, problem.invested_usd) for each in relaxed.limits)]


def broken_by_shares(problem: Problem, looser: Problem, *, enough: bool) -> Decline:
    """The decline of an account whose limits a plan keeps in fractional shares only: `looser` has the limits that whole shares need, if
    `enough`; else those that they came nearest to."""
    was, needs = problem.rules, looser.rules
    pairs = [
        (TRACKING_ERROR, was.tracking_error, needs.tracking_error),
        (TURNOVER, was.turnover, needs.turnover),
        *(
            (name, float(old), float(new))
            for name, old, new in ((TRADES, was.trades, needs.trades), (NAMES, was.names, needs.names))
            if old and new
        ),
        *((old.name, old.bound, new.bound) for old, new in zip(was.weights, needs.weights, strict=True)),
    ]
    found = tuple(_said(Loosened(*pair), problem.invested_usd) for pair in pairs if pair[2] > pair[1])
    message = f"whole shares can't keep {', '.join(each.name for each in found)}, though fractional ones could"
    first = found[0]
    return Decline(DeclineCode.LIMITS_CONFLICT, message, first.limit, first.needed, found if enough else ())


def _solver(problem: Problem, programme: DualProgramme) -> Solver:
    """The dual method, or that of the netted year with its budgets at the same price."""
    position = problem.position
    if position is None:
        return solve
    account = replace(netted_account(problem, programme), budget_price=price_of(programme.model))
    return lambda model, effort: solve_netted(replace(account, model=model), position, effort).certified


def _netted_budgets(problem: Problem, programme: DualProgramme, trades: Trades | None) -> list[Relaxation]:
    """Budgets of a netted year that the plan exceeds, in the account's dollars: what the year comes to with it."""
    position = problem.position
    if position is None or trades is None:
        return []
    short, long = (Decimal(repr(gain)) * position.value for gain in netted_account(problem, programme).gains(trades.sold))
    found = []
    for use in budget_uses(position, Nets(short, long)):
        if use.actual > use.limit + CENT:
            limit, needed = getattr(position.budgets, use.name), use.actual.quantize(CENT, rounding=ROUND_CEILING)
            said = f"raise the year's {NETTED_WORDS[use.name]} from {limit} to {needed}"
            found.append(Relaxation(f"{use.name}_budget_usd", limit, needed, said))
    return found


def _said(loosened: Loosened, invested_usd: float) -> Relaxation:
    """In dollars, fractions or names, the need rounded so that it is enough."""
    side, _, rest = loosened.name.partition(":")
    if rest:
        return _of_weight(loosened, side, rest)
    name = loosened.name
    scale, step = (invested_usd, CENT) if name.endswith("_usd") else (1.0, ONE if name in COUNTS else FRACTION_STEP)
    limit, needed = _rounded(scale * loosened.bound, step), _rounded(scale * loosened.needed, step, ROUND_CEILING)
    return Relaxation(name, limit, needed, f"raise {WORDS.get(name, name)} from {limit} to {needed}")


def _of_weight(loosened: Loosened, side: str, rest: str) -> Relaxation:
    """A bound on weights: a least weight is a row of the opposite sign."""
    least = side == "weight_least"
    sign = -1.0 if least else 1.0
    limit = _rounded(sign * loosened.bound, FRACTION_STEP)
    needed = _rounded(sign * loosened.needed, FRACTION_STEP, ROUND_FLOOR if least else ROUND_CEILING)
    kind, _, target = rest.partition(":")
    said = f"{'lower the least' if least else 'raise the most'} of {kind} {target} from {limit} to {needed}"
    return Relaxation(f"{loosened.name}_frac", limit, needed, said)


def _rounded(value: float, step: Decimal, rounding: str | None = None) -> Decimal:
    return Decimal(repr(value)).quantize(step, rounding=rounding)
