"""What would have to give where the limits of an account conflict."""

from dataclasses import replace
from decimal import Decimal as D

import numpy as np
import pytest
from msgspec import structs

from libs.common.schemas.account import Budgets, LossPolicy, PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalDeclined, Relaxation
from services.optimizer.core.arrays import Floats
from services.optimizer.core.build import build_problem
from services.optimizer.core.dual.model import Model, validated
from services.optimizer.core.dual.primal import hard_excess
from services.optimizer.core.dual.solve import Outcome, solve
from services.optimizer.core.dual_programme import DualProgramme, dual_programme
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.market import prepare
from services.optimizer.core.plan_rules import PlanRules, WeightRow
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.relax import Relaxed, smallest_relaxation
from tests.unit.optimizer.samples import Lot, Security, World, world

SECURITIES = [Security(f"N{i}", "100", "0.1", group=f"N{i}", sector="A" if i < 5 else "B") for i in range(10)]
LOTS = [Lot(f"N{i}-0", f"N{i}", "2000" if i == 0 else "900", "150" if i % 2 else "90") for i in range(10)]


def limited(limits: PlanLimits, **fields: object) -> World:
    return world(SECURITIES, LOTS, "20000", limits=limits, cash_max_frac=D(1), min_trade=D(0), **fields)  # type: ignore[arg-type]


def most(by: str, target: str, limit: str) -> WeightBound:
    return WeightBound(by, target, most_frac=D(limit))  # type: ignore[arg-type]


CASES: list[tuple[str, PlanLimits, set[str]]] = [
    ("turnover against risk", PlanLimits(D("0.001"), D("0.01")), {"turnover_frac", "tracking_error_frac"}),
    ("turnover against a sector", PlanLimits(None, D("0.05"), weights=[most("sector", "A", "0.1")]), {"turnover_frac", "sector"}),
    ("names against trades", PlanLimits(trades=2, names=3), {"names"}),
    (
        "trades against a name and a sector",
        PlanLimits(trades=1, weights=[most("security", "N0", "0.1"), most("sector", "B", "0.4")]),
        {"trades"},
    ),
    ("a sector against the other", PlanLimits(weights=[most("sector", "A", "0.2"), WeightBound("sector", "B", None, D("0.2"))]), set()),
]


def programme_of(made: World) -> tuple[Problem, DualProgramme]:
    snapshot = prepare(made.market)
    case = join(made.account, made.screen, made.ledger, snapshot, made.run, [], DEFAULT_POLICY)  # type: ignore[arg-type]
    assert isinstance(case, Case)
    problem = build_problem(case)
    nothing: Floats = np.zeros(len(problem.held))
    return problem, dual_programme(problem, nothing > 0, dominance(problem), nothing)


def relaxed(made: World) -> tuple[Model, DualProgramme, Relaxed]:
    _, programme = programme_of(made)
    found = smallest_relaxation(programme.model, programme.weight_names, programme.row_names, solve)
    return programme.model, programme, found


def loosened(programme: DualProgramme, found: Relaxed, part: float = 1.0) -> Model:
    """The model with each limit named moved by this part of the way from its bound to what is needed."""
    model, moved = programme.model, {each.name: each.bound + part * (each.needed - each.bound) for each in found.limits}
    rows = np.array([moved.get(name, bound) for name, bound in zip(programme.row_names, model.rows.bound.tolist(), strict=True)])
    weights = [moved.get(name, bound) for name, bound in zip(programme.weight_names, model.weights.bound.tolist(), strict=True)]
    return validated(
        replace(
            model,
            rows=replace(model.rows, bound=rows),
            weights=replace(model.weights, bound=np.array(weights)),
            te_cap=moved.get("tracking_error_frac", model.te_cap),
        )
    )


