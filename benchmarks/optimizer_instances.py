"""Account instances of the scorer's format as models of the dual method, and a plan as the scorer's trades.

Weights are fractions of account value.  A name's options are what the rules leave it: buy; sell any lots; or less.  While a lot of the
last 30 days stays held no other lot of the name may be sold at a loss, so such a name may sell lots without a loss; or all its recent
lots in full and any others; or, where just one recent lot has a loss, that lot in part, no other loss, and the other recent lots in full.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.model import Lots, Model, Names, Options, Rows, Trades, validated

RECENT_DAYS = 30
LONG_DAYS = 365
ROUNDING = 1e-9  # so that a trade of the smallest size is not below it when said in shares
Option = tuple[bool, list[tuple[int, bool]]]  # whether it buys; lots, and whether each is sold in full


@dataclass(frozen=True, slots=True)
class Rules:
    """Which of the instance's optional rules are kept: its smallest trade in dollars, its cap on tracking error."""

    min_trade: bool = False
    max_te: bool = False


NO_MORE = Rules()


def model_of(account: dict[str, Any], rules: Rules = NO_MORE) -> Model:
    """The instance as a model: cash not negative is the one row.  Raises ModelError."""
    value, price = float(account["value"]), np.array(account["price"])
    index = {ticker: i for i, ticker in enumerate(account["tickers"])}
    spread = np.array(account["half_spread_bps"]) / 1e4
    lots = account["lots"]
    name = np.array([index[lot["ticker"]] for lot in lots], dtype=np.intp)
    size = np.array([lot["shares"] for lot in lots]) * price[name] / value
    gain = 1 - np.array([lot["basis_per_share"] for lot in lots]) / price[name]
    days = np.array([lot["days_held"] for lot in lots])
    rate = np.where(days > LONG_DAYS, account["tax"]["lt"], account["tax"]["st"])
    barred = {*account["no_buy"], *(sale["ticker"] for sale in account["recent_loss_sales"])}
    may_buy = np.array([ticker not in barred for ticker in account["tickers"]])
    names = Names(
        held=np.bincount(name, size, len(price)),
        target=np.array(account["target"]),
        exposures=np.array(account["B"]) @ root_of(np.array(account["F"])),
        specific_var=np.array(account["D"]),
        buy_price=spread,
        buy_max=np.where(may_buy, 2.0, 0.0),
    )
    least = float(account["min_trade"]) / value * (1 + ROUNDING) if rules.min_trade else 0.0
    cash = Rows(
        sell=-(1 - spread[name])[:, None],
        buy=(1 + spread)[:, None],
        bound=np.array([account["cash"] / value]),
        floor=np.zeros(1),
        ceiling=np.full(1, np.inf),
    )
    model = Model(
        risk=2 * float(account["lam"]),
        names=names,
        lots=Lots(name, size, rate * gain + spread[name]),
        options=options_of(name, size, gain < 0, days <= RECENT_DAYS, may_buy, least),
        rows=cash,
    )
    if rules.max_te and account["max_te"] is not None:
        model = replace(model, te_cap=float(account["max_te"]))
    return validated(model)


def root_of(covariance: Floats) -> Floats:
    """A matrix R with RR' = F: Cholesky's, or the eigenvectors' where F is singular."""
    try:
        root: Floats = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(values.clip(min=0.0))
    return root


def multipliers_said(account: dict[str, Any], model: Model, multipliers: Floats) -> dict[str, Any]:
    """The multipliers without reference to how the factor covariance was factorised.

    `factor_point` is the u at which risk is linearised, u'Fu being the plan's common variance at the optimum; `cash` is the price of the
    cash row; `te_cap` the cap's multiplier, 0 without one.
    """
    nu, cash = multipliers[: model.factors], multipliers[model.factors]
    cap = float(multipliers[model.factors + 1]) if model.capped else 0.0
    root = root_of(np.array(account["F"]))
    point = np.linalg.lstsq(root.T, nu / (model.risk + cap), rcond=None)[0]
    return {"factor_point": point.tolist(), "cash": float(cash), "te_cap": cap}


