"""The rules that a plan breaks, in plain Python over an account's own fields; shares nothing with the solver."""

from typing import Any

from tests.unit.optimizer import scorer

ROW = 1e-7  # of account value: what a bound on a sector, or a budget, may be exceeded by
CAP = 1e-6  # of the cap: what tracking error may exceed it by
DOLLAR = 0.01


def broken(account: dict[str, Any], trades: list[dict[str, Any]], rules: dict[str, Any]) -> list[str]:
    """The rules that the plan breaks: the scorer's, and those that the line says were kept; budgets on a netted year aside."""
    scored = scorer.score(account, trades)
    found: list[str] = list(scored["violations"])
    price = dict(zip(account["tickers"], account["price"], strict=True))
    if rules.get("max_te") and scored["te_after"] > account["max_te"] * (1 + CAP):
        found.append(f"tracking error {scored['te_after']:.8f} above {account['max_te']}")
    if rules.get("min_trade"):
        traded: dict[str, float] = {}
        for trade in trades:
            traded[trade["ticker"]] = traded.get(trade["ticker"], 0.0) + trade["shares"] * price[trade["ticker"]]
        found += [f"{name} trades {usd:.2f} dollars" for name, usd in traded.items() if DOLLAR < usd < account["min_trade"] - DOLLAR]
    if "sector_band" in rules:
        for sector, beyond in sectors_apart(account, trades).items():
            if abs(beyond) > rules["sector_band"] + ROW:
                found.append(f"sector {sector} is {beyond:.8f} from the target's weight, more than {rules['sector_band']}")
    return found


def sectors_apart(account: dict[str, Any], trades: list[dict[str, Any]]) -> dict[Any, float]:
    """By sector, its weight after the trades less the target's."""
    place = {ticker: i for i, ticker in enumerate(account["tickers"])}
    apart = dict.fromkeys(account["sector"], 0.0)
    for i in place.values():
        apart[account["sector"][i]] -= account["target"][i]
    signed = [*((lot, 1) for lot in account["lots"]), *((trade, 1 if trade["side"] == "BUY" else -1) for trade in trades)]
    for each, sign in signed:
        i = place[each["ticker"]]
        apart[account["sector"][i]] += sign * each["shares"] * account["price"][i] / account["value"]
    return apart


def over_budget(account: dict[str, Any], scored: dict[str, Any], budgets_usd: dict[str, float]) -> list[str]:
    """The budgets that the plan's own gains, as the scorer sums them, break."""
    used = {"tax": scored["tax_now"], **{f"{term}_gain": scored[f"{term}_gain"] + scored[f"{term}_loss"] for term in ("short", "long")}}
    slack = max(DOLLAR, ROW * account["value"])
    return [f"{name} {used[name]:.2f} above its budget, {most:.2f}" for name, most in budgets_usd.items() if used[name] > most + slack]
