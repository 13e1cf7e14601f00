"""Account files of the scorer's format: what is refused and how it is named, odd accounts, whole shares, the certificate's own check."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import certificate, certificate_bound
from benchmarks import optimizer as command
from benchmarks.optimizer_convex import programme_of, solved_by
from benchmarks.optimizer_input import BadInstance, checked
from benchmarks.optimizer_instances import Rules, core_of, model_of, multipliers_said, trades_for_scorer
from benchmarks.optimizer_whole import whole_shares
from services.optimizer.core.dual.solve import Certified, Outcome, solve
from tests.unit.optimizer import scorer
from tests.unit.optimizer.instances import load

Account = dict[str, Any]
BPS = 1e4


def put(*path: Any, value: Any) -> Callable[[Account], None]:
    """A change of one entry of an account."""

    def change(account: Account) -> None:
        place: Any = account
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def tilt_the_covariance(account: Account) -> None:
    account["F"][2][2] = -0.01


BAD = [
    ("a price that is not a number", put("price", 3, value=float("nan")), "price", "S0003"),
    ("a negative price", put("price", 4, value=-1.0), "price", "S0004"),
    ("a price of zero", put("price", 0, value=0), "price", "S0000"),
    ("no price", put("price", 5, value=None), "price", "S0005"),
    ("a price in text", put("price", 6, value="12.5"), "price", "S0006"),
    ("an infinite value", put("value", value=float("inf")), "value", None),
    ("a value of nothing", put("value", value=0), "value", None),
    ("cash that is not a number", put("cash", value=float("nan")), "cash", None),
    ("targets that don't sum to one", put("target", 7, value=0.5), "target", None),
    ("a target below zero", put("target", 8, value=-0.1), "target", "S0008"),
    ("a specific variance below zero", put("D", 9, value=-0.1), "D", "S0009"),
    ("a covariance that is not semidefinite", tilt_the_covariance, "F", "factor 2"),
    ("a covariance that is not symmetric", put("F", 0, 1, value=0.5), "F", "factor 0"),
    ("a name that the risk model misses", put("B", 10, value=None), "B", "S0010"),
    ("a loading that is not a number", put("B", 11, 2, value=float("nan")), "B", "S0011"),
    ("a short column", put("D", value=[0.1]), "D", None),
    ("a lot without a price", put("lots", 0, "ticker", value="GONE"), "lots.ticker", "lot S0000_0 (GONE)"),
    ("a lot of less than no shares", put("lots", 1, "shares", value=-5), "lots.shares", "lot S0000_1 (S0000)"),
    ("a basis that is not a number", put("lots", 2, "basis_per_share", value=float("nan")), "lots.basis_per_share", "lot S0000_2 (S0000)"),
    ("a rate above one", put("tax", "st", value=1.2), "tax.st", None),
    ("no rate", put("tax", value={"st": 0.3}), "tax.lt", None),
    ("no risk aversion", put("lam", value=0), "lam", None),
    ("a restricted name nobody knows", put("no_buy", 0, value="WHO"), "no_buy", "WHO"),
    ("a loss sale of a name nobody knows", put("recent_loss_sales", value=[{"ticker": "WHO"}]), "recent_loss_sales", "WHO"),
    ("a cap below zero", put("max_te", value=-0.01), "max_te", None),
    ("a smallest trade below zero", put("min_trade", value=-1), "min_trade", None),
    ("a ticker twice", put("tickers", 1, value="S0000"), "tickers", "S0000"),
]


@pytest.mark.parametrize(("why", "change", "field", "entry"), BAD, ids=[each[0] for each in BAD])
def test_what_makes_no_sense_is_refused_by_name(why: str, change: Callable[[Account], None], field: str, entry: str | None) -> None:
    account = load("100_1")
    change(account)
    with pytest.raises(BadInstance) as refused:
        checked(account)
    assert (refused.value.field, refused.value.entry) == (field, entry)
    assert refused.value.why


def test_bounds_that_contradict_each_other_are_refused_by_name() -> None:
    account = load("100_1")
    count = len(account["tickers"])
    account |= {"weight_min": [0.0] * count, "weight_max": [0.1] * count}
    account["weight_min"][12] = 0.2
    with pytest.raises(BadInstance, match=r"weight_min of S0012: 0.2 is above weight_max, 0.1"):
        checked(account)


def test_the_other_files_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    good = load("100_1")
    files = [tmp_path / name for name in ("bad.json", "not_json.json", "good.json", "missing.json")]
    files[0].write_text(json.dumps({**good, "price": [-1.0, *good["price"][1:]]}))
    files[1].write_text("{")
    files[2].write_text(json.dumps(good))
    monkeypatch.setattr("sys.argv", ["optimizer", "--repeat", "1", *map(str, files)])
    assert command.main() == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == ["refused", "refused", "certified", "refused"]
    assert lines[0]["reason"] == "bad.json: price of S0000: -1.0 must be above 0"
    assert {"objective_bps", "lower_bound_bps", "gap_bps", "cpu_ms_cold", "cpu_ms_warm", "trades"} <= lines[2].keys()


def no_lots(account: Account) -> None:
    account.update(lots=[], cash=account["value"])


def little_cash_and_no_lots(account: Account) -> None:
    account["lots"] = []


def overdrawn(account: Account) -> None:
    account["cash"] = -0.02 * account["value"]


def nothing_may_be_bought(account: Account) -> None:
    account["no_buy"] = list(account["tickers"])


def a_factor_too_many(account: Account) -> None:
    """The covariance is singular: its last factor repeats its first."""
    covariance = np.array(account["F"])
    covariance = np.vstack([np.hstack([covariance, covariance[:, :1]]), np.append(covariance[0], covariance[0, 0])])
    account["F"] = covariance.tolist()
    account["B"] = [[*row, 0.1] for row in account["B"]]


def everything_recent_and_at_a_loss(account: Account) -> None:
    for lot in account["lots"]:
        lot.update(days_held=10, basis_per_share=lot["basis_per_share"] * 2)


ODD = [no_lots, little_cash_and_no_lots, overdrawn, nothing_may_be_bought, a_factor_too_many, everything_recent_and_at_a_loss]


@pytest.mark.parametrize("change", ODD, ids=[each.__name__ for each in ODD])
def test_odd_accounts_are_solved_with_a_proof(change: Callable[[Account], None]) -> None:
    account = load("100_1")
    change(account)
    answer, line = line_of(checked(account).account)
    assert answer.outcome is Outcome.CERTIFIED
    assert certificate.checked(line, account)["wrong"] == []


def line_of(account: Account, rules: Rules = Rules(), name: str = "one") -> tuple[Certified, Account]:  # noqa: B008 (frozen)
    """An answer and the benchmark's line of it."""
    model = model_of(account, rules)
    answer = solve(model)
    assert answer.trades is not None
    return answer, {
        "instance": name,
        "rules": {"min_trade": rules.min_trade, "max_te": rules.max_te},
        "root_bound_bps": BPS * answer.root_bound,
        "objective_bps": BPS * answer.objective,
        "multipliers": multipliers_said(account, model, answer.bound_multipliers),
        "trades": trades_for_scorer(account, answer.trades),
    }


