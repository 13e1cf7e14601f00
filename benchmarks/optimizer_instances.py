"""Account instances of the scorer's format as models of the dual method, and a plan as the scorer's trades.

Weights are fractions of account value.  A name's options are what the rules leave it: buy; sell any lots; or less.  While a lot of the
last 30 days stays held no other lot of the name may be sold at a loss, so such a name may sell lots without a loss; or all its recent
lots in full and any others; or, where just one recent lot has a loss, that lot in part, no other loss, and the other recent lots in full.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.model import Lots, Model, Names, Options, Rows, Trades, WeightRows, validated

RECENT_DAYS = 30
LONG_DAYS = 365
BUDGETS = ("tax", "short_gain", "long_gain")
ROUNDING = 1e-9  # so that a trade of the smallest size is not below it when said in shares
Option = tuple[bool, list[tuple[int, bool]]]  # whether it buys; lots, and whether each is sold in full


@dataclass(frozen=True, slots=True)
class Rules:
    """Which optional rules are kept: the instance's smallest trade in dollars and its cap on tracking error; each sector's weight within
    `sector_band` of the target's; the most, in dollars, of the plan's tax, net short-term gain and net long-term gain, by name.
    """

    min_trade: bool = False
    max_te: bool = False
    sector_band: float | None = None
    budgets_usd: Mapping[str, float] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, Any]:
        """As a line of results has them."""
        more = {} if self.sector_band is None else {"sector_band": self.sector_band}
        more |= {"budgets_usd": dict(self.budgets_usd)} if self.budgets_usd else {}
        return {"min_trade": self.min_trade, "max_te": self.max_te, **more}


NO_MORE = Rules()


def model_of(account: dict[str, Any], rules: Rules = NO_MORE) -> Model:
    """The instance as a model, whose first row keeps cash from being negative; each budget is one more.  Raises ModelError."""
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
    drawn = {"tax": rate * gain, "short_gain": gain * (days <= LONG_DAYS), "long_gain": gain * (days > LONG_DAYS)}
    budgets = [(drawn[budget], rules.budgets_usd[budget] / value) for budget in BUDGETS if budget in rules.budgets_usd]
    rows = Rows(
        sell=np.column_stack([-(1 - spread[name]), *(draw for draw, _ in budgets)]).reshape(len(lots), 1 + len(budgets)),
        buy=np.column_stack([1 + spread, *(np.zeros(len(price)) for _ in budgets)]),
        bound=np.array([account["cash"] / value, *(most for _, most in budgets)]),
        floor=np.zeros(1 + len(budgets)),
        ceiling=np.full(1 + len(budgets), np.inf),
    )
    model = Model(
        risk=2 * float(account["lam"]),
        names=names,
        lots=Lots(name, size, rate * gain + spread[name]),
        options=options_of(name, size, gain < 0, days <= RECENT_DAYS, may_buy, least),
        rows=rows,
        weights=WeightRows() if rules.sector_band is None else _sector_rows(account, rules.sector_band),
    )
    if rules.max_te and account["max_te"] is not None:
        model = replace(model, te_cap=float(account["max_te"]))
    return validated(model)


def _sector_rows(account: dict[str, Any], band: float) -> WeightRows:
    """Each sector's weight at most `band` above the target's, in order of sector; then at most so far below."""
    sector = np.array(account["sector"])
    members = np.column_stack([(sector == each).astype(np.float64) for each in sorted(set(account["sector"]))])
    wanted, count = members.T @ np.array(account["target"]), 2 * members.shape[1]
    return WeightRows(np.hstack([members, -members]), np.append(wanted + band, band - wanted), np.zeros(count), np.full(count, np.inf))


def root_of(covariance: Floats) -> Floats:
    """A matrix R with RR' = F: Cholesky's, or the eigenvectors' where F is singular."""
    try:
        root: Floats = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(values.clip(min=0.0))
    return root


def multipliers_said(account: dict[str, Any], model: Model, multipliers: Floats, rules: Rules = NO_MORE) -> dict[str, Any]:
    """The multipliers without reference to how the factor covariance was factorised.

    `factor_point` is the u at which risk is linearised, u'Fu being the plan's common variance at the optimum; `cash` is the price of the
    cash row; `te_cap` the cap's multiplier, 0 without one; `sectors` by sector those of its upper and lower bound, `budgets` by budget.
    """
    nu, first = multipliers[: model.factors], model.factors + len(model.weights.bound)
    cap = float(multipliers[-1]) if model.capped else 0.0
    root = root_of(np.array(account["F"]))
    point = np.linalg.lstsq(root.T, nu / (model.risk + cap), rcond=None)[0]
    said = {"factor_point": point.tolist(), "cash": float(multipliers[first]), "te_cap": cap}
    if rules.sector_band is not None:
        upper, lower = multipliers[model.factors : first].reshape(2, -1).tolist()
        sectors = sorted(set(account["sector"]))
        said["sectors"] = {str(sector): [up, down] for sector, up, down in zip(sectors, upper, lower, strict=True)}
    kept = [budget for budget in BUDGETS if budget in rules.budgets_usd]
    if kept:
        said["budgets"] = dict(zip(kept, multipliers[first + 1 : first + 1 + len(kept)].tolist(), strict=True))
    return said


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
