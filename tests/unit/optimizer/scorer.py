# ruff: noqa: PTH123, PLR0912, E741 (the published scorer, unchanged)
"""Independent scorer of a plan for one instance (numpy only).

score(account, trades) with trades a list of {"ticker", "side": "BUY" | "SELL", "shares", "lot_id" (SELL only)}.
score_bps = 1e4 * (lam * TE^2 + (tax_now + half-spread cost) / value), lower is better; lam is the instance's own (20: 1 % TE = 20 bp).
TE: ex-ante annual standard deviation of the weights minus target, cash being an asset with zero risk and zero target.
tax_now: every sold share's gain times its rate (short-term if held 365 days or less), losses counting negative.
A plan counts only if `feasible`; `violations` lists each broken rule with the ticker or lot and the amount.
"""

import json

import numpy as np

DOLLAR = 0.01  # trades and excesses below a cent are ignored


def load(path):
    with open(path) as f:
        return json.load(f)


def tracking_error(account, weights):
    B, F, D = (np.array(account[k]) for k in "BFD")
    active = weights - np.array(account["target"])
    factor = B.T @ active
    return float(np.sqrt(factor @ F @ factor + active @ (D * active)))


def score(account, trades):
    index = {t: i for i, t in enumerate(account["tickers"])}
    lots = {l["lot_id"]: l for l in account["lots"]}
    price = np.array(account["price"])
    half_spread = np.array(account["half_spread_bps"]) / 1e4
    value = account["value"]
    violations = []

    held = np.zeros(len(price))
    for lot in account["lots"]:
        held[index[lot["ticker"]]] += lot["shares"]

    buys, sold = np.zeros(len(price)), {}
    for t in trades:
        shares = float(t["shares"])
        if t["ticker"] not in index or not np.isfinite(shares) or shares < 0:
            violations.append(f"bad trade {t}")
        elif t["side"] == "BUY":
            buys[index[t["ticker"]]] += shares
        elif t.get("lot_id") not in lots or lots[t["lot_id"]]["ticker"] != t["ticker"]:
            violations.append(f"lot {t.get('lot_id')} is not one of {t['ticker']}")
        else:
            sold[t["lot_id"]] = sold.get(t["lot_id"], 0.0) + shares

    sells = np.zeros(len(price))
    gains = {"short": [0.0, 0.0], "long": [0.0, 0.0]}  # term -> [gains, losses]
    loss_sold = set()
    for lot_id, shares in sold.items():
        lot, i = lots[lot_id], index[lots[lot_id]["ticker"]]
        if (shares - lot["shares"]) * price[i] > DOLLAR:
            violations.append(f"lot {lot_id} oversold by {shares - lot['shares']:.4f} shares")
        gain = shares * (price[i] - lot["basis_per_share"])
        term = "long" if lot["days_held"] > 365 else "short"
        gains[term][int(gain < 0)] += gain
        sells[i] += shares
        if gain < -DOLLAR:
            loss_sold.add(lot["ticker"])
            for other in account["lots"]:
                left = other["shares"] - sold.get(other["lot_id"], 0.0)
                if other["ticker"] == lot["ticker"] and other["lot_id"] != lot_id and other["days_held"] <= 30 and left * price[i] > DOLLAR:
                    violations.append(f"wash sale: {lot_id} sold at a loss, {other['lot_id']} bought within 30 days stays held")

    bought = {account["tickers"][i] for i in np.flatnonzero(buys * price > DOLLAR)}
    for ticker in sorted(bought & set(account["no_buy"])):
        violations.append(f"restricted {ticker} bought")
    for ticker in sorted(bought & {x["ticker"] for x in account["recent_loss_sales"]}):
        violations.append(f"wash sale: {ticker} bought within 30 days of its loss sale")
    for ticker in sorted(bought & loss_sold):
        violations.append(f"wash sale: {ticker} sold at a loss and bought")

    cost = float((buys + sells) * price @ half_spread)
    cash = account["cash"] + float((sells - buys) @ price) - cost
    if cash < -DOLLAR:
        violations.append(f"cash {cash:.2f}")

    te = tracking_error(account, (held + buys - sells) * price / value)
    tax = account["tax"]["st"] * sum(gains["short"]) + account["tax"]["lt"] * sum(gains["long"])
    traded = (buys + sells) * price
    return {
        "score_bps": 1e4 * (account["lam"] * te**2 + (tax + cost) / value),
        "feasible": not violations,
        "violations": violations,
        "te_before": tracking_error(account, held * price / value),
        "te_after": te,
        "tax_now": tax,
        "cost": cost,
        "cash_after": cash,
        "short_gain": gains["short"][0],
        "short_loss": gains["short"][1],
        "long_gain": gains["long"][0],
        "long_loss": gains["long"][1],
        "turnover_frac": 0.5 * float(traded.sum()) / value,
        "orders": int((buys * price > DOLLAR).sum() + (sells * price > DOLLAR).sum()),
        "orders_under_min_trade": int(((traded > DOLLAR) & (traded < account["min_trade"])).sum()),
    }
