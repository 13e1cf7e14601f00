"""A concentrated position reduced in stages, and a portfolio completed around what is left of it.

Each year sells as much of the position as lowering the risk is worth, within the client's cap on it and, where one is given, the yearly
budget of tax; the losses of other lots are netted against its gain, since a year is netted as a whole.  What must leave by the last
year has an exit credit before it.  The rest of the account is optimised against the active risk that the position leaves: that is what
minimising tracking error does, and `completion` shows what it is worth.

Invariants
1. The position is sold by no more than its yearly cap, to the share, and ends at its ceiling, where caps, budgets and restrictions allow.
2. A year's ceiling before the last is one from which the cap can still reach the final one.
"""

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition.approaches import Today
from services.optimizer.core.transition.book import view
from services.optimizer.core.transition.case import ApproachKind, TransitionCase, WindDown
from services.optimizer.core.transition.one_period import NO_BUDGETS
from services.optimizer.core.transition.outcome import Carried
from services.optimizer.core.transition.over_years import answer_of
from services.optimizer.core.transition.result import Approach
from services.optimizer.core.transition.years import Rules, Staged, YearsPlan, most_held, plan_years

LABEL = "Concentrated positions in stages"
REACHED = 1e-3  # of the account: whole shares, and prices of those traded


def wind_down_rules(case: TransitionCase) -> Rules | None:
    """What the staged sale keeps; None where no position is to be wound down."""
    wishes = case.wishes.wind_downs
    if not wishes:
        return None
    years = max(max(each.years, 1) for each in wishes)
    budget = case.tax.tax_budget_usd
    budgets = NO_BUDGETS if budget is None else Budgets(tax=budget)
    return Rules(years, budgets=(budgets,), staged=tuple(_staged(each, years) for each in wishes))


def _staged(wish: WindDown, years: int) -> Staged:
    """Ceilings by year: the final one from its year on, before it as far above as the caps of the years left can sell."""
    step = np.inf if wish.yearly_frac is None else wish.yearly_frac
    left = [max(max(wish.years, 1) - number, 0) for number in range(1, years + 1)]
    return Staged(wish.name, tuple(wish.ceiling_frac + (step * n if n else 0.0) for n in left), wish.yearly_frac)


def wind_down(now: Today) -> Approach | None:
    """The staged sale; None where the client has no such position."""
    rules = wind_down_rules(now.case)
    if rules is None:
        return None
    plan = plan_years(now.case, rules, most_held(now.case, now.problem, now.end))
    if not plan.reached:
        return answer_of(now, plan, "wind_down", ApproachKind.WIND_DOWN, LABEL)
    return answer_of(now, plan, "wind_down", ApproachKind.WIND_DOWN, LABEL, notes=notes_of(now.case, plan))


def notes_of(case: TransitionCase, plan: YearsPlan) -> list[str]:
    """What the staged sale comes to: the position by year, the completion portfolio, the losses netted."""
    notes = []
    for wish in case.wishes.wind_downs:
        label, path = case.names.label[wish.name], [float(weights(done)[wish.name]) for done in plan.carried]
        notes.append(f"{label}: {', '.join(f'{each:.1%}' for each in path)} of the account after each year.")
        reached = path[min(max(wish.years, 1), len(path)) - 1]
        if reached > wish.ceiling_frac + REACHED:
            notes.append(
                f"{label} stays at {reached:.1%}, above the {wish.ceiling_frac:.1%} wanted: the yearly cap, the tax budget or a "
                "restriction stands against selling more."
            )
    left = completion(case, plan.carried[0])
    notes.append(
        f"After the first year the rest of the account is arranged around what is left: tracking error {left[0]:.2%}, and {left[1]:.2%} "
        "if the rest were spread like the target."
    )
    used = sum(done.outcome.realised.short_loss_usd + done.outcome.realised.long_loss_usd for done in plan.carried)
    notes.append(
        f"Losses of ${used:,.0f} in all are taken and netted against the gains." if used else "No losses to net against the gains."
    )
    return notes


def weights(done: Carried) -> Floats:
    """[names] Weights after a year's trades."""
    return view(done.book).held


def completion(case: TransitionCase, done: Carried) -> tuple[float, float]:
    """Tracking error of the book after a year, and with its positions to be wound down as they are and the rest spread like the target."""
    names, held = case.names, weights(done)
    staged = np.zeros(len(names.target), dtype=np.bool_)
    staged[[wish.name for wish in case.wishes.wind_downs]] = True
    rest = float(held[~staged].sum())
    wanted = float(names.target[~staged].sum())
    spread = np.where(staged, held, names.target * (rest / wanted if wanted > 0 else 0.0))
    return _te(case, held), _te(case, spread)


def _te(case: TransitionCase, held: Floats) -> float:
    active = held - case.names.target
    common = case.names.exposures.T @ active
    return float(np.sqrt(common @ common + active @ (case.names.specific_var * active)))
