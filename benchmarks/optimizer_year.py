"""Instances whose tax is that of a netted year, and the multipliers of every convex piece that the bound is the least of.

The law is that of the account's rates: losses lower ordinary income at the short rate up to `ORDINARY_LIMIT_USD`, and a dollar carried on
counts for half of its rate.  Budgets are on what netting yields, and start from the same year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from benchmarks.optimizer_instances import BUDGETS, LONG_DAYS, Rules, model_of, multipliers_said
from services.optimizer.core.dual.model import validated
from services.optimizer.core.dual.netted_model import Choice, NettedAccount, piece_model, year_of
from services.optimizer.core.dual.solve import solve
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxLaw, TaxPosition

BPS = 1e4
ORDINARY_LIMIT_USD = 3000
CARRIED_PART = 0.5  # of its rate: what a dollar of loss carried on is worth
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class YearSoFar:
    """The year's net short- and long-term gain before the plan, in dollars; losses are negative."""

    short_usd: float = 0.0
    long_usd: float = 0.0


def law_said(account: Mapping[str, Any], so_far: YearSoFar) -> dict[str, float]:
    """The law and the year, as a line of results has them: rates as fractions, dollars."""
    short, long = account["tax"]["st"], account["tax"]["lt"]
    return {
        "short_frac": short,
        "long_frac": long,
        "ordinary_frac": short,
        "ordinary_limit_usd": float(ORDINARY_LIMIT_USD),
        "carried_short_frac": CARRIED_PART * short,
        "carried_long_frac": CARRIED_PART * long,
        "short_usd": so_far.short_usd,
        "long_usd": so_far.long_usd,
    }


def netted_of(account: dict[str, Any], rules: Rules, so_far: YearSoFar) -> tuple[NettedAccount, TaxPosition]:
    """The account without tax in its prices, the gains of its lots, and its year.  Raises ModelError."""
    model = model_of(account, replace(rules, budgets_usd={}))
    price = dict(zip(account["tickers"], account["price"], strict=True))
    gain = np.array([1 - lot["basis_per_share"] / price[lot["ticker"]] for lot in account["lots"]])
    is_long = np.array([lot["days_held"] > LONG_DAYS for lot in account["lots"]], dtype=np.bool_)
    rate = np.where(is_long, account["tax"]["lt"], account["tax"]["st"])
    free = validated(replace(model, lots=replace(model.lots, sell_price=model.lots.sell_price - rate * gain)))
    said = law_said(account, so_far)
    fractions = ("short_frac", "long_frac", "ordinary_frac", "ordinary_limit_usd", "carried_short_frac", "carried_long_frac")
    law = TaxLaw(*(Decimal(repr(said[each])) for each in fractions))
    year = Nets(Decimal(repr(so_far.short_usd)).quantize(CENT), Decimal(repr(so_far.long_usd)).quantize(CENT))
    most = {each: Decimal(repr(rules.budgets_usd[each])) for each in BUDGETS if each in rules.budgets_usd}
    return NettedAccount(free, gain * ~is_long, gain * is_long), TaxPosition(
        law, year, year, Budgets(**most), Decimal(repr(account["value"]))
    )


def pieces_said(account: dict[str, Any], rules: Rules, given: NettedAccount, position: TaxPosition) -> tuple[list[dict[str, Any]], float]:
    """Of every piece that a plan could need: the multipliers at its root, the prices of a unit of short and long gain there, where that
    line crosses the axis, and which rows of budgets are in it (price, short, long, bound); and the least of the pieces' bounds, in bp."""
    year, found, least = year_of(given, position), [], float("inf")
    for choice in year.choices:
        model, constant = piece_model(given, year, choice)
        answer = solve(model)
        least = min(least, BPS * (answer.root_bound + constant))
        own = answer.bound_multipliers[given.first_row : given.first_row + len(choice.lines)]
        said = multipliers_said(account, model, answer.bound_multipliers, replace(rules, budgets_usd={}))
        rows = zip(choice.budget.rows, own[len(choice.piece.hinges) :].tolist(), strict=True)
        kept = [[z, row.line.short, row.line.long, row.line.beyond] for row, z in rows]
        found.append({**said, "gain_prices": list(choice.prices(own)), "intercept": _intercept(choice, own.tolist()), "rows": kept})
    return found, least


def _intercept(choice: Choice, own: list[float]) -> float:
    return choice.piece.constant - sum(z * line.beyond for line, z in zip(choice.lines, own, strict=True))
