"""The certificate of a netted year: bound and plan recomputed, sharing nothing with the solver.

The year's cost C is not convex in its net short and long gain (S, L), so the solver's bound is the least over pieces.  A piece says a price
on S and on L and where that line crosses the axis, besides multipliers of everything else.  Two things make its bound true:

1. At its prices the rest of the account costs no less than certificate_bound.py finds, whatever the plan.
2. At every (S, L) that a plan within the budgets could reach, some piece's line lies at or below C.

Everything in 2 is linear between lines: where C bends, where a budget is met, where two pieces' lines cross, the edges of what can be
reached.  So it holds everywhere if it holds wherever two of them meet.

C follows Schedule D: gains and losses of one character net first, the two nets then; of a net loss the ordinary limit lowers ordinary
income, short losses first, and the rest is carried under its own character.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from benchmarks.certificate_bound import BPS, DEARER, LONG_DAYS, bound_bps, dearer, dearest_bps
from benchmarks.certificate_rules import ROW, broken
from tests.unit.optimizer import scorer

AGREE_BPS = 1e-5
TOUCHES = 1e-9  # of account value: how far a line may lie above the cost where it should touch it
INSIDE = 1e-12

Point = tuple[float, float]
Edge = tuple[float, float, float]  # a S + b L = c


def netted(law: dict[str, float], short: float, long: float) -> dict[str, float]:
    """Ordinary gain, preferential gain, deduction and both carries of a year with these nets, all in dollars."""
    found = dict.fromkeys(("ordinary", "preferential", "deducted", "carried_short", "carried_long"), 0.0)
    if short >= 0 and long >= 0:
        return {**found, "ordinary": short, "preferential": long}
    if short + long >= 0:
        return {**found, "ordinary" if short > 0 else "preferential": short + long}
    deducted = min(law["ordinary_limit_usd"], -short - long)
    if short < 0 and long < 0:
        from_short = min(deducted, -short)
        return {**found, "deducted": deducted, "carried_short": -short - from_short, "carried_long": -long - (deducted - from_short)}
    return {**found, "deducted": deducted, "carried_short" if short < 0 else "carried_long": -short - long - deducted}


def tax_usd(law: dict[str, float], year: dict[str, float]) -> float:
    return law["short_frac"] * year["ordinary"] + law["long_frac"] * year["preferential"] - law["ordinary_frac"] * year["deducted"]


def cost_usd(law: dict[str, float], short: float, long: float) -> float:
    """The year's tax less what its carried losses are worth."""
    year = netted(law, short, long)
    return tax_usd(law, year) - law["carried_short_frac"] * year["carried_short"] - law["carried_long_frac"] * year["carried_long"]


def used_usd(law: dict[str, float], short: float, long: float) -> dict[str, float]:
    """What counts against each budget."""
    year = netted(law, short, long)
    return {"tax": tax_usd(law, year), "short_gain": year["ordinary"], "long_gain": year["preferential"]}


def in_force(law: dict[str, float], budgets_usd: dict[str, float]) -> dict[str, float]:
    """The budgets, each at least at what the year has come to already."""
    so_far = used_usd(law, law["short_usd"], law["long_usd"])
    return {budget: max(most, so_far[budget]) for budget, most in budgets_usd.items()}


def reach_usd(account: dict[str, Any], law: dict[str, float]) -> tuple[Point, Point]:
    """Least and most of the net short, and of the net long gain: every loss taken, every gain taken."""
    price, ends = dict(zip(account["tickers"], account["price"], strict=True)), [[law["short_usd"]] * 2, [law["long_usd"]] * 2]
    for lot in account["lots"]:
        gain = lot["shares"] * (price[lot["ticker"]] - lot["basis_per_share"])
        ends[lot["days_held"] > LONG_DAYS][gain > 0] += gain
    return (ends[0][0], ends[0][1]), (ends[1][0], ends[1][1])


def corners(account: dict[str, Any], law: dict[str, float], most: dict[str, float], lines: list[Edge]) -> Iterator[Point]:
    """Wherever two edges meet within reach and budgets.  `lines`: the pieces', as cost = a S + b L + c in dollars."""
    limit = law["ordinary_limit_usd"]
    edges: list[Edge] = [(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, -limit), (1, 0, -limit)]
    reach = reach_usd(account, law)
    edges += [(1, 0, end) for end in reach[0]] + [(0, 1, end) for end in reach[1]]
    edges += [(a - d, b - e, f - c) for (a, b, c), (d, e, f) in combinations(lines, 2)]
    for budget, bound in most.items():
        short, long, ordinary = law["short_frac"], law["long_frac"], law["ordinary_frac"]
        of_tax = [(short, long), (short, short), (long, long), (ordinary, ordinary)]
        edges += [(a, b, bound) for a, b in {"tax": of_tax, "short_gain": [(1, 0), (1, 1)], "long_gain": [(0, 1), (1, 1)]}[budget]]
    slack = INSIDE * account["value"]
    for (a, b, c), (d, e, f) in combinations(edges, 2):
        across = a * e - b * d
        if abs(across) < INSIDE:
            continue
        point = ((c * e - b * f) / across, (a * f - c * d) / across)
        inside = all(low - slack <= at <= high + slack for at, (low, high) in zip(point, reach, strict=True))
        if inside and all(used_usd(law, *point)[budget] <= bound + slack for budget, bound in most.items()):
            yield point


