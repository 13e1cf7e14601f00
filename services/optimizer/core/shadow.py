"""The limits that hold a plan, each with its shadow price in numbers and in words.

A multiplier is what the objective gains (fractions of invested value) when its limit is loosened by one unit; a price is that for a step
that a person would take, in basis points.  Where a tax budget binds, the step itself is paid as tax, so risk and cost fall by more than the
objective gains: by (1 + multiplier) times the step.  That, against the slope of lam TE^2, is how far tracking error falls.  What other
limits bring may be risk, tax or cost; it is said as the tracking error of the same worth.  All of it holds for small steps, with the same
names bought and sold; the numbers of trades and names have no such price.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

import numpy as np

from libs.common.money import cents_half_even, float_from_decimal
from libs.common.schemas.proposal import Binding, TaxEstimate, Unmet
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.evaluate import active_weights, traded_by_name, variance
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import budget_room, cash_band
from services.optimizer.core.problem import Problem
from services.optimizer.core.tax_position import BudgetUse, budget_uses, tax_position

PRESSES = 1e-6  # a shadow price below a hundredth of a basis point for each basis point is none
ASKED = {"cash_raise": "cash_min_usd", "cash_invest": "cash_max_usd"}
TURNOVER, TRACKING_ERROR = "turnover_frac", "tracking_error_frac"
NOTHING = 1e-12  # of invested value
BPS = 1e4
STEPS_USD = (1000.0, 100.0, 10.0)
SMALL = 0.2  # of the risk term: a step that lowers it by more is no small one
FRACTION_STEP = 0.001
TE_STEP = 0.0001
BPS_PLACES, FRACTION_PLACES = Decimal("0.0001"), Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class _Held:
    """One limit that presses: its multiplier, the step in the multiplier's unit and in words, and what the step adds to the tax."""

    name: str
    limit: Decimal
    actual: Decimal
    multiplier: float
    step: float
    unit: str
    step_said: str
    taxed: bool = False

    @property
    def lowers(self) -> float:
        """By how much the step lowers risk and cost (or all of the objective), as a fraction of invested value."""
        return (self.multiplier + self.taxed) * self.step


def bindings(
    case: Case, problem: Problem, multipliers: Multipliers, tax: TaxEstimate, cash_after: Decimal, plan: Plan, unmet: Sequence[Unmet]
) -> list[Binding]:
    """The limits with a shadow price: budgets, cash, then the owner's limits; `plan` is what is proposed, in weights.

    A limit that keeps what was asked from being done (`unmet`) has no price: its multiplier is the penalty for that.
    """
    te = sqrt(variance(problem, active_weights(problem, plan)))
    small = SMALL * problem.risk_aversion * te**2
    sizes = [(f"{step:,.0f}", step / problem.invested_usd) for step in STEPS_USD]
    dollars = [list(_in_dollars(case, multipliers, tax, cash_after, words, step)) for words, step in sizes]
    held = [next((each for each in same if each.lowers <= small), same[-1]) for same in zip(*dollars, strict=True)]
    held += _rules(problem, multipliers, plan, te)
    instead = {name for each in unmet for name in (f"{each.reason}_usd", each.reason, ASKED.get(each.wanted, ""))}
    pressing = [each for each in held if each.multiplier > PRESSES]
    return [*(_kept_back(each) if each.name in instead else _said(case, each, problem, te) for each in pressing), *_counts(problem, plan)]


def _kept_back(held: _Held) -> Binding:
    return Binding(held.name, held.limit, held.actual, None, None, "it keeps what was asked from being done")


def _counts(problem: Problem, plan: Plan) -> Iterator[Binding]:
    """Numbers of names that are used up."""
    rules = problem.rules
    traded = traded_by_name(problem, plan)
    used = (
        ("trades", rules.trades, int(np.count_nonzero(traded)), "the plan trades as many names as it may"),
        ("names", rules.names, int(np.count_nonzero(problem.held + traded > NOTHING)), "the account holds as many names as it may"),
    )
    for name, limit, actual, words in used:
        if limit is not None and actual >= limit:
            yield Binding(name, Decimal(limit), Decimal(actual), None, None, words)


