"""The netted solve against every region and choice of options, against random plans, and against the plain solve where they must agree."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.optimizer_instances import model_of
from services.optimizer.core.dual.model import Trades, validated
from services.optimizer.core.dual.netted_model import NettedAccount, true_objective, year_of
from services.optimizer.core.dual.netting import NettedPlan, NettedStart, solve_netted
from services.optimizer.core.dual.primal import excess
from services.optimizer.core.dual.solve import FEASIBLE, Effort, Outcome, solve
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxLaw, TaxPosition, budgets_in_force, year_tax
from services.wash_sale.core.tax_year.netting import Carryover, net
from services.wash_sale.core.tax_year.netting import items_of as ledger_items
from tests.unit.optimizer.dual_models import choices, limits
from tests.unit.optimizer.instances import load
from tests.unit.optimizer.netted_accounts import VALUE, least_by_regions, random_account, random_position

SEEDS = st.integers(0, 100_000)
THOROUGH = Effort(enough=1e-9, nodes=400)
LAW = TaxLaw(Decimal("0.408"), Decimal("0.238"), Decimal("0.37"), Decimal(3000), Decimal("0.19"), Decimal("0.19"))


def instance(name: str) -> tuple[NettedAccount, Decimal]:
    """An instance without tax in its prices, its gains by character, and its value."""
    account = load(name)
    model = model_of(account)
    gain = 1 - np.array([lot["basis_per_share"] for lot in account["lots"]]) / np.array(account["price"])[model.lots.name]
    is_long = np.array([lot["days_held"] > 365 for lot in account["lots"]])
    tax = np.where(is_long, account["tax"]["lt"], account["tax"]["st"]) * gain
    bare = validated(replace(model, lots=replace(model.lots, sell_price=model.lots.sell_price - tax)))
    return NettedAccount(bare, gain * ~is_long, gain * is_long), Decimal(str(account["value"]))


def at(value: Decimal, short_bps: int, long_bps: int, budgets: Budgets | None = None, law: TaxLaw = LAW) -> TaxPosition:
    """A year whose nets are so many basis points of the account, which count against the budgets as well."""
    year = Nets(value * short_bps / 10_000, value * long_bps / 10_000)
    return TaxPosition(law, year, year, budgets or Budgets(), value)


def some_plans(account: NettedAccount, rng: np.random.Generator) -> list[Trades]:
    """Random plans that keep the hard rows."""
    model, every, kept = account.model, choices(account.model), []
    for _ in range(60):
        chosen = every[int(rng.integers(len(every)))]
        low, high, most = limits(model, chosen)
        sold = low + rng.random(len(low)) * rng.random() * (high - low)
        plan = Trades(sold, most * rng.random(len(most)) * rng.random() * 0.05, np.array(chosen))
        if (excess(model, plan) <= 0).all():
            kept.append(plan)
    return kept


def within(position: TaxPosition, account: NettedAccount, plan: Trades, slack: float = 0.0) -> bool:
    """Whether a plan keeps the budgets by the netting function, `slack` of account value aside."""
    short, long = (Decimal(repr(gain)) * position.value for gain in account.gains(plan.sold))
    year, most = year_tax(position.law, position.budget_year + Nets(short, long)), budgets_in_force(position)
    used = ((most.tax, year.tax), (most.short_gain, year.ordinary_gain), (most.long_gain, year.preferential_gain))
    spare = Decimal(repr(slack)) * position.value + Decimal("0.005")
    return all(limit is None or actual <= limit + spare for limit, actual in used)


@pytest.mark.parametrize("budgets", [False, True])
@pytest.mark.parametrize("seed", [1, 3])
def test_the_answer_is_the_best_of_every_region_and_choice_of_options(seed: int, budgets: bool) -> None:
    account, position = random_account(seed, names=3), random_position(seed + 50 * budgets, budgets)
    year = year_of(account, position)
    before = year_tax(position.law, position.year)
    worth = position.law.carried_short_frac * before.carried_short + position.law.carried_long_frac * before.carried_long
    least = least_by_regions(account, position, float((before.tax - worth) / VALUE))
    answer = solve_netted(account, position, THOROUGH)
    assert len(year.choices) >= 1
    assert answer.objective == pytest.approx(least, abs=2e-7)
    assert answer.lower_bound <= least + 2e-7
    assert answer.lower_bound == pytest.approx(least, abs=2e-7)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_no_plan_within_the_budgets_beats_the_bound(seed: int, budgets: bool) -> None:
    account, position = random_account(seed), random_position(seed, budgets)
    answer, year = solve_netted(account, position), year_of(account, position)
    for plan in some_plans(account, np.random.default_rng(seed)):
        if within(position, account, plan):
            assert answer.lower_bound <= true_objective(account, year, plan) + 1e-9


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_the_plan_keeps_rules_and_budgets_and_is_priced_by_the_netting_function(seed: int, budgets: bool) -> None:
    account, position = random_account(seed), random_position(seed, budgets)
    answer = solve_netted(account, position)
    if answer.trades is None or answer.tax is None:
        assert answer.outcome is Outcome.INFEASIBLE
        return
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.lower_bound <= answer.objective + 1e-12
    assert (excess(account.model, answer.trades) <= FEASIBLE).all()
    assert within(position, account, answer.trades, 10 * FEASIBLE)
    assert answer.objective == true_objective(account, year_of(account, position), answer.trades)
    gains = account.gains(answer.trades.sold)
    said = [("short", position.year.short), ("short", cents(gains[0])), ("long", position.year.long), ("long", cents(gains[1]))]
    ledger = net(ledger_items(said), Carryover(), "single")
    after = answer.tax.with_plan
    assert (after.net_short, after.net_long) == (ledger.net_short, ledger.net_long)
    assert (after.ordinary_gain, after.preferential_gain) == (ledger.ordinary_gain, ledger.preferential_gain)
    assert answer.tax.added == after.tax - year_tax(position.law, position.year).tax


def cents(gain: float) -> Decimal:
    return Decimal(repr(gain * float(VALUE))).quantize(Decimal("0.01"))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from(["tax", "short_gain", "long_gain"]), st.integers(0, 20_000))
def test_a_larger_budget_never_costs_more(seed: int, budget: str, more: int) -> None:
    account, position = random_account(seed), random_position(seed, budgets=True)
    limit = getattr(position.budgets, budget)
    looser = replace(position, budgets=replace(position.budgets, **{budget: None if limit is None else limit + more}))
    assert solve_netted(account, looser).lower_bound <= solve_netted(account, position).objective + 1e-9


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([2, 10, 16]))
def test_money_in_other_units_changes_nothing(seed: int, units: int) -> None:
    account, position = random_account(seed), random_position(seed, budgets=True)
    law = replace(position.law, ordinary_limit=position.law.ordinary_limit * units)
    budgets = Budgets(*(None if each is None else each * units for each in (position.budgets.tax, position.budgets.short_gain, None)))
    year = Nets(position.year.short * units, position.year.long * units)
    used = Nets(position.budget_year.short * units, position.budget_year.long * units)
    scaled = solve_netted(account, TaxPosition(law, year, used, budgets, position.value * units))
    first = solve_netted(account, replace(position, budgets=replace(position.budgets, long_gain=None)))
    assert scaled.outcome is first.outcome
    if first.trades is not None:
        assert scaled.objective == pytest.approx(first.objective, abs=2e-6)  # a used-up tax budget is rounded to the cent


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(0.1, 0.4))
def test_where_every_rate_is_one_netting_changes_nothing(seed: int, rate: float) -> None:
    account = random_account(seed)
    one = Decimal(repr(rate))
    position = replace(random_position(seed), law=TaxLaw(one, one, one, Decimal(3000), one, one))
    price = account.model.lots.sell_price + rate * (account.short_gain + account.long_gain)
    plain = solve(validated(replace(account.model, lots=replace(account.model.lots, sell_price=price))), THOROUGH)
    answer = solve_netted(account, position, THOROUGH)
    assert answer.objective == pytest.approx(plain.objective, abs=2e-9)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_deep_in_gains_each_gain_costs_its_own_rate(seed: int) -> None:
    account = random_account(seed)
    gains = Nets(VALUE, VALUE)
    position = TaxPosition(LAW, gains, gains, Budgets(), VALUE)
    price = account.model.lots.sell_price + 0.408 * account.short_gain + 0.238 * account.long_gain
    plain = solve(validated(replace(account.model, lots=replace(account.model.lots, sell_price=price))), THOROUGH)
    answer = solve_netted(account, position, THOROUGH)
    assert answer.objective == pytest.approx(plain.objective, abs=2e-9)
    assert answer.prices == pytest.approx((0.408, 0.238), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_short_and_long_are_alike_where_their_rates_and_worths_are(seed: int) -> None:
    account, position = random_account(seed), random_position(seed)
    law = TaxLaw(Decimal("0.3"), Decimal("0.3"), Decimal("0.25"), Decimal(3000), Decimal("0.1"), Decimal("0.1"))
    turned = NettedAccount(account.model, account.long_gain, account.short_gain)
    first = replace(position, law=law, budget_year=position.year)
    second = replace(first, year=Nets(position.year.long, position.year.short))
    assert solve_netted(turned, second, THOROUGH).objective == pytest.approx(solve_netted(account, first, THOROUGH).objective, abs=2e-9)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans(), st.sampled_from([(1.0, 1.0), (-1.0, -1.0), (1.0, -0.5), (-0.5, 1.0)]))
def test_a_start_that_leads_to_the_wrong_piece_changes_nothing(seed: int, budgets: bool, gains: tuple[float, float]) -> None:
    account, position = random_account(seed), random_position(seed, budgets)
    plain = solve_netted(account, position, THOROUGH)
    misled = solve_netted(account, position, THOROUGH, NettedStart(np.zeros(account.first_row), (0.0, 0.0), gains))
    assert misled.outcome is plain.outcome
    if plain.trades is not None:
        assert misled.objective == pytest.approx(plain.objective, abs=2e-9)
        assert misled.lower_bound == pytest.approx(plain.lower_bound, abs=2e-9)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_the_same_inputs_give_the_same_bytes(seed: int, budgets: bool) -> None:
    first, second = (solve_netted(random_account(seed), random_position(seed, budgets)) for _ in range(2))
    assert as_bytes(first) == as_bytes(second)


def as_bytes(plan: NettedPlan) -> tuple[object, ...]:
    trades = () if plan.trades is None else (plan.trades.sold.tobytes(), plan.trades.bought.tobytes())
    return (plan.outcome, plan.objective, plan.lower_bound, plan.tax, plan.shadow, plan.start.multipliers.tobytes(), trades)


@pytest.mark.parametrize("nets", [(0, 0), (600, 600), (1500, -500), (-100, 700)])
def test_an_instance_is_certified_in_every_state_of_the_year(nets: tuple[int, int]) -> None:
    account, value = instance("100_1")
    answer = solve_netted(account, at(value, *nets))
    again = solve_netted(account, at(value, *nets), start=answer.start)
    assert answer.outcome is again.outcome is Outcome.CERTIFIED
    assert abs(answer.objective - again.objective) <= max(answer.gap, again.gap) + 1e-12
    assert 1e4 * answer.gap <= 0.5
    assert answer.solved + answer.abandoned == len(year_of(account, at(value, *nets)).choices)


@pytest.mark.parametrize("budget", ["tax", "short_gain", "long_gain"])
def test_a_binding_budget_is_met_and_its_shadow_price_is_the_slope(budget: str) -> None:
    """The slope is that of the objective between two budgets, a convex function of the budget while the branches stay."""
    account, value = instance("100_1")
    risky = validated(replace(account.model, risk=20 * account.model.risk))
    account = NettedAccount(risky, np.abs(account.short_gain), np.abs(account.long_gain))  # gains alone, and wanted
    free = solve_netted(account, at(value, 0, 0))
    assert free.tax is not None
    after = free.tax.with_plan
    used = {"tax": after.tax, "short_gain": after.ordinary_gain, "long_gain": after.preferential_gain}[budget]
    tight = [used - value * bps / 10_000 for bps in (10, 12, 8)]
    middle, lower, upper = (solve_netted(account, at(value, 0, 0, Budgets(**{budget: limit}))) for limit in tight)
    assert middle.outcome is Outcome.CERTIFIED
    slope = (lower.objective - upper.objective) / 4e-4
    assert middle.shadow[budget] > 0
    assert middle.shadow[budget] == pytest.approx(slope, rel=0.05)
