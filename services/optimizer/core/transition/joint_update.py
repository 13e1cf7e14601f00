"""The joint bounds as an update of an analysis that is shown already: each plan over years with how far it can be from the best.

Invariants
1. An approach is only ever replaced by the same approach, its plan the given one or one that costs less, and its proof numerical.
2. An approach that the joint problem says nothing of stays as it is.
"""

from msgspec import structs

from services.optimizer.core.transition.approaches import Today, today
from services.optimizer.core.transition.case import ApproachKind, TransitionCase
from services.optimizer.core.transition.joint import JointAnswer, judge
from services.optimizer.core.transition.over_years import answer_of, budget_rules, timeline_rules
from services.optimizer.core.transition.result import Analysis, Approach, Certificate
from services.optimizer.core.transition.wind_down import notes_of, wind_down_rules
from services.optimizer.core.transition.years import Rules, most_held, plan_years

DIGITS = 6
BETTER = "The plan over all years at once costs {saved:.1f} bp less than the one made year by year, and is shown."


def joint_update(case: TransitionCase, analysis: Analysis) -> Analysis:
    """The analysis with the joint bound, and a better plan where one was found, of every plan over years."""
    now = today(case)
    approaches = [_judged(now, each) for each in analysis.approaches]
    return structs.replace(analysis, approaches=approaches, joint="done")


def _judged(now: Today, approach: Approach) -> Approach:
    kind = ApproachKind(approach.kind)
    rules = _rules(now, kind, len(approach.years))
    if approach.status != "planned" or rules is None or len(approach.years) < 2:
        return approach
    most = most_held(now.case, now.problem, now.end)
    plan = plan_years(now.case, rules, most)
    if not plan.reached:
        return approach
    answer = judge(now.case, rules, plan, most)
    certificate = certificate_of(answer)
    if not answer.found:
        return structs.replace(approach, certificate=certificate)
    better = answer_of(now, answer.plan, approach.approach_id, kind, approach.label, approach.shadow_prices)
    saved = (approach.certificate.objective_bps or 0.0) - answer.objective_bps
    notes = notes_of(now.case, answer.plan) if kind is ApproachKind.WIND_DOWN else approach.notes
    return structs.replace(better, certificate=certificate, notes=[*notes, BETTER.format(saved=saved)])


def _rules(now: Today, kind: ApproachKind, years: int) -> Rules | None:
    if kind is ApproachKind.TIMELINE:
        return timeline_rules(years)
    if kind in (ApproachKind.TAX_BUDGET, ApproachKind.GAIN_BUDGET):
        return budget_rules(now, kind)
    return wind_down_rules(now.case) if kind is ApproachKind.WIND_DOWN else None


def certificate_of(answer: JointAnswer) -> Certificate:
    """The numerical proof of a plan over years."""
    method = f"joint problem over all years, {len(answer.statuses)} relaxations by PIQP, bound from their multipliers in floating point"
    objective, bound = round(answer.objective_bps, DIGITS), round(answer.lower_bound_bps, DIGITS)
    if not bound > -1e9:
        return Certificate("none", objective, method=method + "; no bound was found")
    return Certificate("numerical", objective, bound, round(objective - bound, DIGITS), method)