def _in_dollars(case: Case, multipliers: Multipliers, tax: TaxEstimate, after: Decimal, words: str, step: float) -> Iterator[_Held]:
    """Budgets and cash, for a step of `words` dollars, `step` of invested value."""
    unit, price = f"{words} USD", {"tax": multipliers.tax, "short_gain": multipliers.short, "long_gain": multipliers.long}
    for use in _budgets(case, tax):
        said = f"the next {words} of {use.name.replace('_', ' ')} budget"
        limit = cents_half_even(use.limit)
        yield _Held(f"{use.name}_budget_usd", limit, use.actual, price[use.name], step, unit, said, use.name == "tax")
    band = cash_band(case)
    least, most = cents_half_even(band.least), cents_half_even(band.most)
    yield _Held("cash_min_usd", least, after, multipliers.cash, step, unit, f"{words} less of cash to keep")
    yield _Held("cash_max_usd", most, after, -multipliers.cash, step, unit, f"{words} more of cash that may stay")


def _budgets(case: Case, tax: TaxEstimate) -> list[BudgetUse]:
    """Budgets and what is used of them: of this plan, or where the taxpayer's year is netted of the year with it."""
    position, short, long = tax_position(case), tax.short_gain - tax.short_loss, tax.long_gain - tax.long_loss
    if position is not None:
        return budget_uses(position, Nets(short, long))
    room = budget_room(case)
    uses = (("tax", room.tax, tax.tax), ("short_gain", room.short, short), ("long_gain", room.long, long))
    return [BudgetUse(name, limit, actual) for name, limit, actual in uses if limit is not None]


def _rules(problem: Problem, multipliers: Multipliers, plan: Plan, te: float) -> Iterator[_Held]:
    """Turnover, the tracking-error cap, and bounds on weights and exposures."""
    rules, prices = problem.rules, dict(multipliers.rules)
    if TURNOVER in prices:
        turnover = float(abs(traded_by_name(problem, plan)).sum())
        words = "one thousandth more of the account's value to buy and sell"
        yield _Held(TURNOVER, _frac(rules.turnover), _frac(turnover), prices[TURNOVER], FRACTION_STEP, "0.001 of value", words)
    if TRACKING_ERROR in prices:
        multiplier = prices[TRACKING_ERROR] * rules.tracking_error
        words = "one basis point more of tracking error"
        yield _Held(TRACKING_ERROR, _frac(rules.tracking_error), _frac(te), multiplier, TE_STEP, "1 bp of tracking error", words)
    weights = active_weights(problem, plan) + problem.target
    for row in rules.weights:
        if row.name in prices:
            side, kind, target = row.name.split(":", 2)
            sign = 1.0 if side == "weight_most" else -1.0
            reached = sign * float(row.coefficient @ weights)
            unit = "0.001 of exposure" if kind == "factor" else "0.001 of weight"
            words = f"one thousandth {'more' if sign > 0 else 'less'} of {kind} {target}"
            name = f"{row.name}_frac"
            yield _Held(name, _frac(sign * row.bound), _frac(reached), prices[row.name], FRACTION_STEP, unit, words)


def _said(case: Case, held: _Held, problem: Problem, te: float) -> Binding:
    gain = held.multiplier * held.step * problem.invested_usd / float_from_decimal(case.value_usd)
    price = Decimal(repr(gain * BPS)).quantize(BPS_PLACES)
    return Binding(
        held.name, held.limit, held.actual, price, held.unit, _words(held, problem, gain, te, float_from_decimal(case.value_usd))
    )


def _words(held: _Held, problem: Problem, gain: float, te: float, value_usd: float) -> str:
    """`gain`: what the objective gains by the step, as a fraction of the account's value."""
    worth = f"is worth {gain * BPS:.3f} bp of account value ({gain * value_usd:,.2f} USD)"
    if held.name == TRACKING_ERROR:
        return f"{held.step_said} {worth} less tax and cost"
    slope = 2 * problem.risk_aversion * te
    if slope <= 0 or held.lowers > SMALL * problem.risk_aversion * te**2:
        return f"{held.step_said} {worth}"
    fall, now = held.lowers / slope * BPS, te * BPS
    if held.taxed:
        return f"{held.step_said} lowers tracking error by about {fall:.2f} bp, from {now:.1f} bp a year; net of tax it {worth}"
    return f"{held.step_said} {worth}, as much as {fall:.2f} bp less tracking error, from {now:.1f} bp a year"


def _frac(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(FRACTION_PLACES)
