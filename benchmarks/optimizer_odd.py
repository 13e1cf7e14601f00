"""Accounts that nobody would think of, from one that somebody might: changes drawn from a seed, for the robustness of the solve.

Each change keeps the format of the scorer's accounts and the meaning of its fields; some leave no plan at all, which is to be proved then.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Account = dict[str, Any]
Rng = np.random.Generator
Change = Callable[[Account, Rng], None]
COLUMNS = ("tickers", "price", "target", "sector", "B", "D", "half_spread_bps")
MOST_CHANGES = 3


def odd(account: Account, seed: int) -> tuple[Account, list[str]]:
    """The account with one to three changes, and their names."""
    rng = np.random.default_rng([seed, 7])
    chosen = rng.choice(len(CHANGES), size=int(rng.integers(1, MOST_CHANGES + 1)), replace=False)
    for number in sorted(chosen.tolist()):
        CHANGES[number](account, rng)
    return account, [CHANGES[number].__name__ for number in sorted(chosen.tolist())]


def _price(account: Account) -> dict[str, float]:
    return dict(zip(account["tickers"], account["price"], strict=True))


def _each_lot(account: Account, change: Callable[[dict[str, Any], float], dict[str, Any]]) -> None:
    price = _price(account)
    for lot in account["lots"]:
        lot.update(change(lot, price[lot["ticker"]]))


def few_names(account: Account, rng: Rng) -> None:
    """The first one to twelve names, the target over them."""
    count = int(rng.integers(1, 13))
    for field in COLUMNS:
        account[field] = account[field][:count]
    kept = set(account["tickers"])
    account["lots"] = [lot for lot in account["lots"] if lot["ticker"] in kept]
    account["no_buy"] = [each for each in account["no_buy"] if each in kept]
    account["recent_loss_sales"] = [each for each in account["recent_loss_sales"] if each["ticker"] in kept]
    account["target"] = (np.array(account["target"]) / sum(account["target"])).tolist()
    price = _price(account)
    account["value"] = account["cash"] + sum(lot["shares"] * price[lot["ticker"]] for lot in account["lots"])


def cash_alone(account: Account, rng: Rng) -> None:
    account.update(lots=[], cash=account["value"])


def cash_of_any_size(account: Account, rng: Rng) -> None:
    """From overdrawn by more than all that is held to ten times the account."""
    account["cash"] = float(rng.choice([-2.0, -0.5, -0.02, 0.0, 1e-9, 0.5, 10.0])) * account["value"]


def nothing_may_be_bought(account: Account, rng: Rng) -> None:
    account["no_buy"] = list(account["tickers"])


def most_was_sold_at_a_loss(account: Account, rng: Rng) -> None:
    account["recent_loss_sales"] = [{"ticker": each} for each in account["tickers"] if rng.random() < 0.9]


def every_lot_recent(account: Account, rng: Rng) -> None:
    _each_lot(account, lambda lot, _: {"days_held": int(rng.integers(0, 31))})


def every_lot_at_the_same_loss(account: Account, rng: Rng) -> None:
    _each_lot(account, lambda _, price: {"basis_per_share": 1.3 * price})


def every_lot_a_gain_without_basis(account: Account, rng: Rng) -> None:
    _each_lot(account, lambda *_: {"basis_per_share": 0.0})


def bases_a_thousandfold(account: Account, rng: Rng) -> None:
    """Losses worth far more than the account."""
    _each_lot(account, lambda lot, _: {"basis_per_share": lot["basis_per_share"] * (1000.0 if rng.random() < 0.2 else 1.0)})


def crumbs(account: Account, rng: Rng) -> None:
    """Some lots of next to no shares."""
    _each_lot(account, lambda lot, _: {"shares": lot["shares"] * (1e-7 if rng.random() < 0.3 else 1.0)})


def hundreds_of_lots_of_one_name(account: Account, rng: Rng) -> None:
    ticker, price = account["tickers"][0], account["price"][0]
    worth, count = 0.5 * account["value"], 400
    for number in range(count):
        age, basis = int(rng.integers(1, 900)), price * float(rng.uniform(0.5, 1.6))
        lot = {"lot_id": f"more{number}", "ticker": ticker, "shares": worth / price / count, "basis_per_share": basis, "days_held": age}
        account["lots"].append(lot)
    account["value"] += worth


def all_in_one_name(account: Account, rng: Rng) -> None:
    account["lots"] = [lot for lot in account["lots"] if lot["ticker"] == account["tickers"][0]]
    worth = sum(lot["shares"] for lot in account["lots"]) * account["price"][0]
    account["value"] = account["cash"] + worth


def target_of_one_name(account: Account, rng: Rng) -> None:
    at = int(rng.integers(len(account["tickers"])))
    account["target"] = [float(number == at) for number in range(len(account["tickers"]))]


def free_trading(account: Account, rng: Rng) -> None:
    account["half_spread_bps"] = [0.0] * len(account["tickers"])


def dear_trading(account: Account, rng: Rng) -> None:
    account["half_spread_bps"] = rng.uniform(100, 5000, len(account["tickers"])).tolist()


def rates(account: Account, rng: Rng) -> None:
    """No tax, one rate for both, long gains dearer, nearly all."""
    short, long = ((0.0, 0.0), (0.3, 0.3), (0.1, 0.4), (0.99, 0.98))[int(rng.integers(4))]
    account["tax"] = {"st": short, "lt": long}


def names_without_risk_of_their_own(account: Account, rng: Rng) -> None:
    account["D"] = [float(rng.choice([1e-4]))] * len(account["D"])


def wild_names(account: Account, rng: Rng) -> None:
    account["D"] = (np.array(account["D"]) * 10 ** rng.uniform(-2, 3, len(account["D"]))).tolist()


def covariance_of_another_size(account: Account, rng: Rng) -> None:
    account["F"] = (np.array(account["F"]) * float(rng.choice([0.0, 1e-6, 1e3]))).tolist()


def one_factor_repeated(account: Account, rng: Rng) -> None:
    """A singular covariance, every name exposed alike."""
    count = len(account["F"])
    account["F"] = np.full((count, count), 0.02).tolist()
    account["B"] = [[1.0] + [0.0] * (count - 1) for _ in account["tickers"]]


def prices_of_every_size(account: Account, rng: Rng) -> None:
    """Shares of a hundredth of a cent and of a million dollars, positions as they were."""
    scale = dict(zip(account["tickers"], 10 ** rng.uniform(-6, 5, len(account["tickers"])), strict=True))
    account["price"] = [price * float(scale[ticker]) for ticker, price in zip(account["tickers"], account["price"], strict=True)]
    for lot in account["lots"]:
        factor = float(scale[lot["ticker"]])
        lot.update(shares=lot["shares"] / factor, basis_per_share=lot["basis_per_share"] * factor)


def risk_aversion_of_any_size(account: Account, rng: Rng) -> None:
    account["lam"] *= float(10 ** rng.uniform(-5, 4))


def identical_names(account: Account, rng: Rng) -> None:
    count = len(account["tickers"])
    account.update(D=[0.05] * count, B=[account["B"][0]] * count, half_spread_bps=[3.0] * count, target=[1 / count] * count)


CHANGES: tuple[Change, ...] = (
    few_names,
    cash_alone,
    all_in_one_name,
    hundreds_of_lots_of_one_name,
    cash_of_any_size,
    nothing_may_be_bought,
    most_was_sold_at_a_loss,
    every_lot_recent,
    every_lot_at_the_same_loss,
    every_lot_a_gain_without_basis,
    bases_a_thousandfold,
    crumbs,
    target_of_one_name,
    free_trading,
    dear_trading,
    rates,
    names_without_risk_of_their_own,
    wild_names,
    covariance_of_another_size,
    one_factor_repeated,
    prices_of_every_size,
    risk_aversion_of_any_size,
    identical_names,
)
