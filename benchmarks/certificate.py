"""Recompute bound and plan of a line of `python -m benchmarks.optimizer --multipliers`, sharing nothing with the solver.

    python -m benchmarks.certificate LINES INSTANCE...

LINES is the file of the benchmark's JSON lines, INSTANCE the account files they are about.  For each line, in plain Python over the
account's own fields: every name's least cost over everything its rules allow gives the bound at the printed multipliers; the plan is scored
by the independent scorer.  One JSON line each; ends with 1 where a bound differs from the one printed, exceeds the plan's score, or a plan
breaks a rule, the smallest trade and the cap on tracking error included where the line says that they were kept.  An infeasible line
holds where its bound exceeds what any plan could cost.

The bound.  With x >= 0 the cap's multiplier, a = lam + x/2 and y = B'v, convexity gives y'Fy >= 2 u'Fy - u'Fu at any u, so that

    cost >= sum_i least of [ a D_i v_i^2 + 2 a (B F u)_i v_i + tax and cost of the trade + cash price x cash used ]
            - a u'Fu - cash price x cash - 1/2 x cap^2

whatever u (`factor_point`), the price of cash >= 0 and x >= 0: no factorisation, and any numbers at all give a valid bound.
"""

import json
import sys
from dataclasses import dataclass
from itertools import accumulate
from math import fsum
from pathlib import Path
from typing import Any

from tests.unit.optimizer import scorer

BPS = 1e4
AGREE_BPS = 1e-5
CAP = 1e-6  # of the cap: what tracking error may exceed it by
DOLLAR = 0.01
MOST_BOUGHT = 2.0  # of account value: the range that the model gives a purchase

Lot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prices:
    """The multipliers of one account: risk weight a, linear risk price by name, price of cash, and the smallest trade as a weight."""

    risk: float
    pull: list[float]
    cash: float
    least: float


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
        rate = account["tax"]["lt" if lot["days_held"] > 365 else "st"]
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


def bound_bps(account: dict[str, Any], multipliers: dict[str, Any], rules: dict[str, bool] | None = None) -> float:
    """The bound at these multipliers, in basis points of account value.  Raises ValueError where one has the wrong sign."""
    u, cash_price, cap_price = multipliers["factor_point"], multipliers["cash"], multipliers["te_cap"]
    kept = rules or {}
    if cash_price < 0 or cap_price < 0:
        raise ValueError("the price of cash or of the cap is negative")
    if cap_price > 0 and not kept.get("max_te"):
        raise ValueError("a cap that was not asked for has a price")
    factors, risk = range(len(u)), account["lam"] + cap_price / 2
    covered = [fsum(account["F"][k][j] * u[j] for j in factors) for k in factors]
    pull = [2 * risk * fsum(row[k] * covered[k] for k in factors) for row in account["B"]]
    least = account["min_trade"] / account["value"] if kept.get("min_trade") else 0.0
    prices = Prices(risk, pull, cash_price, least)
    barred = {*account["no_buy"], *(each["ticker"] for each in account["recent_loss_sales"])}
    own: dict[str, list[Lot]] = {ticker: [] for ticker in account["tickers"]}
    for lot in account["lots"]:
        own[lot["ticker"]].append(lot)
    parts = (name_bound(account, i, own[ticker], ticker not in barred, prices) for i, ticker in enumerate(account["tickers"]))
    *_, total = accumulate(parts)
    total -= risk * fsum(u[k] * covered[k] for k in factors) + cash_price * account["cash"] / account["value"]
    if cap_price > 0:
        total -= cap_price * account["max_te"] ** 2 / 2
    return BPS * total


def broken(account: dict[str, Any], trades: list[dict[str, Any]], rules: dict[str, bool]) -> list[str]:
    """The rules that the plan breaks: the scorer's, and those that the line says were kept."""
    scored = scorer.score(account, trades)
    found: list[str] = list(scored["violations"])
    if rules.get("max_te") and scored["te_after"] > account["max_te"] * (1 + CAP):
        found.append(f"tracking error {scored['te_after']:.8f} above {account['max_te']}")
    if rules.get("min_trade"):
        price = dict(zip(account["tickers"], account["price"], strict=True))
        traded: dict[str, float] = {}
        for trade in trades:
            traded[trade["ticker"]] = traded.get(trade["ticker"], 0.0) + trade["shares"] * price[trade["ticker"]]
        found += [f"{name} trades {usd:.2f} dollars" for name, usd in traded.items() if DOLLAR < usd < account["min_trade"] - DOLLAR]
    return found


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


def checked_infeasible(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """Whether no plan can keep the rules.  Dearer cap and cash are multipliers, too: where they prove it, so do these."""
    account = {"no_buy": [], "recent_loss_sales": [], **account}
    most, given = dearest_bps(account), line["multipliers"]
    dearer = ({**given, "cash": given["cash"] * times, "te_cap": given["te_cap"] * times} for times in (1, 10, 100, 1_000, 10_000))
    bound = max(bound_bps(account, each, line.get("rules", {})) for each in dearer)
    wrong = [] if bound > most else [f"the bound {bound:.3f} does not exceed what a plan may cost, {most:.3f}"]
    return {"instance": line["instance"], "infeasible": True, "bound_bps": bound, "most_bps": most, "holds": not wrong, "wrong": wrong}


def checked(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """What the line says against what it should say."""
    account = {"no_buy": [], "recent_loss_sales": [], **account}
    rules = line.get("rules", {})
    bound, scored = bound_bps(account, line["multipliers"], rules), scorer.score({"min_trade": 0.0, **account}, line["trades"])
    wrong = broken({"min_trade": 0.0, **account}, line["trades"], rules)
    if abs(bound - line["root_bound_bps"]) > AGREE_BPS:
        wrong.append(f"the bound is {bound:.6f}, not {line['root_bound_bps']:.6f}")
    if bound > scored["score_bps"] + AGREE_BPS:
        wrong.append("the bound is above the plan's score")
    if abs(scored["score_bps"] - line["objective_bps"]) > AGREE_BPS:
        wrong.append(f"the plan costs {scored['score_bps']:.6f}, not {line['objective_bps']:.6f}")
    return {
        "instance": line["instance"],
        "bound_bps": round(bound, 6),
        "printed_bps": line["root_bound_bps"],
        "score_bps": round(scored["score_bps"], 6),
        "gap_bps": round(scored["score_bps"] - bound, 6),
        "holds": not wrong,
        "wrong": wrong,
    }


def main() -> int:
    lines, *files = map(Path, sys.argv[1:])
    accounts = {file.stem: json.loads(file.read_text()) for file in files}
    printed = [line for line in map(json.loads, lines.read_text().splitlines()) if "multipliers" in line]
    found = [(checked_infeasible if line["objective_bps"] is None else checked)(line, accounts[line["instance"]]) for line in printed]
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if found and all(each["holds"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