def uncovered(account: dict[str, Any], law: dict[str, float], most: dict[str, float], lines: list[Edge]) -> tuple[float, Point | None]:
    """By how many dollars every piece's line lies above the cost of the year where that is most, and where."""
    worst, where = 0.0, None
    for short, long in corners(account, law, most, lines):
        above = min(a * short + b * long + c for a, b, c in lines) - cost_usd(law, short, long)
        if above > worst:
            worst, where = above, (short, long)
    return worst, where


def year_bound(
    account: dict[str, Any], law: dict[str, float], rules: dict[str, Any], pieces: list[dict[str, Any]]
) -> tuple[float, float, Point | None]:
    """The least bound of the pieces, in bp of what a plan adds; and what `uncovered` finds of their lines."""
    value, before = account["value"], cost_usd(law, law["short_usd"], law["long_usd"])
    lines = [(*each["gain_prices"], each["intercept"] * value) for each in pieces]
    fixed = [(a * law["short_usd"] + b * law["long_usd"] + c - before) / value for a, b, c in lines]
    bound = min(bound_bps(account, each, rules) + BPS * own for each, own in zip(pieces, fixed, strict=True))
    return bound, *uncovered(account, law, in_force(law, rules.get("budgets_usd", {})), lines)


def checked_year(line: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """What the line of a netted year says against what it should say; without a plan, whether its bound exceeds what any could cost."""
    account = {"no_buy": [], "recent_loss_sales": [], "min_trade": 0.0, **account}
    law, rules, value, pieces = line["year"], line.get("rules", {}), account["value"], line["multipliers"]["pieces"]
    bound, worst, where = year_bound(account, law, rules, pieces)
    found = {"instance": line["instance"], "bound_bps": round(bound, 6), "printed_bps": line["root_bound_bps"]}
    if line["objective_bps"] is None:
        dearest = dearest_bps(account)
        tried = (year_bound(account, law, rules, [dearer(each, times) for each in pieces]) for times in DEARER)
        least = max(raised - BPS * above / value for raised, above, _ in tried)
        wrong = [] if least > dearest else [f"the bound {least:.3f} does not exceed what a plan may cost, {dearest:.3f}"]
        return {**found, "infeasible": True, "holds": not wrong, "wrong": wrong}
    wrong, near = [], AGREE_BPS * max(1.0, abs(bound) / BPS)
    steepest = max(abs(price) for each in pieces for price in each["gain_prices"])  # corners lie beyond what is reached by INSIDE
    if where is not None and worst > (TOUCHES + 4 * INSIDE * steepest) * value:
        wrong = [f"at a net short gain of {where[0]:.2f} and long of {where[1]:.2f} the year costs {worst:.2f} less than every piece says"]
    scored = scorer.score(account, line["trades"])
    nets = [law[f"{term}_usd"] + scored[f"{term}_gain"] + scored[f"{term}_loss"] for term in ("short", "long")]
    used, most, before = used_usd(law, *nets), in_force(law, rules.get("budgets_usd", {})), cost_usd(law, law["short_usd"], law["long_usd"])
    objective = BPS * (account["lam"] * scored["te_after"] ** 2 + (scored["cost"] + cost_usd(law, *nets) - before) / value)
    wrong += broken(account, line["trades"], rules)
    wrong += [
        f"{budget} {used[budget]:.2f} above its budget, {top:.2f}" for budget, top in most.items() if used[budget] > top + ROW * value
    ]
    said = (("bound", bound, line["root_bound_bps"]), ("plan's cost", objective, line["objective_bps"]))
    wrong += [f"the {what} is {own:.6f}, not {printed:.6f}" for what, own, printed in said if abs(own - printed) > near]
    if bound > objective + near:
        wrong.append("the bound is above what the plan costs")
    return {**found, "objective_bps": round(objective, 6), "gap_bps": round(objective - bound, 6), "holds": not wrong, "wrong": wrong}