def test_the_certificate_agrees_with_the_solver() -> None:
    account = load("100_1")
    _, line = line_of(account)
    found = certificate.checked(line, account)
    assert found["holds"], found["wrong"]


@pytest.mark.parametrize("seed", range(4))
def test_any_multipliers_give_a_bound_that_no_plan_beats(seed: int) -> None:
    account, rng = load("100_1"), np.random.default_rng(seed)
    answer, line = line_of(account)
    for scale in (0.01, 0.3, 3.0):
        point = np.array(line["multipliers"]["factor_point"])
        drawn = {
            "factor_point": (point + scale * rng.normal(0, 0.02, len(point))).tolist(),
            "cash": scale * rng.random() / 100,
            "te_cap": 0.0,
        }
        assert certificate_bound.bound_bps(account, drawn) <= BPS * answer.objective + 1e-9


@pytest.mark.parametrize(("te_cap", "min_trade_usd"), [(0.012, 0.0), (0.008, 2_000.0), (0.006, 100.0)])
def test_the_cap_and_the_smallest_trade_are_certified(te_cap: float, min_trade_usd: float) -> None:
    account = load("100_1")
    account |= {"max_te": te_cap, "min_trade": min_trade_usd}
    answer, line = line_of(account, Rules(min_trade=True, max_te=True))
    assert answer.outcome is Outcome.CERTIFIED
    assert certificate.checked(line, account)["wrong"] == []
    assert scorer.score(account, line["trades"])["te_after"] == pytest.approx(te_cap, rel=1e-6)
    free, _ = line_of(account)
    assert answer.objective > free.objective


