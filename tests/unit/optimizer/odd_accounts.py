"""Odd accounts for the dual solve, made from an instance of the scorer: tiny, empty, concentrated, blocked, tied, identical."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.optimizer_instances import model_of
from services.optimizer.core.dual.model import Lots, Model, Options, Rows, WeightRows, validated
from tests.unit.optimizer.instances import load

Account = dict[str, Any]


def first_names(count: int) -> Account:
    """The account of its first names alone."""
    account = copy.deepcopy(load("100_1"))
    kept = account["tickers"][:count]
    for field in ("tickers", "price", "target", "sector", "B", "D", "half_spread_bps"):
        account[field] = account[field][:count]
    account["lots"] = [lot for lot in account["lots"] if lot["ticker"] in kept]
    account["no_buy"] = [ticker for ticker in account["no_buy"] if ticker in kept]
    account["recent_loss_sales"] = [sale for sale in account["recent_loss_sales"] if sale["ticker"] in kept]
    account["target"] = [weight / sum(account["target"]) for weight in account["target"]]
    price = dict(zip(account["tickers"], account["price"], strict=True))
    account["value"] = account["cash"] + sum(lot["shares"] * price[lot["ticker"]] for lot in account["lots"])
    return account


def changed(change: Callable[[Account], None]) -> Account:
    account = copy.deepcopy(load("100_1"))
    change(account)
    return account


def each_lot(**values: Callable[[dict[str, Any], float], float]) -> Account:
    """Fields of every lot set from the lot and its name's price."""

    def change(account: Account) -> None:
        price = dict(zip(account["tickers"], account["price"], strict=True))
        for lot in account["lots"]:
            lot |= {field: value(lot, price[lot["ticker"]]) for field, value in values.items()}

    return changed(change)


def many_lots(count: int) -> Account:
    """One name in ever so many lots of every age and basis."""
    rng = np.random.default_rng(1)

    def change(account: Account) -> None:
        price = account["price"][3]
        shares = account["value"] / price / count
        for k in range(count):
            basis, days = price * float(rng.uniform(0.5, 1.5)), int(rng.integers(1, 900))
            lot = {"lot_id": f"m{k}", "ticker": account["tickers"][3], "shares": shares, "basis_per_share": basis, "days_held": days}
            account["lots"].append({**account["lots"][0], **lot})
        account["value"] *= 2

    return changed(change)


def identical_names() -> Account:
    """Every name the same as every other, every lot at the same loss."""
    account = each_lot(basis_per_share=lambda _, price: 1.2 * price)
    count = len(account["tickers"])
    return account | {
        "D": [0.05] * count,
        "B": [account["B"][0]] * count,
        "half_spread_bps": [3.0] * count,
        "target": [1 / count] * count,
    }


def no_lots() -> Model:
    """Cash alone."""
    model = model_of(load("100_1"))
    rows, buys, count = model.rows, model.options.buys, len(model.names.held)
    keep = np.flatnonzero(buys)
    hold = np.setdiff1d(np.arange(count), model.options.name[keep])
    name = np.sort(np.concatenate([model.options.name[keep], hold]))
    none = np.zeros(0, dtype=np.intp)
    return validated(
        replace(
            model,
            names=replace(model.names, held=np.zeros(count)),
            lots=Lots(none, np.zeros(0), np.zeros(0)),
            options=Options(name, ~np.isin(name, hold), none, none, np.zeros(0, dtype=np.bool_)),
            rows=Rows(np.zeros((0, 1)), rows.buy, np.array([1.0]), rows.floor, rows.ceiling),
        )
    )


def turnover(most: float) -> Model:
    model = model_of(load("100_1"))
    rows = model.rows
    return validated(
        replace(
            model,
            rows=Rows(
                np.column_stack([rows.sell, np.ones(len(model.lots.size))]),
                np.column_stack([rows.buy, np.ones(len(model.names.held))]),
                np.append(rows.bound, most),
                np.zeros(2),
                np.full(2, np.inf),
            ),
        )
    )


def sectors(band: float, te_cap: float = float("inf")) -> Model:
    """Every sector's weight within `band` of the target's."""
    account = load("100_1")
    model = model_of(account)
    sector = np.array(account["sector"])
    members = np.column_stack([(sector == each).astype(np.float64) for each in sorted(set(account["sector"]))])
    wanted, count = members.T @ model.names.target, 2 * members.shape[1]
    bound = np.append(wanted + band, band - wanted)
    return validated(
        replace(model, weights=WeightRows(np.hstack([members, -members]), bound, np.zeros(count), np.full(count, np.inf)), te_cap=te_cap)
    )


def lam(value: float) -> Model:
    return validated(replace(model_of(load("100_1")), risk=2 * value))


def factors(exposures: Callable[[int], Any]) -> Model:
    model = model_of(load("100_1"))
    return validated(replace(model, names=replace(model.names, exposures=exposures(len(model.names.held)))))


def cap(te_cap: float, te_ceiling: float = float("inf")) -> Model:
    return validated(replace(model_of(load("100_1")), te_cap=te_cap, te_ceiling=te_ceiling))


def specific_variance(value: float, every: int = 1) -> Model:
    """Of every so many names, next to nothing: their purchases and sales have no curvature of their own."""
    model = model_of(load("100_1"))
    variance = model.names.specific_var.copy()
    variance[::every] = value
    return validated(replace(model, names=replace(model.names, specific_var=variance)))
