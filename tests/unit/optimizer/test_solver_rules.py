"""The certified solve on whole accounts: against every branch, by its optimality conditions, by what must not matter, by the tax ledger.

1. The answer is the best of every branch, and the bound is below it.
2. The plan's multipliers prove it optimal on its branch: stationary, complementary, of the right sign.
3. Loosening a rule never worsens the objective; a bigger tax budget never raises tracking error where trading is free.
4. Scaling money scales the answer; the order of names and lots changes nothing.
5. No plan contains a wash sale by the judgement of the wash_sale core.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.optimizer_convex import by_pdlp, programme_of
from benchmarks.optimizer_instances import Rules, model_of, trades_for_scorer
from services.optimizer.core.dual.model import Model, Rows, validated
from services.optimizer.core.dual.primal import objective, tracking_error
from services.optimizer.core.dual.solve import Certified, Effort, Outcome, solve
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.identity import EVERY_SECURITY_BY_ITSELF
from services.wash_sale.core.intended import IntendedTrade, try_out
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.policy import DEFAULT_POLICY
from services.wash_sale.core.tax_events import LotIn, LotPart, PastLoss, TaxAccount, TaxEvent
from tests.unit.optimizer import scorer
from tests.unit.optimizer.instances import load
from tests.unit.optimizer.small_accounts import AS_OF, Account, least_over_every_branch, small_account

SEEDS = st.integers(0, 100_000)
THOROUGH = Effort(enough=1e-9, tight=1e-10, nodes=400)
ALL_RULES = Rules(min_trade=True, max_te=True)
ROW = 1e-9  # of account value: what a hard row that is met to 1e-8 may be worth
NEAR = 2e-7  # of account value: what other solvers leave


@pytest.mark.parametrize("seed", range(8))
def test_the_answer_is_the_best_of_every_branch(seed: int) -> None:
    model = model_of(small_account(seed))
    best = least_over_every_branch(model)
    answer = solve(model, THOROUGH)
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.objective == pytest.approx(best, abs=NEAR)
    assert answer.lower_bound <= best + NEAR


@pytest.mark.parametrize("seed", range(100, 106))
def test_the_plan_is_the_best_of_its_branch_by_pdlp(seed: int) -> None:
    model = model_of(small_account(seed, names=30))
    answer = solve(model)
    assert answer.trades is not None
    status, reference = by_pdlp(programme_of(model, answer.trades.chosen))
    assert status == "OPTIMAL"
    assert answer.objective == pytest.approx(reference, abs=2e-6)


@pytest.mark.parametrize("name", ["100_1", "500_1"])
def test_the_multipliers_prove_the_plan_optimal_on_its_branch(name: str) -> None:
    prove_optimal(model_of(load(name)))


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_multipliers_prove_small_plans_optimal(seed: int) -> None:
    prove_optimal(model_of(small_account(seed)))


def prove_optimal(model: Model) -> None:
    """Stationary in every lot and purchase of the branch, row multipliers not negative and zero where the row has room."""
    answer = solve(model)
    trades, names, near = answer.trades, model.names, 1e-7
    assert trades is not None
    active = names.held - np.bincount(model.lots.name, trades.sold, len(names.held)) + trades.bought - names.target
    z = answer.multipliers[model.factors :]
    room = model.rows.bound - model.rows.sell.T @ trades.sold - model.rows.buy.T @ trades.bought
    assert (z >= 0).all()
    assert (z * room <= near).all()
    assert np.allclose(answer.multipliers[: model.factors], model.risk * (names.exposures.T @ active), atol=1e-5)
    pull = model.risk * (names.exposures @ (names.exposures.T @ active) + names.specific_var * active)
    inside = np.isin(model.options.slot_option, trades.chosen) & ~model.options.slot_forced
    lots = model.options.slot_lot[inside]
    gain = pull[model.lots.name[lots]] - model.lots.sell_price[lots] - model.rows.sell[lots] @ z  # of selling a little more
    sold, size = trades.sold[lots], model.lots.size[lots]
    assert (gain[sold < size - near] <= 1e-5).all()
    assert (gain[sold > near] >= -1e-5).all()
    buys = model.options.buys[trades.chosen] & (names.buy_max > 0)
    gain = -(pull + names.buy_price + model.rows.buy @ z)  # of buying a little more
    assert (gain[buys] <= 1e-5).all()
    assert (gain[trades.bought > near] >= -1e-5).all()


def more_cash(account: Account) -> None:
    account["value"], account["cash"] = account["value"], account["cash"] + 0.01 * account["value"]


def lift_restrictions(account: Account) -> None:
    account["no_buy"] = []


def forget_loss_sales(account: Account) -> None:
    account["recent_loss_sales"] = []


def raise_the_cap(account: Account) -> None:
    account["max_te"] *= 1.5


def lower_the_smallest_trade(account: Account) -> None:
    account["min_trade"] /= 4


LOOSER = [more_cash, lift_restrictions, forget_loss_sales, raise_the_cap, lower_the_smallest_trade]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(LOOSER))
def test_loosening_a_rule_never_worsens_the_objective(seed: int, loosen: Callable[[Account], None]) -> None:
    tight = small_account(seed)
    loose = deepcopy(tight)
    loosen(loose)
    before, after = (solve(model_of(each, ALL_RULES), THOROUGH) for each in (tight, loose))
    assert {before.outcome, after.outcome} <= {Outcome.CERTIFIED, Outcome.INFEASIBLE}
    if before.outcome is Outcome.CERTIFIED:
        assert after.outcome is Outcome.CERTIFIED
        assert after.lower_bound <= before.objective + ROW
        assert after.objective <= before.objective + 1e-8


@pytest.mark.parametrize("seed", range(6))
def test_a_bigger_tax_budget_never_raises_tracking_error_where_trading_is_free(seed: int) -> None:
    account = small_account(seed, names=12)
    account["half_spread_bps"] = [0.0] * 12
    model = model_of(account)
    free = solve(model, THOROUGH)
    assert free.trades is not None
    tax, least = float(free.trades.sold @ model.lots.sell_price), float(np.minimum(model.lots.sell_price, 0.0) @ model.lots.size)
    errors = []
    for part in (0.2, 0.5, 0.9, 1.0, 1.5):
        answer = solve(with_tax_budget(model, tax - (1 - part) * 0.3 * (tax - least)), THOROUGH)
        if answer.trades is None:
            assert answer.outcome is Outcome.INFEASIBLE
            continue
        errors.append(tracking_error(model, answer.trades) ** 2 * model.risk / 2)
    assert len(errors) >= 2
    assert all(after <= before + 2e-8 for before, after in pairwise(errors)), errors


def with_tax_budget(model: Model, bound: float) -> Model:
    rows = Rows(
        np.column_stack([model.rows.sell, model.lots.sell_price]),
        np.column_stack([model.rows.buy, np.zeros(len(model.names.held))]),
        np.append(model.rows.bound, bound),
        np.zeros(2),
        np.full(2, np.inf),
    )
    return validated(replace(model, rows=rows))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([0.01, 3.0, 1e4]))
def test_scaling_money_scales_the_answer(seed: int, scale: float) -> None:
    account = small_account(seed)
    scaled = deepcopy(account)
    for field in ("cash", "value", "min_trade"):
        scaled[field] *= scale
    for lot in scaled["lots"]:
        lot["shares"] *= scale
    first, second = (solve(model_of(each, Rules(min_trade=True)), THOROUGH) for each in (account, scaled))
    assert first.outcome is second.outcome
    assert second.objective == pytest.approx(first.objective, abs=1e-8)
    assert first.trades is not None
    assert second.trades is not None
    assert np.allclose(first.trades.sold, second.trades.sold, atol=1e-5)
    assert np.allclose(first.trades.bought, second.trades.bought, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(SEEDS, SEEDS)
def test_the_order_of_names_and_lots_changes_nothing(seed: int, shuffle: int) -> None:
    account, rng = small_account(seed), np.random.default_rng(shuffle)
    moved = deepcopy(account)
    order = rng.permutation(len(account["tickers"]))
    for field in ("tickers", "price", "target", "B", "D", "half_spread_bps"):
        moved[field] = [account[field][i] for i in order]
    moved["lots"] = [account["lots"][i] for i in rng.permutation(len(account["lots"]))]
    first, second = (plan_of(each) for each in (account, moved))
    assert second[0].objective == pytest.approx(first[0].objective, abs=1e-9)
    assert second[1].keys() == first[1].keys()
    assert all(second[1][each] == pytest.approx(first[1][each], abs=0.01) for each in first[1])


def plan_of(account: Account) -> tuple[Certified, dict[str, float]]:
    """The answer, and dollars traded by lot or ticker, those of a cent or more."""
    answer = solve(model_of(account), THOROUGH)
    assert answer.trades is not None
    price = dict(zip(account["tickers"], account["price"], strict=True))
    said = trades_for_scorer(account, answer.trades)
    dollars = {each.get("lot_id", each["ticker"]): each["shares"] * price[each["ticker"]] for each in said}
    return answer, {key: usd for key, usd in dollars.items() if usd > 1.0}


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.booleans())
def test_no_plan_contains_a_wash_sale_by_the_ledgers_own_judgement(seed: int, min_trade: bool) -> None:
    account = small_account(seed, names=12)
    answer = solve(model_of(account, Rules(min_trade=min_trade)))
    assert answer.trades is not None
    said = trades_for_scorer(account, answer.trades)
    assert scorer.score(account, said)["violations"] == []
    assert denied_by_the_ledger(account, said) == {}


def test_the_ledger_does_deny_what_a_careless_plan_would_do() -> None:
    """The judge above can say no: a lot sold at a loss and bought again on the same day."""
    account = load("100_1")
    price = dict(zip(account["tickers"], account["price"], strict=True))
    lot = next(lot for lot in account["lots"] if lot["basis_per_share"] > 1.1 * price[lot["ticker"]] and lot["days_held"] > 40)
    trade = {"ticker": lot["ticker"], "shares": lot["shares"]}
    said = [{**trade, "side": "SELL", "lot_id": lot["lot_id"]}, {**trade, "side": "BUY"}]
    assert list(denied_by_the_ledger(account, said)) == [lot["ticker"]]


@pytest.mark.parametrize("name", ["100_1", "500_1"])
def test_no_plan_of_an_instance_contains_a_wash_sale_by_the_ledgers_own_judgement(name: str) -> None:
    account = load(name)
    answer = solve(model_of(account))
    assert answer.trades is not None
    assert denied_by_the_ledger(account, trades_for_scorer(account, answer.trades)) == {}


def denied_by_the_ledger(account: Account, said: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Dollars of loss that the wash_sale core would deny, by ticker, were the trades made on the account's date."""
    book = book_of(account)
    price = {ticker: Decimal(repr(each)) for ticker, each in zip(account["tickers"], account["price"], strict=True)}
    sales: dict[str, list[LotPart]] = {}
    buys = {each["ticker"]: Decimal(repr(round(each["shares"], 6))) for each in said if each["side"] == "BUY"}
    shares = {lot["lot_id"]: Decimal(repr(lot["shares"])) for lot in account["lots"]}
    for each in said:
        if each["side"] == "SELL":
            wanted, held = Decimal(repr(round(each["shares"], 6))), shares[each["lot_id"]]
            quantity = held if abs(held - wanted) < Decimal("0.0005") else wanted
            if quantity > 0:
                sales.setdefault(each["ticker"], []).append(LotPart(each["lot_id"], quantity))
    trades = [
        IntendedTrade(f"sell {ticker}", "A1", ticker, "sell", sum((each.quantity for each in lots), Decimal(0)), price[ticker], tuple(lots))
        for ticker, lots in sales.items()
    ]
    trades += [
        IntendedTrade(f"buy {ticker}", "A1", ticker, "buy", quantity, price[ticker]) for ticker, quantity in buys.items() if quantity
    ]
    meanings = try_out(book, trades, AS_OF)
    assert [each.refusal for each in meanings if each.refusal] == []
    return {trade.security_id: each.denied for trade, each in zip(trades, meanings, strict=True) if each.denied > Decimal("0.05")}


