"""The dual solve with ranges, impact, counts, groups, rows on weights and a tracking-error cap: its invariants; every choice by PDLP."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Model, ModelError, Trades, validated
from services.optimizer.core.dual.prices import shadow_prices
from services.optimizer.core.dual.primal import elastic_objective, hard_excess, option_excess, tracking_error
from services.optimizer.core.dual.solve import FEASIBLE, Effort, Outcome, solve
from services.optimizer.core.dual.value import curvature, evaluate, prepare
from tests.unit.optimizer.dual_extended import extended_model, one_choice
from tests.unit.optimizer.dual_models import choices, limits, pdlp_objective

SEEDS = st.integers(0, 100_000)
THOROUGH = Effort(enough=1e-9, counted=1e-9, tight=1e-9, nodes=2000)


def some_multipliers(model: Model, rng: np.random.Generator) -> Floats:
    tables = prepare(model).tables
    drawn = rng.normal(0, 0.3, len(tables.low)) * rng.choice([0.01, 0.1, 1.0])
    if model.capped:
        drawn[-1] = abs(drawn[-1]) * 100
    return np.clip(drawn, tables.low, tables.high)


def some_plan(model: Model, rng: np.random.Generator) -> Trades | None:
    """A random plan that keeps every rule, or None where three hundred draws keep none."""
    every = choices(model)
    for _ in range(300):
        chosen = every[int(rng.integers(len(every)))]
        low, high, most = limits(model, chosen)
        bought = np.minimum(most, model.options.most[chosen]) * rng.random(len(most)) * rng.random() * 0.3
        plan = Trades(low + rng.random(len(low)) * rng.random() * (high - low), bought, np.array(chosen))
        if max(hard_excess(model, plan), option_excess(model, plan)) <= 0:
            return plan
    return None


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_no_plan_beats_the_bound_at_any_multipliers(seed: int, capped: bool, elastic: bool) -> None:
    rng, model = np.random.default_rng(seed), extended_model(seed, capped=capped, elastic=elastic)
    plan = some_plan(model, rng)
    if plan is None:
        return
    ready, every = prepare(model), np.ones(len(model.options.name), dtype=bool)
    for temperature in (0.0, 1e-4):
        for _ in range(5):
            assert evaluate(ready, some_multipliers(model, rng), temperature, every).value <= elastic_objective(model, plan) + 1e-12


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 1e-1, 1e-2]))
def test_derivatives_are_those_of_the_value(seed: int, tie: float) -> None:
    rng, model = np.random.default_rng(seed), extended_model(seed)
    ready, every = prepare(model), np.ones(len(model.options.name), dtype=bool)
    x, temperature, h = some_multipliers(model, rng), 1e-2, 1e-6
    point = evaluate(ready, x, temperature, every, tie)
    matrix = curvature(ready, x, temperature, every, tie)
    along = rng.normal(size=len(x))
    ahead, behind = (evaluate(ready, x + sign * h * along, temperature, every, tie) for sign in (1, -1))
    assert (ahead.value - behind.value) / (2 * h) == pytest.approx(point.gradient @ along, rel=1e-5, abs=1e-7)
    bend = (ahead.gradient - behind.gradient) @ along / (2 * h)
    if tie > 0:
        assert bend == pytest.approx(-along @ matrix @ along, rel=1e-3)
    assert np.linalg.eigvalsh(matrix).min() >= -1e-9 * max(1.0, float(np.abs(matrix).max()))


@pytest.mark.parametrize(("seed", "names"), [(0, 3), (1, 3), (2, 3), (3, 3), (4, 3), (5, 3), (3, 4)])
def test_the_answer_is_the_best_of_every_choice_of_options(seed: int, names: int) -> None:
    model = extended_model(seed, names, capped=False)
    found = [(answer[0], answer[1]) for answer in (pdlp_objective(model, each) for each in choices(model)) if answer is not None]
    answer = solve(model, THOROUGH)
    if not found:
        assert answer.outcome is Outcome.INFEASIBLE
        return
    best, plan = min(found, key=lambda each: each[0])
    assert best == pytest.approx(elastic_objective(model, plan), abs=1e-6)
    assert answer.objective == pytest.approx(best, abs=1e-6)
    assert answer.lower_bound <= best + 1e-8
    assert answer.gap <= 1e-8


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_the_plan_keeps_every_rule_and_its_bound(seed: int, capped: bool, elastic: bool) -> None:
    model = extended_model(seed, capped=capped, elastic=elastic)
    answer = solve(model, Effort(nodes=400))
    if answer.trades is None:
        assert answer.outcome is Outcome.INFEASIBLE
        assert some_plan(model, np.random.default_rng(seed)) is None
        return
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.lower_bound <= answer.objective + 1e-12
    assert hard_excess(model, answer.trades) <= FEASIBLE
    assert option_excess(model, answer.trades) <= 1e-12
    assert answer.objective == elastic_objective(model, answer.trades)


@pytest.mark.parametrize("seed", range(12))
def test_a_cap_is_met_and_its_multiplier_is_the_risk_it_adds(seed: int) -> None:
    """With one option a name the problem is convex: at risk + x, and no cap, PDLP finds the same plan."""
    wide = extended_model(seed, capped=False)
    model = one_choice(wide, choices(wide)[seed * 7 % len(choices(wide))])
    free = solve(model)
    if free.trades is None:
        return
    loose = tracking_error(model, free.trades)
    capped = validated(replace(model, te_cap=0.95 * loose))
    answer = solve(capped)
    if answer.trades is None:
        assert answer.outcome is Outcome.INFEASIBLE
        return
    assert tracking_error(model, answer.trades) <= capped.te_cap + 1e-8
    reference = pdlp_objective(replace(model, risk=model.risk + float(answer.multipliers[-1])), list(range(len(model.names.held))))
    assert reference is not None
    assert elastic_objective(model, answer.trades) == pytest.approx(elastic_objective(model, reference[1]), abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_shadow_prices_are_what_a_little_more_room_saves(seed: int) -> None:
    """Central differences of the problem with the plan's options fixed."""
    model = extended_model(seed, counts=False)
    answer = solve(model)
    if answer.trades is None:
        return
    fixed, prices, step = one_choice(model, answer.trades.chosen.tolist()), shadow_prices(model, answer), 1e-5

    def saved(**change: Any) -> float:
        less, more = (solve(validated(replace(fixed, **{f: c(sign * step) for f, c in change.items()}))) for sign in (-1, 1))
        return (less.lower_bound - more.lower_bound) / (2 * step)

    for part, found in (("rows", prices.rows), ("weights", prices.weights)):
        rule = getattr(fixed, part)
        for r in np.flatnonzero(found > 1e-6):
            assert saved(**{part: partial(moved, rule, int(r))}) == pytest.approx(found[r], rel=1e-3, abs=1e-5)
    if prices.te_cap > 1e-6:
        assert saved(te_cap=lambda h: fixed.te_cap + h) == pytest.approx(prices.te_cap, rel=1e-3, abs=1e-5)