def test_a_cap_out_of_reach_is_proved_so() -> None:
    account = load("100_1")
    account["max_te"] = 1e-4
    model = model_of(account, Rules(max_te=True))
    answer = solve(model)
    assert answer.outcome is Outcome.INFEASIBLE
    line = {"instance": "one", "rules": {"max_te": True}, "multipliers": multipliers_said(account, model, answer.bound_multipliers)}
    assert certificate.checked_infeasible(line, account)["holds"]
    reachable = {**account, "max_te": 0.02}
    assert not certificate.checked_infeasible(line, reachable)["holds"]


def sell_twice(line: Account) -> None:
    next(trade for trade in line["trades"] if trade["side"] == "SELL")["shares"] += 100.0


def leave_a_trade_out(line: Account) -> None:
    line["trades"].pop()


def claim_a_better_bound(line: Account) -> None:
    line["root_bound_bps"] += 0.001


def move_a_multiplier(line: Account) -> None:
    line["multipliers"]["factor_point"][0] += 0.01


@pytest.mark.parametrize("lie", [sell_twice, leave_a_trade_out, claim_a_better_bound, move_a_multiplier])
def test_a_certificate_that_lies_is_found_out(lie: Callable[[Account], None]) -> None:
    account = load("100_1")
    _, line = line_of(account)
    lied = deepcopy(line)
    lie(lied)
    assert not certificate.checked(lied, account)["holds"]


@pytest.mark.parametrize(
    ("pieces", "least", "expected"),
    [
        ([], 0.0, 0.5 * 2.0 * 0.1**2),  # hold
        ([(-1.0, 0.0)], 0.0, 0.0),  # sell down to the target, free of charge
        ([(-0.05, 0.0)], 0.0, 0.05**2),  # as far as it reaches
        ([(-1.0, 1.0)], 0.0, 0.1**2),  # too dear to sell
        ([(-1.0, 1.0)], 0.04, 0.06**2 + 0.04),  # but it has to be this much
        ([(-0.03, 1.0), (-0.5, 2.0)], 0.04, 0.06**2 + 0.03 + 0.02),  # over two lots
        ([(-0.03, 1.0)], 0.04, float("inf")),  # out of reach
    ],
)
def test_the_least_cost_of_a_name(pieces: list[tuple[float, float]], least: float, expected: float) -> None:
    assert certificate_bound.least_cost(2.0, 0.0, 0.1, pieces, least) == pytest.approx(expected)


@pytest.mark.parametrize("min_trade_usd", [0.0, 100.0, 2_000.0])
def test_whole_shares_keep_cash_rules_and_the_smallest_trade(min_trade_usd: float) -> None:
    account = load("100_1")
    account["min_trade"] = min_trade_usd
    model = model_of(account)
    answer = solve(model)
    said = whole_shares(account, model, answer, min_trade_usd)
    scored = scorer.score(account, said)
    assert scored["violations"] == []
    assert scored["orders_under_min_trade"] == 0
    held, traded = totals(account["lots"]), totals(said)
    assert traded
    for ticker, shares in traded.items():
        assert shares == pytest.approx(round(shares), abs=1e-7) or shares == pytest.approx(held[ticker])
    assert BPS * answer.lower_bound <= scored["score_bps"]
    if not min_trade_usd:
        assert scored["score_bps"] - BPS * answer.objective <= 1.0


def test_whole_shares_keep_the_cap() -> None:
    account = load("100_1")
    account |= {"max_te": 0.008, "min_trade": 1_000.0}
    model = model_of(account, Rules(min_trade=True, max_te=True))
    answer = solve(model)
    scored = scorer.score(account, whole_shares(account, model, answer, 1_000.0))
    assert scored["te_after"] <= 0.008 * (1 + 1e-9)
    assert (scored["violations"], scored["orders_under_min_trade"]) == ([], 0)
    assert scored["score_bps"] - BPS * answer.objective <= 2.0


def totals(rows: list[Account]) -> dict[str, float]:
    """Shares by ticker."""
    found: dict[str, float] = {}
    for row in rows:
        found[row["ticker"]] = found.get(row["ticker"], 0.0) + row["shares"]
    return found


@pytest.mark.parametrize(("solver", "near_bps"), [("pdlp", 1e-2), ("piqp", 1e-3), ("clarabel", 1e-3)])
def test_other_solvers_find_the_same_optimum_of_the_convex_core(solver: str, near_bps: float) -> None:
    model = model_of(load("100_1"))
    answer = solve(model)
    core = solve(core_of(model, answer.trades.chosen))
    other = solved_by(solver, programme_of(model, answer.trades.chosen), 1)
    assert BPS * core.objective == pytest.approx(BPS * answer.objective, abs=1e-4)
    assert BPS * other.objective == pytest.approx(BPS * core.objective, abs=near_bps)