def book_of(account: Account) -> Book:
    """The account's lots and past losses as the ledger has them."""
    events: list[TaxEvent] = []
    for lot in account["lots"]:
        day = AS_OF - timedelta(days=int(lot["days_held"]))
        shares = Decimal(repr(lot["shares"]))
        cost = (shares * Decimal(repr(lot["basis_per_share"]))).quantize(Decimal("0.01"))
        layer = Layer("A1", lot["lot_id"], f"A1/{lot['lot_id']}", lot["ticker"], shares, cost, day, day)
        events.append(LotIn(lot["lot_id"], day, layer, acquisition=True, settled=True))
    for sale in account["recent_loss_sales"]:
        quantity, amount = Decimal(repr(sale["shares"])), Decimal(repr(-sale["realized_gain"]))
        events.append(PastLoss(f"past {sale['ticker']}", date.fromisoformat(sale["sold"]), "A1", sale["ticker"], quantity, amount))
    book = Book({"A1": TaxAccount("A1", "owner", taxable=True)}, EVERY_SECURITY_BY_ITSELF, DEFAULT_POLICY)
    for event in sorted(events, key=lambda each: each.day):
        assert book_event(book, event) is None
    return book


def test_the_plan_costs_what_it_says() -> None:
    account = load("500_1")
    model = model_of(account)
    answer = solve(model)
    assert answer.trades is not None
    assert objective(model, answer.trades) == pytest.approx(answer.objective, abs=1e-15)
