"""The whole analysis of one case: the account, every approach, the frontier, what restrictions cost, and what all of it rests on.

Invariants
1. The same case gives the same analysis; `progress` is told what is under way and is asked nothing.
2. Every approach that the case asks for is in the answer: planned, out of reach or not offered, the last two with a reason.
"""

from collections.abc import Callable

from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition import approaches, gift, over_years, wind_down
from services.optimizer.core.transition.account import account_of, assumptions_of
from services.optimizer.core.transition.approaches import LABELS, Today, today
from services.optimizer.core.transition.case import ApproachKind, TransitionCase
from services.optimizer.core.transition.frontier import trace
from services.optimizer.core.transition.joint_update import joint_update
from services.optimizer.core.transition.reach import out_of_reach
from services.optimizer.core.transition.restrictions import restriction_costs
from services.optimizer.core.transition.result import Analysis, Approach
from services.optimizer.core.transition.summary import not_planned

__all__ = ["Progress", "analyse", "joint_update", "silent"]

Progress = Callable[[str, float], None]


def silent(what: str, part: float) -> None:
    """Tells nobody."""


def analyse(case: TransitionCase, progress: Progress = silent) -> Analysis:
    """Every approach of the case with its proof; joint bounds of plans over years follow by `joint_update`."""
    progress("The account today", 0.0)
    now = today(case)
    found = [approaches.keep(now), approaches.sell_all(now), approaches.immediate(now)]
    progress("The frontier of tax against tracking error", 0.15)
    frontier = trace(case, now.problem, now.end)
    progress("Plans over years", 0.35)
    found += [_timeline(now, years) for years in case.wishes.timelines]
    progress("Plans within budgets", 0.6)
    found += _budgets(now)
    progress("What was asked for besides", 0.75)
    found += _wished(now)
    progress("What restrictions cost", 0.9)
    costs = restriction_costs(now)
    answer = Analysis(
        strategy_id=case.strategy_id,
        strategy_label=case.strategy_label,
        account=account_of(now),
        approaches=found,
        frontier=frontier.points,
        knee=frontier.knee,
        restrictions=costs,
        assumptions=assumptions_of(case),
        not_judged=[],
        joint="pending" if any(len(each.years) > 1 for each in found) else "not_wanted",
    )
    progress("Done", 1.0)
    return answer


def _refused(case: TransitionCase, kind: ApproachKind) -> str | None:
    """Why the strategy does not offer a kind of approach."""
    return next((why for each, why in case.not_offered if each is kind), None)


def _timeline(now: Today, years: int) -> Approach:
    reason = _refused(now.case, ApproachKind.TIMELINE)
    if reason is not None:
        return not_planned(f"timeline_{years}", ApproachKind.TIMELINE, f"Over {years} years", "not_offered", reason)
    return over_years.timeline(now, years)


def _budgets(now: Today) -> list[Approach]:
    """The yearly budgets that the client gave."""
    tax, found = now.case.tax, []
    gains = Budgets(short_gain=tax.short_budget_usd, long_gain=tax.long_budget_usd)
    for kind, budgets in ((ApproachKind.TAX_BUDGET, Budgets(tax=tax.tax_budget_usd)), (ApproachKind.GAIN_BUDGET, gains)):
        if budgets != Budgets():
            found.append(_budget(now, kind, budgets))
    return found


def _budget(now: Today, kind: ApproachKind, budgets: Budgets) -> Approach:
    reason = _refused(now.case, kind)
    if reason is not None:
        return not_planned(kind.value, kind, LABELS[kind], "not_offered", reason)
    reason = out_of_reach(now.case, now.problem, budgets)
    if reason is not None:
        return not_planned(kind.value, kind, LABELS[kind], "out_of_reach", reason)
    return over_years.budget_plan(now, kind)


def _wished(now: Today) -> list[Approach]:
    """What the client asked for besides: a tracking error, positions wound down, a gift."""
    return [*_te_target(now), *_staged(now)]


def _te_target(now: Today) -> list[Approach]:
    wanted, kind = now.case.wishes.te_target_frac, ApproachKind.TE_TARGET
    if wanted is None:
        return []
    reason = _refused(now.case, kind)
    if reason is not None:
        return [not_planned(kind.value, kind, LABELS[kind], "not_offered", reason)]
    return [approaches.te_target(now, wanted)]


def _staged(now: Today) -> list[Approach]:
    """Positions wound down, and a gift, where they are wished."""
    wishes = now.case.wishes
    asked = (
        (ApproachKind.WIND_DOWN, wind_down.LABEL, bool(wishes.wind_downs), wind_down.wind_down),
        (ApproachKind.GIFT, gift.LABEL, wishes.gift_usd > 0, gift.gift),
    )
    found = []
    for kind, label, wanted, plan in asked:
        reason = _refused(now.case, kind)
        if wanted and reason is not None:
            found.append(not_planned(kind.value, kind, label, "not_offered", reason))
        elif wanted and (answer := plan(now)) is not None:
            found.append(answer)
    return found