@pytest.mark.parametrize(("limits", "names"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_plan_behind_it_keeps_every_rule_once_the_named_limits_are_loosened(limits: PlanLimits, names: set[str]) -> None:
    model, programme, found = relaxed(limited(limits))
    assert found.trades is not None
    assert {each.name.split(":")[1] if ":" in each.name else each.name for each in found.limits} == names
    assert hard_excess(loosened(programme, found), found.trades) <= 1e-6
    assert (solve(model).outcome is Outcome.INFEASIBLE) == bool(names)


@pytest.mark.parametrize(("limits", "names"), [case[1:] for case in CASES[:2]], ids=[case[0] for case in CASES[:2]])
def test_less_than_that_is_not_enough(limits: PlanLimits, names: set[str]) -> None:
    _, programme, found = relaxed(limited(limits))
    assert solve(loosened(programme, found, 0.98)).outcome is Outcome.INFEASIBLE


def test_an_account_that_has_a_plan_needs_nothing() -> None:
    _, _, found = relaxed(limited(PlanLimits(D("0.05"), D("0.3"), 8)))
    assert found.limits == () and found.trades is not None


def test_a_decline_names_the_limits_in_the_owners_units_and_words() -> None:
    made = limited(PlanLimits(None, D("0.05"), weights=[most("sector", "A", "0.1")])).propose()
    assert isinstance(made, ProposalDeclined)
    assert (made.outcome, made.code) == ("infeasible", "limits_conflict")
    turnover, sector = made.relaxations
    assert (turnover.name, turnover.limit) == ("turnover_frac", D("0.05"))
    assert (sector.name, sector.limit) == ("weight_most:sector:A_frac", D("0.1"))
    assert sector.says == f"raise the most of sector A from 0.100000 to {sector.needed}"


def test_what_a_decline_asks_for_is_enough() -> None:
    first = limited(PlanLimits(None, D("0.05"), weights=[most("sector", "A", "0.1")]))
    declined = first.propose()
    assert isinstance(declined, ProposalDeclined)
    turnover, sector = declined.relaxations
    mended = PlanLimits(None, turnover.needed + D("0.01"), weights=[most("sector", "A", str(sector.needed + D("0.01")))])
    again = replace(first, account=structs.replace(first.account, limits=mended)).propose()
    assert getattr(again, "code", None) != "limits_conflict"


GAINS = [Lot(f"N{i}-0", f"N{i}", "2000" if i == 0 else "900", "50" if i == 0 else "99.99") for i in range(10)]
LIGHTER = PlanLimits(weights=[most("security", "N0", "0.1")])


def netted(budgets: Budgets, limits: PlanLimits) -> World:
    """N0, at twice its basis, has to fall to a tenth."""
    fields = {"losses": LossPolicy("netted"), "budgets": budgets, "limits": limits}
    return world(SECURITIES, GAINS, "20000", cash_max_frac=D(1), min_trade=D(0), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", ["tax", "long_gain"])
def test_a_netted_budget_that_stands_against_a_limit_is_named_with_what_the_year_needs(budget: str) -> None:
    """A dollar of tax weighs like a dollar of weight, and less tax than weight is needed."""
    declined = netted(Budgets(**{budget: D(100)}), LIGHTER).propose()
    assert isinstance(declined, ProposalDeclined) and declined.code == "limits_conflict"
    needed = {each.name: each for each in declined.relaxations}
    assert needed[f"{budget}_budget_usd"].limit == D(100)
    mended = netted(Budgets(**{budget: needed[f"{budget}_budget_usd"].needed * D("1.01")}), LIGHTER)
    assert set(needed) == {f"{budget}_budget_usd"}
    again = mended.propose()
    assert getattr(again, "code", None) != "limits_conflict"


def test_a_netted_budget_that_is_in_nobodys_way_is_not_named() -> None:
    both = PlanLimits(None, D("0.05"), weights=[most("sector", "A", "0.1")])
    declined = netted(Budgets(tax=D(10**6)), both).propose()
    assert isinstance(declined, ProposalDeclined)
    assert declined.relaxations and "tax_budget_usd" not in {each.name for each in declined.relaxations}


def test_a_budget_is_named_in_dollars() -> None:
    """N0 has to fall to a tenth at a gain, and the budget lets nothing be realised; losses elsewhere would not pay for it."""
    lots = [Lot(f"N{i}-0", f"N{i}", "2000" if i == 0 else "900", "50" if i == 0 else "99.99") for i in range(10)]
    limits = PlanLimits(weights=[most("security", "N0", "0.1")])
    made = world(SECURITIES, lots, "20000", limits=limits, cash_max_frac=D(1), min_trade=D(0), budgets=Budgets(tax=D(100))).propose()
    assert isinstance(made, ProposalDeclined)
    assert [each.name for each in made.relaxations] in (["tax_budget_usd"], ["tax_budget_usd", "weight_most:security:N0_frac"])
    assert isinstance(made.relaxations[0], Relaxation) and made.relaxations[0].limit == D("100.00")
    assert made.relaxations[0].needed > D("100.00")


def test_a_least_weight_is_lowered() -> None:
    problem, _ = programme_of(limited(PlanLimits()))
    row = WeightRow("weight_least:sector:A", np.array([-1.0] * 5 + [0.0] * 5), -0.9)
    made = replace(problem, rules=PlanRules(turnover=0.05, weights=(row,)))
    nothing: Floats = np.zeros(len(problem.held))
    programme = dual_programme(made, nothing > 0, dominance(made), nothing)
    found = smallest_relaxation(programme.model, programme.weight_names, programme.row_names, solve)
    (least,) = [each for each in found.limits if ":" in each.name]
    assert least.bound == -0.9 and least.needed > -0.9
