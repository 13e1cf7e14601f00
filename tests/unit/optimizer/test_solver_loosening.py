"""What a rule costs: loosening one of any kind never worsens the best that an account can do, and its order and units change nothing.

The accounts have every rule of the product somewhere (samples.random_world), with the owner's limits on top; each is solved in fractional
shares by the product's own chain.  A rule is loosened in what was asked of the account, not in the arrays.

1. The bound of the looser account is at most what the tighter one's plan costs; what had a plan has one still.
2. The order of securities and lots in the payloads changes no trade; with money in other units the problem is the same.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal as D
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.account import Budgets, LossPolicy, PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.branch import SolveStatus
from services.optimizer.core.build import build_problem
from services.optimizer.core.chain import CERTIFIED_GAP, Solution, solve_chain
from services.optimizer.core.decline import Decline
from services.optimizer.core.inputs import join
from services.optimizer.core.market import prepare
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.small_trades import least_trade
from tests.unit.optimizer.samples import World, random_world, with_account

SEEDS = st.integers(0, 10**6)
ROW = 1e-7  # of invested value: what hard rows met to 1e-8, at their prices, may be worth


def limited_world(seed: int) -> World:
    """A random world whose owner has limits of every kind, sectors and industries being two each."""
    random, given_world = Random(seed + 1), random_world(seed)
    columns = given_world.market.securities
    ids = columns.security_id
    labelled = structs.replace(
        columns,
        sector=["even" if i % 2 == 0 else "odd" for i in range(len(ids))],
        industry=["low" if 2 * i < len(ids) else "high" for i in range(len(ids))],
    )

    def some(value: Any) -> Any:
        return value if random.random() < 0.5 else None

    bounds = [
        WeightBound("security", random.choice(ids), most_frac=D("0.08")),
        WeightBound("sector", "even", D("0.3"), D("0.55")),
        WeightBound("industry", "low", D("-0.05"), D("0.05"), relative=True),
        WeightBound("factor", "f1", D("-0.01"), D("0.01"), relative=True),
    ]
    limits = PlanLimits(
        tracking_error_frac=some(D(random.choice(["0.03", "0.06", "0.12"]))),
        turnover_frac=some(D(random.choice(["0.2", "0.6", "1.2"]))),
        trades=some(random.randint(3, 12)),
        names=some(random.randint(5, 18)),
        min_holding=some(given_world.account.min_trade * 2),
        weights=[bound for bound in bounds if random.random() < 0.4],
    )
    losses = random.choice([LossPolicy(), LossPolicy("netted", D("0.1"), D("0.05"))])
    made = replace(given_world, market=structs.replace(given_world.market, securities=labelled))
    return with_account(made, limits=limits, losses=losses)


def problem_of(made: World) -> Problem | None:
    snapshot = prepare(made.market)
    assert not isinstance(snapshot, Decline)
    case = join(made.account, made.screen, made.ledger, snapshot, made.run, made.earlier, DEFAULT_POLICY)
    return None if isinstance(case, Decline) else build_problem(case)


def limits_of(made: World, **fields: object) -> World:
    return with_account(made, limits=structs.replace(made.account.limits, **fields))


def times(limit: Any, by: str) -> Any:
    return None if limit is None else limit * D(by)


def without(made: World, kind: Callable[[Any], bool]) -> World:
    """Without the verdicts of a kind."""
    return replace(made, screen=structs.replace(made.screen, verdicts=[each for each in made.screen.verdicts if not kind(each)]))


def wider(made: World) -> World:
    """Every bound on weights a little wider."""
    step = D("0.02")
    bounds = [
        structs.replace(
            bound,
            least_frac=None if bound.least_frac is None else bound.least_frac - step,
            most_frac=None if bound.most_frac is None else bound.most_frac + step,
        )
        for bound in made.account.limits.weights
    ]
    return limits_of(made, weights=bounds)


def budget(name: str) -> Callable[[World], World]:
    def more(made: World) -> World:
        limit = getattr(made.account.budgets, name)
        return with_account(made, budgets=structs.replace(made.account.budgets, **{name: None if limit is None else limit * 2 + 100}))

    return more


def heavier_names(made: World) -> World:
    bounds = [structs.replace(each, max_weight_frac=times(each.max_weight_frac, "2")) for each in made.screen.verdicts]
    return replace(made, screen=structs.replace(made.screen, verdicts=bounds))


def no_windows(**fields: object) -> Callable[[World], World]:
    return lambda made: replace(made, ledger=structs.replace(made.ledger, **fields))


def every_security_by_itself(made: World) -> World:
    """No two are substantially identical; windows stay what they say."""
    columns = made.market.securities
    return replace(made, market=structs.replace(made.market, securities=structs.replace(columns, identity_group=columns.security_id)))


LOOSER: dict[str, Callable[[World], World]] = {
    "a higher cap": lambda made: limits_of(made, tracking_error_frac=times(made.account.limits.tracking_error_frac, "1.3")),
    "no cap": lambda made: limits_of(made, tracking_error_frac=None),
    "more turnover": lambda made: limits_of(made, turnover_frac=times(made.account.limits.turnover_frac, "1.3")),
    "more trades": lambda made: limits_of(made, trades=None if made.account.limits.trades is None else made.account.limits.trades + 2),
    "more names": lambda made: limits_of(made, names=None if made.account.limits.names is None else made.account.limits.names + 2),
    "smaller holdings": lambda made: limits_of(made, min_holding=times(made.account.limits.min_holding, "0.5")),
    "wider bounds": wider,
    "no bounds": lambda made: limits_of(made, weights=[]),
    "no limits": lambda made: with_account(made, limits=PlanLimits()),
    "more tax": budget("tax"),
    "more short gains": budget("short_gain"),
    "more long gains": budget("long_gain"),
    "no budgets": lambda made: with_account(made, budgets=Budgets()),
    "smaller trades": lambda made: with_account(made, min_trade=made.account.min_trade / 4),
    "less cash kept": lambda made: with_account(made, cash_min_frac=D(0)),
    "more cash kept": lambda made: with_account(made, cash_max_frac=D("0.2")),
    "heavier names": heavier_names,
    "what was not to be bought": lambda made: without(made, lambda each: each.may_sell and not each.may_buy and not each.must_sell),
    "what was to be held": lambda made: without(made, lambda each: not each.may_sell and each.rules[0].kind == "hold"),
    "no window after losses": no_windows(blocked_buys=[]),
    "no earlier account": lambda made: replace(made, earlier=[]),
    "no identity": every_security_by_itself,
}


UNLOCKS = ("no window after losses", "no earlier account", "no identity")  # these let what must be sold be sold, which is a rule more


@pytest.mark.parametrize("rule", LOOSER)
@settings(max_examples=5, deadline=None)
@given(seed=SEEDS)
def test_loosening_a_rule_never_worsens_the_best_plan(rule: str, seed: int) -> None:
    made = limited_world(seed)
    made = without(made, lambda each: each.must_sell) if rule in UNLOCKS else made
    tight, loose = problem_of(made), problem_of(LOOSER[rule](made))
    assert (tight is None) == (loose is None)
    if tight is None or loose is None:
        return
    penalty = max(dominance(tight), dominance(loose))
    before, after = (solved(problem, each.account.min_trade, penalty) for problem, each in ((tight, made), (loose, LOOSER[rule](made))))
    if isinstance(before, Solution):
        assert isinstance(after, Solution)
        assert after.lower_bound <= before.objective + ROW
        assert after.objective <= before.objective + max(CERTIFIED_GAP, after.gap) + ROW


def solved(problem: Problem, min_trade: D, penalty: float) -> Solution | SolveStatus:
    return solve_chain(problem, penalty, least_trade(problem, float(min_trade)), DEFAULT_POLICY)


def in_another_order(made: World, random: Random) -> World:
    """Securities, their rows of the risk model, the strategy's names and the lots shuffled."""
    columns, risk, model = made.market.securities, made.market.risk, made.market.models[0]
    order = random.sample(range(len(columns.security_id)), len(columns.security_id))
    rows = random.sample(range(len(risk.security_id)), len(risk.security_id))
    names = random.sample(range(len(model.security_id)), len(model.security_id))
    lots = random.sample(range(len(made.account.lots.lot_id)), len(made.account.lots.lot_id))
    market = structs.replace(
        made.market,
        securities=reordered(columns, order),
        risk=structs.replace(
            risk,
            security_id=[risk.security_id[i] for i in rows],
            exposures=[risk.exposures[i] for i in rows],
            specific_var_ann=[risk.specific_var_ann[i] for i in rows],
        ),
        models=[
            structs.replace(model, security_id=[model.security_id[i] for i in names], weight_frac=[model.weight_frac[i] for i in names])
        ],
    )
    held = made.ledger.accounts[0]
    ledger = structs.replace(made.ledger, accounts=[structs.replace(held, lots=reordered(held.lots, lots))])
    return replace(with_account(made, lots=reordered(made.account.lots, lots)), market=market, ledger=ledger)