def core_of(model: Model, chosen: Ints) -> Model:
    """The convex model in which every name has its chosen option alone."""
    options, kept = model.options, np.zeros(len(model.options.name), dtype=np.bool_)
    kept[chosen] = True
    slots, place = kept[options.slot_option], np.cumsum(kept) - 1
    by_option = {each.name: getattr(options, each.name)[kept] for each in fields(options) if not each.name.startswith("slot_")}
    if "side" in by_option:
        by_option["side"] = np.unique(by_option["side"], return_inverse=True)[1].astype(np.intp)
    return validated(
        replace(
            model,
            rows=replace(model.rows, uses=model.rows.uses[kept]),
            options=Options(
                slot_option=place[options.slot_option[slots]].astype(np.intp),
                slot_lot=options.slot_lot[slots],
                slot_forced=options.slot_forced[slots],
                **by_option,
            ),
        )
    )


def trades_for_scorer(account: dict[str, Any], trades: Trades) -> list[dict[str, Any]]:
    """The plan in shares, fractions kept."""
    price = dict(zip(account["tickers"], account["price"], strict=True))
    said: list[dict[str, Any]] = []
    for lot, weight in zip(account["lots"], trades.sold, strict=True):
        if weight > 0:
            shares = float(min(lot["shares"], weight * account["value"] / price[lot["ticker"]]))
            said.append({"ticker": lot["ticker"], "side": "SELL", "shares": shares, "lot_id": lot["lot_id"]})
    for ticker, weight in zip(account["tickers"], trades.bought, strict=True):
        if weight > 0:
            said.append({"ticker": ticker, "side": "BUY", "shares": float(weight * account["value"] / price[ticker])})
    return said


def options_of(name: Any, size: Any, loss: Any, recent: Any, may_buy: Any, least: float) -> Options:
    own: list[list[int]] = [[] for _ in may_buy]
    for lot, i in enumerate(name):
        own[i].append(lot)
    table = [(i, option) for i in range(len(may_buy)) for option in _options_of(own[i], loss, recent, bool(may_buy[i]))]
    ranges = {}
    if least > 0:  # trade at least this, or hold
        table = [each for each in table if each[1][0] or sum(size[lot] for lot, _ in each[1][1]) >= least]
        table = sorted([*table, *((i, (False, [])) for i in range(len(may_buy)))], key=lambda each: each[0])
        ranges["least"] = np.array([least if buys or lots else 0.0 for _, (buys, lots) in table])
    slots = [(o, lot, forced) for o, (_, (_, lots)) in enumerate(table) for lot, forced in lots]
    return Options(
        **ranges,
        name=np.array([i for i, _ in table], dtype=np.intp),
        buys=np.array([buys for _, (buys, _) in table]),
        slot_option=np.array([o for o, _, _ in slots], dtype=np.intp),
        slot_lot=np.array([lot for _, lot, _ in slots], dtype=np.intp),
        slot_forced=np.array([forced for _, _, forced in slots], dtype=np.bool_),
    )


def _options_of(lots: list[int], loss: Any, recent: Any, may_buy: bool) -> list[Option]:
    """The name's options; one that neither buys nor sells stands for a name that can't trade."""
    options: list[Option] = [(True, [])] if may_buy else []
    fresh = [lot for lot in lots if recent[lot]]
    if fresh and any(loss[lot] for lot in lots):
        options.append((False, [(lot, False) for lot in lots if not loss[lot]]))
        options.append((False, [(lot, bool(recent[lot])) for lot in lots]))
        losing = [lot for lot in fresh if loss[lot]]
        if len(losing) == 1:  # of two, the sale of each needs the other gone
            free = [(lot, bool(recent[lot]) and lot not in losing) for lot in lots if recent[lot] or not loss[lot]]
            options.append((False, free))
    elif lots:
        options.append((False, [(lot, False) for lot in lots]))
    return options or [(False, [])]
