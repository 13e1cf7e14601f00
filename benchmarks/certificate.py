"""Recompute bound and plan of a line of `python -m benchmarks.optimizer --multipliers`, sharing nothing with the solver.

    python -m benchmarks.certificate LINES INSTANCE...

LINES is the file of the benchmark's JSON lines, INSTANCE the account files they are about.  For each line, in plain Python over the
account's own fields: every name's least cost over everything its rules allow gives the bound at the printed multipliers (factor prices,
then the price of cash); the plan is scored by the independent scorer.  One JSON line each; ends with 1 where a bound differs from the one
printed, exceeds the plan's score, or a plan breaks a rule.
"""

import json
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.optimizer import scorer

BPS = 1e4
AGREE_BPS = 1e-5


def least_cost(curve: float, pull: float, active: float, pieces: list[tuple[float, float]]) -> float:
    """The least of 1/2 curve v^2 + pull v + price |trade| from v = active, along pieces (signed size, price a unit) in turn."""
    best, paid = 0.5 * curve * active**2 + pull * active, 0.0
    for size, price in pieces:
        sign = 1.0 if size > 0 else -1.0
        free = -(pull + sign * price) / curve  # where this piece would stop by itself
        step = min(max(sign * (free - active), 0.0), abs(size))
        for part in (step, abs(size)):
            v = active + sign * part
            best = min(best, 0.5 * curve * v**2 + pull * v + paid + part * price)
        active, paid = active + size, paid + abs(size) * price
    return best


def name_bound(account: dict[str, Any], i: int, lots: list[dict[str, Any]], may_buy: bool, pull: float, cash_price: float) -> float:
    """The least that one name can add to the dual, over all that its rules allow."""
    price, value, spread = account["price"][i], account["value"], account["half_spread_bps"][i] / BPS
    curve = 2 * account["lam"] * account["D"][i]
    active = sum(lot["shares"] for lot in lots) * price / value - account["target"][i]

    def piece(lot: dict[str, Any]) -> tuple[float, float]:
        rate = account["tax"]["lt" if lot["days_held"] > 365 else "st"]
        tax = rate * (price - lot["basis_per_share"]) / price
        return -lot["shares"] * price / value, tax + spread - cash_price * (1 - spread)

    def sale(free: list[dict[str, Any]], whole: list[dict[str, Any]]) -> float:
        gone = [piece(lot) for lot in whole]
        paid = sum(-size * cost for size, cost in gone)
        left = active + sum(size for size, _ in gone)
        return paid + least_cost(curve, pull, left, sorted(map(piece, free), key=lambda each: each[1]))

    losing = [lot for lot in lots if lot["basis_per_share"] > price]
    recent = [lot for lot in lots if lot["days_held"] <= 30]
    costs = [least_cost(curve, pull, active, [(2.0, spread + cash_price * (1 + spread))] if may_buy else [])]
    if not recent or not losing:
        costs.append(sale(lots, []))
        return min(costs)
    costs.append(sale([lot for lot in lots if lot not in losing], []))
    costs.append(sale([lot for lot in lots if lot not in recent], recent))
    fresh = [lot for lot in recent if lot in losing]
    if len(fresh) == 1:
        others = [lot for lot in recent if lot not in fresh]
        costs.append(sale([*fresh, *(lot for lot in lots if lot not in losing and lot not in recent)], others))
    return min(costs)


def bound_bps(account: dict[str, Any], multipliers: list[float]) -> float:
    """The dual's value at these multipliers, in basis points of account value."""
    *nu, cash_price = multipliers
    if cash_price < 0:
        raise ValueError("the price of cash is negative")
    exposures = np.array(account["B"]) @ np.linalg.cholesky(np.array(account["F"]))
    barred = {*account["no_buy"], *(each["ticker"] for each in account["recent_loss_sales"])}
    own: dict[str, list[dict[str, Any]]] = {ticker: [] for ticker in account["tickers"]}
    for lot in account["lots"]:
        own[lot["ticker"]].append(lot)
    parts = (
        name_bound(account, i, own[ticker], ticker not in barred, float(exposures[i] @ np.array(nu)), cash_price)
        for i, ticker in enumerate(account["tickers"])
    )
    *_, total = accumulate(parts)
    return BPS * (total - sum(each * each for each in nu) / (4 * account["lam"]) - cash_price * account["cash"] / account["value"])


def checked(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """What the line says against what it should say."""
    bound, scored = bound_bps(account, line["multipliers"]), scorer.score(account, line["trades"])
    agrees = abs(bound - line["root_bound_bps"]) <= AGREE_BPS and bound <= scored["score_bps"] + AGREE_BPS
    return {
        "instance": line["instance"],
        "bound_bps": round(bound, 6),
        "printed_bps": line["root_bound_bps"],
        "score_bps": round(scored["score_bps"], 6),
        "gap_bps": round(scored["score_bps"] - bound, 6),
        "holds": agrees and scored["feasible"],
    }


def main() -> int:
    lines, *files = map(Path, sys.argv[1:])
    accounts = {file.stem: json.loads(file.read_text()) for file in files}
    found = [checked(line, accounts[line["instance"]]) for line in map(json.loads, lines.read_text().splitlines())]
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")
    return 0 if all(each["holds"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
