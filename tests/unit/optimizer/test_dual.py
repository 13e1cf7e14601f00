"""The dual solve against its invariants, against PDLP and against every choice of options."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.optimizer_instances import model_of, trades_for_scorer
from services.optimizer.core.dual.model import Model, ModelError, Rows, Trades, validated
from services.optimizer.core.dual.newton import box
from services.optimizer.core.dual.primal import elastic_objective, excess, objective
from services.optimizer.core.dual.solve import FEASIBLE, Certified, Effort, Outcome, solve
from services.optimizer.core.dual.tables import prepare
from services.optimizer.core.dual.value import curvature, evaluate
from tests.unit.optimizer import scorer
from tests.unit.optimizer.dual_models import choices, limits, pdlp_objective, random_model
from tests.unit.optimizer.instances import load

SEEDS = st.integers(0, 100_000)
THOROUGH = Effort(enough=1e-9, tight=1e-9, nodes=400)


def some_plan(model: Model, rng: np.random.Generator) -> Trades | None:
    """A random plan that keeps every rule, or None where three hundred draws keep none."""
    every = choices(model)
    for _ in range(300):
        low, high, most = limits(model, every[int(rng.integers(len(every)))])
        plan = Trades(low + rng.random(len(low)) * rng.random() * (high - low), most * rng.random(len(most)) * rng.random() * 0.05)
        if not (excess(model, plan)[~np.isfinite(model.rows.ceiling)] > 0).any():
            return plan
    return None


def some_multipliers(model: Model, rng: np.random.Generator) -> np.ndarray:
    low, high = box(prepare(model))
    drawn = rng.normal(0, 0.3, len(low)) * rng.choice([0.01, 0.1, 1.0])
    return drawn.clip(low, high)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.booleans())
def test_no_plan_beats_the_bound_at_any_multipliers(seed: int, budget: bool) -> None:
    rng, model = np.random.default_rng(seed), random_model(seed, budget=budget)
    ready, every = prepare(model), np.ones(len(model.options.name), dtype=bool)
    plan = some_plan(model, rng)
    if plan is None:
        return
    for temperature in (0.0, 1e-4):
        bound = evaluate(ready, some_multipliers(model, rng), temperature, every).value
        assert bound <= elastic_objective(model, plan) + 1e-12


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans(), st.sampled_from([0.0, 1e-1, 1e-2]))
def test_derivatives_are_those_of_the_value(seed: int, budget: bool, tie: float) -> None:
    rng, model = np.random.default_rng(seed), random_model(seed, budget=budget)
    ready, every = prepare(model), np.ones(len(model.options.name), dtype=bool)
    x, temperature, h = some_multipliers(model, rng), 1e-2, 1e-6
    point = evaluate(ready, x, temperature, every, tie)
    matrix = curvature(ready, x, temperature, every, tie)
    along = rng.normal(size=len(x))
    ahead, behind = (evaluate(ready, x + sign * h * along, temperature, every, tie) for sign in (1, -1))
    assert (ahead.value - behind.value) / (2 * h) == pytest.approx(point.gradient @ along, rel=1e-5, abs=1e-7)
    if tie > 0:
        bend = (ahead.gradient - behind.gradient) @ along / (2 * h)
        assert bend == pytest.approx(-along @ matrix @ along, rel=1e-4)
    assert np.linalg.eigvalsh(matrix).min() >= -1e-9 * max(1.0, float(np.abs(matrix).max()))
    assert np.allclose(matrix, matrix.T)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_convex_problem_equals_pdlp(seed: int) -> None:
    model = random_model(seed, names=10, one_option=True)
    reference = pdlp_objective(model, list(range(len(model.options.name))))
    answer = solve(model, THOROUGH)
    if reference is None:
        assert answer.outcome is Outcome.INFEASIBLE
        return
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.objective == pytest.approx(reference[0], abs=1e-6)
    assert answer.lower_bound == pytest.approx(reference[0], abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_answer_is_the_best_of_every_choice_of_options(seed: int) -> None:
    model = random_model(seed, names=5)
    found = [answer[0] for answer in (pdlp_objective(model, each) for each in choices(model)) if answer is not None]
    answer = solve(model, THOROUGH)
    assert answer.objective == pytest.approx(min(found), abs=1e-6)
    assert answer.lower_bound <= min(found) + 1e-8


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_the_plan_keeps_the_rules_and_its_bound(seed: int, budget: bool) -> None:
    model = random_model(seed, budget=budget)
    answer = solve(model)
    assert np.isfinite(answer.lower_bound)
    if answer.trades is None:
        assert answer.outcome is Outcome.INFEASIBLE
        return
    assert answer.lower_bound <= answer.objective + 1e-12
    assert (excess(model, answer.trades)[~np.isfinite(model.rows.ceiling)] <= FEASIBLE).all()
    assert (answer.trades.sold >= 0).all()
    assert (answer.trades.sold <= model.lots.size).all()
    sold = np.bincount(model.lots.name, answer.trades.sold, len(model.names.held))
    assert not ((sold > 0) & (answer.trades.bought > 0)).any()
    assert answer.objective == elastic_objective(model, answer.trades)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.booleans())
def test_the_same_model_gives_the_same_bytes(seed: int, budget: bool) -> None:
    first, second = (solve(random_model(seed, budget=budget)) for _ in range(2))
    assert as_bytes(first) == as_bytes(second)


def as_bytes(answer: Certified) -> tuple[object, ...]:
    trades = () if answer.trades is None else (answer.trades.sold.tobytes(), answer.trades.bought.tobytes())
    return (answer.outcome, answer.objective, answer.lower_bound, answer.multipliers.tobytes(), trades)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.001, 0.1))
def test_a_looser_rule_never_costs_more(seed: int, more: float) -> None:
    model = random_model(seed, budget=True)
    loose = replace(model, rows=replace(model.rows, bound=model.rows.bound + more))
    tight, looser = solve(model, THOROUGH), solve(validated(loose), THOROUGH)
    assert looser.lower_bound <= tight.objective + 1e-12


@pytest.mark.parametrize(
    ("name", "best_known_bps"),
    [("100_1", -178.3897), ("500_1", -224.8509)],
)
def test_an_instance_reaches_the_best_known_with_a_proof(name: str, best_known_bps: float) -> None:
    account = load(name)
    model = model_of(account)
    answer = solve(model)
    assert answer.trades is not None
    scored = scorer.score(account, trades_for_scorer(account, answer.trades))
    assert scored["violations"] == []
    assert scored["score_bps"] <= best_known_bps + 0.01
    assert scored["score_bps"] == pytest.approx(1e4 * objective(model, answer.trades), abs=1e-6)
    assert 1e4 * answer.gap <= 0.5


def test_a_rule_out_of_reach_is_proved_so() -> None:
    model = random_model(4, budget=True)
    bound = model.rows.bound.copy()
    bound[1] = -1.0 - float(np.abs(model.lots.sell_price) @ model.lots.size)
    assert solve(validated(replace(model, rows=replace(model.rows, bound=bound)))).outcome is Outcome.INFEASIBLE


@pytest.mark.parametrize("term", ["short", "long"])
@pytest.mark.parametrize("less_bps", [5, 30, 40])
def test_a_binding_budget_is_met_with_a_proof(term: str, less_bps: float) -> None:
    """At a binding budget two lots of a name may tie in price; the plan then sells a part of each."""
    account = load("100_1")
    model = model_of(account)
    price = np.array(account["price"])[model.lots.name]
    is_long = np.array([lot["days_held"] > 365 for lot in account["lots"]])
    gain = (1 - np.array([lot["basis_per_share"] for lot in account["lots"]]) / price) * (is_long == (term == "long"))
    free = solve(model)
    assert free.trades is not None
    room = float(gain @ free.trades.sold) - less_bps / 1e4
    rows = Rows(
        np.column_stack([model.rows.sell, gain]),
        np.column_stack([model.rows.buy, np.zeros(len(model.names.held))]),
        np.append(model.rows.bound, room),
        np.append(model.rows.floor, 0.0),
        np.append(model.rows.ceiling, np.inf),
    )
    answer = solve(validated(replace(model, rows=rows)))
    if answer.outcome is Outcome.INFEASIBLE:
        assert room < float(np.minimum(gain, 0.0) @ model.lots.size)
        return
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.trades is not None
    assert float(gain @ answer.trades.sold) == pytest.approx(room, abs=FEASIBLE)
    assert answer.lower_bound >= free.lower_bound - 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_names_with_many_recent_lots_make_no_wash_sale(seed: int) -> None:
    account, rng = load("100_1"), np.random.default_rng(seed)
    for lot in account["lots"]:
        if rng.random() < 0.2:
            lot["days_held"] = 20
    answer = solve(model_of(account))
    assert answer.trades is not None
    assert scorer.score(account, trades_for_scorer(account, answer.trades))["violations"] == []


@pytest.mark.parametrize(
    ("part", "field", "value", "says"),
    [
        ("names", "specific_var", 0.0, "specific_var must be positive, at 1"),
        ("names", "target", float("nan"), "target is not a number at 1"),
        ("lots", "size", -1.0, "size must be positive, at 1"),
        ("rows", "floor", 1.0, "a multiplier's box must contain zero, at 1"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused_by_name(part: str, field: str, value: float, says: str) -> None:
    model = random_model(3, budget=True)
    array = getattr(getattr(model, part), field).copy()
    array[1] = value
    with pytest.raises(ModelError, match=says):
        validated(replace(model, **{part: replace(getattr(model, part), **{field: array})}))
