"""No odd account is left without an answer: certified, or proved to have no plan."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.optimizer_instances import model_of, trades_for_scorer
from services.optimizer.core.dual.model import Model
from services.optimizer.core.dual.primal import hard_excess, option_excess, tracking_error
from services.optimizer.core.dual.solve import FEASIBLE, Effort, Outcome, solve
from tests.unit.optimizer import odd_accounts as odd
from tests.unit.optimizer import scorer

NEAR = 5e-4  # of account value

ACCOUNTS: dict[str, Callable[[], dict[str, Any]]] = {
    **{f"{count} names": lambda count=count: odd.first_names(count) for count in (1, 2, 3, 5)},
    "one lot": lambda: odd.changed(lambda account: account.update(lots=account["lots"][:1])),
    "no cash": lambda: odd.changed(lambda account: account.update(cash=0.0)),
    "cash overdrawn": lambda: odd.changed(lambda account: account.update(cash=-0.01 * account["value"])),
    "no name may be bought": lambda: odd.changed(lambda account: account.update(no_buy=list(account["tickers"]))),
    "every lot a loss": lambda: odd.each_lot(basis_per_share=lambda lot, _: 3 * lot["basis_per_share"]),
    "every lot a recent loss": lambda: odd.each_lot(basis_per_share=lambda lot, _: 3 * lot["basis_per_share"], days_held=lambda *_: 9),
    "every lot recent": lambda: odd.each_lot(days_held=lambda *_: 5),
    "lots of a thousand-millionth": lambda: odd.each_lot(shares=lambda lot, _: 1e-9 * lot["shares"]),
    "every lot at the same loss": lambda: odd.each_lot(basis_per_share=lambda _, price: 1.2 * price),
    "identical names": odd.identical_names,
    "five hundred lots of one name": lambda: odd.many_lots(500),
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_odd_account_is_certified_and_keeps_the_scorers_rules(name: str) -> None:
    account = ACCOUNTS[name]()
    model = model_of(account)
    answer = solve(model)
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.trades is not None
    scored = scorer.score(account, trades_for_scorer(account, answer.trades))
    assert scored["violations"] == []
    assert scored["score_bps"] == pytest.approx(1e4 * answer.objective, rel=1e-9, abs=1e-5)


MODELS: dict[str, Callable[[], Model]] = {
    "no lots": odd.no_lots,
    "ten thousand lots of one name": lambda: model_of(odd.many_lots(10_000)),
    **{f"lam {value:g}": lambda value=value: odd.lam(value) for value in (1e-3, 0.1, 1.0, 1e4, 1e6)},
    "no factors": lambda: odd.factors(lambda count: np.zeros((count, 0))),
    "factors that nothing is exposed to": lambda: odd.factors(lambda count: np.zeros((count, 12))),
    "no turnover": lambda: odd.turnover(0.0),
    "sectors in a band": lambda: odd.sectors(0.002),
    "sectors in a band, capped": lambda: odd.sectors(0.002, te_cap=5e-3),
    **{f"capped at {te_cap}": lambda te_cap=te_cap: odd.cap(te_cap) for te_cap in (2e-3, 5e-3, 1e-2, 0.05)},
    "a cap out of reach, elastic": lambda: odd.cap(1e-4, te_ceiling=1e3),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_odd_model_is_certified_and_keeps_every_rule(name: str) -> None:
    model = MODELS[name]()
    answer = solve(model)
    assert answer.outcome is Outcome.CERTIFIED
    assert answer.trades is not None
    assert hard_excess(model, answer.trades) <= FEASIBLE
    assert option_excess(model, answer.trades) <= 1e-12
    if model.capped and not np.isfinite(model.te_ceiling):
        assert tracking_error(model, answer.trades) <= model.te_cap * (1 + 1e-6)


@pytest.mark.parametrize("every", [1, 10])
@pytest.mark.parametrize("variance", [1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
def test_names_without_risk_of_their_own_have_a_plan_near_its_bound(variance: float, every: int) -> None:
    model = odd.specific_variance(variance, every)
    answer = solve(model)
    assert answer.trades is not None
    assert hard_excess(model, answer.trades) <= FEASIBLE
    assert option_excess(model, answer.trades) <= 1e-12
    assert answer.gap <= NEAR
    assert answer.outcome is (Outcome.CERTIFIED if answer.gap <= Effort().certified else Outcome.GAP_TOO_WIDE)


@pytest.mark.parametrize(
    "model",
    [
        lambda: odd.turnover(-1e-3),
        lambda: odd.turnover(-0.5),
        lambda: odd.cap(1e-5),
        lambda: odd.sectors(0.0),
        lambda: odd.sectors(0.0, 5e-3),
    ],
    ids=["less than no turnover", "much less", "a cap that spreads alone exceed", "sectors exact, so no cost can be paid", "and capped"],
)
def test_what_has_no_plan_is_proved_to_have_none(model: Callable[[], Model]) -> None:
    assert solve(model()).outcome is Outcome.INFEASIBLE