def reordered(columns: Any, order: list[int]) -> Any:
    return structs.replace(columns, **{name: [getattr(columns, name)[i] for i in order] for name in columns.__struct_fields__})


@settings(max_examples=8, deadline=None)
@given(SEEDS, SEEDS)
def test_the_order_of_securities_and_lots_changes_no_trade(seed: int, shuffle: int) -> None:
    made = limited_world(seed)
    first, second = made.propose(), in_another_order(made, Random(shuffle)).propose()
    assert type(first) is type(second)
    if isinstance(first, ProposalCreated) and isinstance(second, ProposalCreated):
        assert first.certificate is not None and second.certificate is not None
        near = max(first.certificate.gap_bps, second.certificate.gap_bps) + D("0.001")
        assert abs(first.certificate.objective_bps - second.certificate.objective_bps) <= near
        assert traded(first) == traded(second)
        return
    assert (first.code, first.limit, first.actual) == (second.code, second.limit, second.actual)  # type: ignore[union-attr]


def traded(made: ProposalCreated) -> dict[tuple[str, str], D]:
    return {(each.security_id, each.side): each.quantity for each in made.trades}


def in_other_units(made: World, units: int) -> World:
    """Ten times the money: shares, cash, smallest trades and holdings, budgets, the year and its limit."""
    by = D(units)
    columns, budgets, limits, year = made.account.lots, made.account.budgets, made.account.limits, made.ledger.account_years
    lots = structs.replace(
        columns,
        quantity=[str(D(each) * by) for each in columns.quantity],
        cost_basis=[None if each is None else str(D(each) * by) for each in columns.cost_basis],
    )
    held = made.ledger.accounts[0]
    theirs = structs.replace(held.lots, quantity=lots.quantity, tax_basis=lots.cost_basis)
    ledger = structs.replace(
        made.ledger,
        accounts=[structs.replace(held, lots=theirs)],
        account_years=[structs.replace(each, short_net=each.short_net * by, long_net=each.long_net * by) for each in year],
    )
    account = structs.replace(
        made.account,
        lots=lots,
        cash_settled=made.account.cash_settled * by,
        cash_unsettled=made.account.cash_unsettled * by,
        min_trade=made.account.min_trade * by,
        cash_flows=[structs.replace(each, amount=each.amount * by) for each in made.account.cash_flows],
        budgets=Budgets(*(None if each is None else each * by for each in (budgets.tax, budgets.short_gain, budgets.long_gain))),
        limits=structs.replace(limits, min_holding=None if limits.min_holding is None else limits.min_holding * by),
        losses=structs.replace(made.account.losses, ordinary_limit=made.account.losses.ordinary_limit * by),
    )
    return replace(made, account=account, ledger=ledger)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from([10, 1000]))
def test_money_in_other_units_has_the_same_plan(seed: int, units: int) -> None:
    made = no_windows(blocked_loss_sales=[])(limited_world(seed))  # only a lot of whole shares leads out of one
    small, large = problem_of(made), problem_of(in_other_units(made, units))
    assert (small is None) == (large is None)
    if small is None or large is None:
        return
    least = least_trade(small, float(made.account.min_trade))  # half a share is not of the money's unit
    first, second = (solve_chain(each, dominance(small), least, DEFAULT_POLICY) for each in (small, large))
    assert type(first) is type(second)
    if isinstance(first, Solution) and isinstance(second, Solution):
        assert second.objective == pytest.approx(
            first.objective, rel=5e-6, abs=max(first.gap, second.gap) + 5e-6
        )  # a cent of 5,000 dollars