def moved(rule: Any, r: int, step: float) -> Any:
    """The rows with the bound of one moved."""
    return replace(rule, bound=rule.bound + step * (np.arange(len(rule.bound)) == r))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_permuting_names_and_lots_changes_nothing(seed: int) -> None:
    model = extended_model(seed, names=5)
    rng = np.random.default_rng(seed)
    first, second = solve(model, THOROUGH), solve(permuted(model, rng), THOROUGH)
    assert first.outcome is second.outcome
    if first.trades is not None:
        assert second.objective == pytest.approx(first.objective, abs=2e-9)
        assert second.lower_bound == pytest.approx(first.lower_bound, abs=4e-9)


def permuted(model: Model, rng: np.random.Generator) -> Model:
    """The same account with lots in another order, and the names' options within each block as well."""
    order = rng.permutation(len(model.lots.size))
    back = np.argsort(order)
    names = rng.permutation(len(model.names.held))
    place = np.argsort(names)
    options = model.options
    group = place[options.group]
    at = np.lexsort((rng.permutation(len(group)), place[options.name], options.side, group))
    number = np.argsort(at)
    slots = np.argsort(number[options.slot_option], kind="stable")
    side = np.unique(np.column_stack([group[at], options.side[at]]), axis=0, return_inverse=True)[1].ravel()
    return validated(
        replace(
            model,
            names=replace(model.names, **{f: getattr(model.names, f)[names] for f in model.names.__slots__}),
            lots=replace(
                model.lots, name=place[model.lots.name[order]], size=model.lots.size[order], sell_price=model.lots.sell_price[order]
            ),
            options=replace(
                options,
                **{f: getattr(options, f)[at] for f in ("buys", "least", "most", "price")},
                name=place[options.name[at]],
                slot_option=number[options.slot_option[slots]],
                slot_lot=back[options.slot_lot[slots]],
                slot_forced=options.slot_forced[slots],
                group=group[at],
                side=side,
            ),
            rows=replace(model.rows, sell=model.rows.sell[order], buy=model.rows.buy[names], uses=model.rows.uses[at]),
            weights=replace(model.weights, coefficient=model.weights.coefficient[names]),
        )
    )


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from(["rows", "weights", "cap"]), st.floats(1.02, 2.0))
def test_a_looser_rule_never_costs_more(seed: int, which: str, factor: float) -> None:
    model = extended_model(seed)
    loose = {
        "rows": lambda: replace(model, rows=replace(model.rows, bound=model.rows.bound + (factor - 1))),
        "weights": lambda: replace(model, weights=replace(model.weights, bound=model.weights.bound + (factor - 1))),
        "cap": lambda: replace(model, te_cap=model.te_cap * factor),
    }[which]()
    tight, looser = solve(model, THOROUGH), solve(validated(loose), THOROUGH)
    if tight.trades is None:
        return
    assert looser.trades is not None
    assert looser.objective <= tight.objective + 1e-8


@pytest.mark.parametrize(
    ("part", "field", "value", "says"),
    [
        ("options", "most", -1.0, "least must be finite and at most most, at 1"),
        ("names", "buy_max", 0.0, "must reach its least"),
        ("options", "least", float("nan"), "least is not a number at 1"),
        ("options", "side", 99, "options must be sorted by side"),
        ("options", "group", 4, "options must be sorted by group"),
        ("names", "impact", -1.0, "impact must not be negative, at 1"),
        ("weights", "ceiling", -1.0, "a weight row's box must contain zero, at 1"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused_by_name(part: str, field: str, value: float, says: str) -> None:
    model = extended_model(3)
    array = getattr(getattr(model, part), field).copy()
    array[1] = value
    with pytest.raises(ModelError, match=says):
        validated(replace(model, **{part: replace(getattr(model, part), **{field: array})}))
