"""From closes and corporate actions to total returns, and to the panel that the risk model is fitted to.

Capitalisation, where the files do not give it for a day and a name: the last given before; else the security's latest one moved back
with its price; else its dollar volume times the universe's median ratio of the two; dollar volume alone when none is known.
"""

from dataclasses import dataclass

import numpy as np

from services.ingest.core.market_inputs import Dates, Floats, MarketInputs, WideTable
from services.ingest.core.risk import RiskPanel


@dataclass(frozen=True, slots=True, eq=False)
class RowActions:
    """Corporate actions on the row of prices where they first show.

    split: (days, securities) new shares for one old, 1 without a split.  dividend: (days, securities) dollars a share.
    """

    split: Floats
    dividend: Floats


def row_actions(inputs: MarketInputs) -> RowActions:
    """Each action on the first row dated at or after its ex-date; none at all for prices that are adjusted already.

    Dividends of adjusted prices are left out too: they are dollars for a share of their own day.
    """
    split = np.ones_like(inputs.closes.values)
    dividend = np.zeros_like(inputs.closes.values)
    if inputs.price_basis == "unadjusted":
        column = {security.security_id: i for i, security in enumerate(inputs.securities)}
        for action in inputs.actions:
            row = int(np.searchsorted(inputs.closes.dates, np.datetime64(action.ex_date, "D")))
            if row == len(split):
                continue
            if action.kind == "split":
                split[row, column[action.security_id]] *= float(action.value)
            else:
                dividend[row, column[action.security_id]] += float(action.value)
    return RowActions(split, dividend)


def total_returns(closes: Floats, actions: RowActions) -> Floats:
    """(days, securities) total return of each day, NaN unless the security has a close on the day and on the day before."""
    returns = np.full_like(closes, np.nan)
    returns[1:] = (closes[1:] + actions.dividend[1:]) * actions.split[1:] / closes[:-1] - 1.0
    return returns


def risk_panel(inputs: MarketInputs, actions: RowActions) -> RiskPanel:
    """The risk model's panel of these inputs."""
    closes = inputs.closes
    return RiskPanel(
        closes.dates,
        tuple(security.security_id for security in inputs.securities),
        tuple(security.sector for security in inputs.securities),
        total_returns(closes.values, actions),
        capitalisation_by_day(inputs, actions),
    )


def capitalisation_by_day(inputs: MarketInputs, actions: RowActions) -> Floats:
    """(days, securities) dollars, positive everywhere; see the top of this file for what stands in where it is unknown."""
    dates = inputs.closes.dates
    adv_usd = np.array([security.adv_usd for security in inputs.securities], dtype=np.float64)
    latest = np.array([security.market_cap_usd or np.nan for security in inputs.securities], dtype=np.float64)
    adjusted = filled_forward(inputs.closes.values * np.cumprod(actions.split, axis=0))
    if not len(dates):
        return adjusted
    cap_usd = latest * np.where(np.isfinite(adjusted), adjusted / adjusted[-1], 1.0)
    if inputs.capitalisation is not None:
        given = _on_dates(inputs.capitalisation, dates)
        cap_usd = np.where(np.isfinite(given), given, cap_usd)
    known = np.where(np.isfinite(cap_usd), cap_usd / adv_usd, np.nan)
    some = np.isfinite(known).any(axis=1)
    ratio = np.ones(len(dates))
    ratio[some] = np.nanmedian(known[some], axis=1)
    return np.where(np.isfinite(cap_usd), cap_usd, ratio[:, None] * adv_usd)


def filled_forward(values: Floats) -> Floats:
    """Each NaN replaced by the last value above it in its column."""
    rows = np.where(np.isfinite(values), np.arange(len(values))[:, None], 0)
    filled: Floats = np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0)
    return filled


def _on_dates(table: WideTable, dates: Dates) -> Floats:
    """The table's last known values on each of `dates`; NaN before its first."""
    rows = np.searchsorted(table.dates, dates, side="right") - 1
    values = np.full((len(dates), table.values.shape[1]), np.nan)
    values[rows >= 0] = filled_forward(table.values)[rows[rows >= 0]]
    return values
