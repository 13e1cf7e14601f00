"""The bound at given multipliers, in plain Python over an account's own fields; shares nothing with the solver.

With x >= 0 the cap's multiplier, a = lam + x/2 and y = B'v, convexity gives y'Fy >= 2 u'Fy - u'Fu at any u, so that

    cost >= sum_i least of [ a D_i v_i^2 + 2 a (B F u)_i v_i + tax and cost of the trade + cash price x cash used ]
            - a u'Fu - cash price x cash - 1/2 x cap^2

whatever u (`factor_point`), the price of cash >= 0 and x >= 0: no factorisation, and any numbers at all give a valid bound.  A bound on a
sector at the price z >= 0 adds z to the pull of its names and takes off z x band; a budget adds its price to what gains cost and takes off
its price x the budget.
"""

from dataclasses import dataclass
from itertools import accumulate
from math import fsum
from typing import Any

BPS = 1e4
LONG_DAYS = 365
DEARER = (1, 10, 100, 1_000, 10_000)  # times that prices of rules are raised by, in search of a bound that excludes every plan
MOST_BOUGHT = 2.0  # of account value: the range that the model gives a purchase

Lot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prices:
    """The multipliers of one account: risk weight a, linear risk price by name, price of cash, and the smallest trade as a weight; how many
    times tax counts, and what a unit of short and of long gain costs besides.
    """

    risk: float
    pull: list[float]
    cash: float
    least: float
    taxed: float = 1.0
    gains: tuple[float, float] = (0.0, 0.0)


def least_cost(curve: float, pull: float, active: float, pieces: list[tuple[float, float]], least: float = 0.0) -> float:
    """The least of 1/2 curve v^2 + pull v + price |trade| from v = active, along pieces (signed size, price a unit) in turn.

    `least` is what has to be traded of the pieces in all; infinite where they don't reach it.
    """
    best, paid, traded = float("inf"), 0.0, 0.0
    if least <= 0:
        best = 0.5 * curve * active**2 + pull * active
    for size, price in pieces:
        sign, most = (1.0, size) if size > 0 else (-1.0, -size)
        free = -(pull + sign * price) / curve  # where this piece would stop by itself
        first = max(least - traded, 0.0)
        for part in (first, min(max(sign * (free - active), first), most), most) if first <= most else ():
            v = active + sign * part
            best = min(best, 0.5 * curve * v**2 + pull * v + paid + part * price)
        active, paid, traded = active + size, paid + most * price, traded + most
    return best


def name_bound(account: dict[str, Any], i: int, lots: list[Lot], may_buy: bool, prices: Prices) -> float:
    """The least that one name can add to the bound, over all that its rules allow."""
    price, value, spread = account["price"][i], account["value"], account["half_spread_bps"][i] / BPS
    curve, pull = 2 * prices.risk * account["D"][i], prices.pull[i]
    active = sum(lot["shares"] for lot in lots) * price / value - account["target"][i]

    def piece(lot: Lot) -> tuple[float, float]:
        is_long = lot["days_held"] > LONG_DAYS
        rate = prices.taxed * account["tax"]["lt" if is_long else "st"] + prices.gains[is_long]
        tax = rate * (price - lot["basis_per_share"]) / price
        return -lot["shares"] * price / value, tax + spread - prices.cash * (1 - spread)

    def sale(free: list[Lot], whole: list[Lot]) -> float:
        gone = [piece(lot) for lot in whole]
        paid, left = sum(-size * cost for size, cost in gone), active + sum(size for size, _ in gone)
        least = prices.least + sum(size for size, _ in gone)
        return paid + least_cost(curve, pull, left, sorted(map(piece, free), key=lambda each: each[1]), least)

    costs = [0.5 * curve * active**2 + pull * active]
    if may_buy:
        bought = (MOST_BOUGHT, spread + prices.cash * (1 + spread))
        costs.append(least_cost(curve, pull, active, [bought], prices.least))
    costs += [sale(free, whole) for free, whole in sales_allowed(lots, price)]
    return min(costs)


def sales_allowed(lots: list[Lot], price: float) -> list[tuple[list[Lot], list[Lot]]]:
    """What may be sold, each as (lots sold freely, lots sold in full): no loss while a lot of the last 30 days stays held."""
    losing = [lot for lot in lots if lot["basis_per_share"] > price]
    recent = [lot for lot in lots if lot["days_held"] <= 30]
    if not recent or not losing:
        return [(lots, [])]
    ways = [([lot for lot in lots if lot not in losing], []), ([lot for lot in lots if lot not in recent], recent)]
    fresh = [lot for lot in recent if lot in losing]
    if len(fresh) == 1:  # it may stay in part, being itself what was bought
        others = [lot for lot in recent if lot not in fresh]
        ways.append(([*fresh, *(lot for lot in lots if lot not in losing and lot not in recent)], others))
    return ways


def bound_bps(account: dict[str, Any], multipliers: dict[str, Any], rules: dict[str, Any] | None = None) -> float:
    """The bound at these multipliers, in basis points of account value.  Raises ValueError where one has the wrong sign, or belongs to a
    rule that was not kept."""
    kept = rules or {}
    _must_be_prices(multipliers, kept)
    u, cash_price, cap_price = multipliers["factor_point"], multipliers["cash"], multipliers["te_cap"]
    factors, risk = range(len(u)), account["lam"] + cap_price / 2
    covered = [fsum(account["F"][k][j] * u[j] for j in factors) for k in factors]
    pull = [2 * risk * fsum(row[k] * covered[k] for k in factors) for row in account["B"]]
    sectors, budgets = multipliers.get("sectors", {}), multipliers.get("budgets", {})
    for i, sector in enumerate(account["sector"] if sectors else ()):
        upper, lower = sectors[str(sector)]
        pull[i] += upper - lower
    least = account["min_trade"] / account["value"] if kept.get("min_trade") else 0.0
    gains = tuple(
        multipliers.get("gain_prices", (0.0, 0.0))[term] + budgets.get(budget, 0.0)
        for term, budget in enumerate(("short_gain", "long_gain"))
    )
    taxed = 0.0 if "gain_prices" in multipliers else 1.0 + budgets.get("tax", 0.0)
    prices = Prices(risk, pull, cash_price, least, taxed, (gains[0], gains[1]))
    total = _names_bound(account, prices)
    total -= risk * fsum(u[k] * covered[k] for k in factors) + cash_price * account["cash"] / account["value"]
    total -= fsum(upper + lower for upper, lower in sectors.values()) * kept.get("sector_band", 0.0)
    total -= fsum(price * kept["budgets_usd"][budget] for budget, price in budgets.items()) / account["value"]
    if cap_price > 0:
        total -= cap_price * account["max_te"] ** 2 / 2
    return BPS * total


def _names_bound(account: dict[str, Any], prices: Prices) -> float:
    """What all names add to the bound."""
    barred = {*account["no_buy"], *(each["ticker"] for each in account["recent_loss_sales"])}
    own: dict[str, list[Lot]] = {ticker: [] for ticker in account["tickers"]}
    for lot in account["lots"]:
        own[lot["ticker"]].append(lot)
    parts = (name_bound(account, i, own[ticker], ticker not in barred, prices) for i, ticker in enumerate(account["tickers"]))
    *_, total = accumulate(parts)
    return total


def _must_be_prices(multipliers: dict[str, Any], kept: dict[str, Any]) -> None:
    """None is negative, and none belongs to a rule that was not kept."""
    sectors, budgets = multipliers.get("sectors", {}), multipliers.get("budgets", {})
    if min(multipliers["cash"], multipliers["te_cap"], *(z for both in sectors.values() for z in both), *budgets.values()) < 0:
        raise ValueError("a price of cash, of the cap, of a sector's bound or of a budget is negative")
    if multipliers["te_cap"] > 0 and not kept.get("max_te"):
        raise ValueError("a cap that was not asked for has a price")
    if sectors and "sector_band" not in kept:
        raise ValueError("bounds on sectors that were not asked for have prices")
    if not budgets.keys() <= kept.get("budgets_usd", {}).keys():
        raise ValueError("a budget that was not asked for has a price")


def dearest_bps(account: dict[str, Any]) -> float:
    """More than any plan within its cash could cost: all its weight against the target in the riskiest name, every gain taxed."""
    value, price = account["value"], dict(zip(account["tickers"], account["price"], strict=True))
    held = fsum(lot["shares"] * price[lot["ticker"]] for lot in account["lots"]) / value
    bought = max(account["cash"] / value, 0.0) + held
    factors = range(len(account["F"]))
    riskiest = max(
        fsum(row[j] * account["F"][j][k] * row[k] for j in factors for k in factors) + specific
        for row, specific in zip(account["B"], account["D"], strict=True)
    )
    rate = max(account["tax"].values())
    taxed = rate * fsum(lot["shares"] * abs(price[lot["ticker"]] - lot["basis_per_share"]) for lot in account["lots"]) / value
    return BPS * (account["lam"] * riskiest * (held + bought + 1) ** 2 + taxed + (held + bought) * max(account["half_spread_bps"]) / BPS)


def dearer(given: dict[str, Any], times: int) -> dict[str, Any]:
    """The multipliers with every rule's price so many times as high."""
    found = {**given, "cash": given["cash"] * times, "te_cap": given["te_cap"] * times}
    if "sectors" in given:
        found["sectors"] = {sector: [times * z for z in both] for sector, both in given["sectors"].items()}
    if "budgets" in given:
        found["budgets"] = {budget: times * z for budget, z in given["budgets"].items()}
    for z, short, long, most in given.get("rows", ()):  # of a netted year's budgets; the year's own price stays
        more = (times - 1) * z
        found["gain_prices"] = [found["gain_prices"][0] + more * short, found["gain_prices"][1] + more * long]
        found["intercept"] -= more * most
    return found
