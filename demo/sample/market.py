"""The sample's simulated market: securities, prices, two strategies, and the directory that the market loaders read.

Everything is simulated and says so (market.json).  Prices are what was paid on the day (price_basis "unadjusted"); the loader
applies the splits of corporate_actions.csv.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from demo.sample.days import DEMO_DAYS, business_days, date_index
from demo.sample.prices import Floats, Ints, PriceHistory, simulate_prices
from demo.sample.universe import Security, make_universe

LARGE = "sim-large-500"
DIVIDEND = "sim-dividend-150"
WEIGHT_UNITS = 100_000_000  # weights are written to eight places


@dataclass(frozen=True)
class SampleMarket:
    """The market as a whole; `column_of` gives a security's position in every per-security array."""

    universe: list[Security]
    history: PriceHistory

    @cached_property
    def column_of(self) -> dict[str, int]:
        return {security.security_id: i for i, security in enumerate(self.universe)}

    @cached_property
    def models(self) -> dict[str, Ints]:
        """Target weights by strategy, in units of 1e-8, zero where the strategy does not hold the name."""
        cap = self.history.cap_usd[self.row(DEMO_DAYS[0].business_date) - 1].astype(np.float64)
        large = np.argsort(-cap, kind="stable")[:500]
        payers = self._yearly_dividend_yield()
        dividend = large[np.argsort(-payers[large], kind="stable")[:150]]
        return {LARGE: _weights(cap, large), DIVIDEND: _weights(cap, dividend)}

    def row(self, day: date) -> int:
        """Position of the last business day not after `day`."""
        return date_index(self.history.days, day)

    @property
    def jump_security(self) -> str:
        """The security whose price falls by more than half on the first demo day without a corporate action."""
        return self.universe[self.history.jump_column].security_id

    @property
    def split_security(self) -> str:
        """The security that splits, with its corporate action, on the second demo day."""
        return self.universe[self.history.split_column].security_id

    def _yearly_dividend_yield(self) -> Floats:
        total = np.zeros(len(self.universe))
        start = self.history.days[self.row(DEMO_DAYS[0].business_date) - 252]
        for dividend in self.history.dividends:
            if dividend.ex_date >= start:
                total[dividend.column] += dividend.amount_e4 / 100
        result: Floats = total / self.history.price_cents[self.row(start)]
        return result


def make_market() -> SampleMarket:
    """The sample market; the same on each call."""
    universe = make_universe()
    return SampleMarket(universe, simulate_prices(universe, business_days()))


def write_market(market: SampleMarket, directory: Path, through: date) -> None:
    """Write the market directory as it stood at the close of `through`: no later price and no corporate action not yet effective."""
    (directory / "models").mkdir(parents=True, exist_ok=True)
    last = market.row(through)
    _write_text(directory / "market.json", json.dumps({"simulated": True, "price_basis": "unadjusted"}, indent=2) + "\n")
    _write_text(directory / "securities.csv", _securities_csv(market))
    _write_text(directory / "corporate_actions.csv", _actions_csv(market, through))
    for strategy, units in market.models.items():
        _write_text(directory / "models" / f"{strategy}.csv", _model_csv(market, units))
    ids = [security.security_id for security in market.universe]
    dates = [day.isoformat() for day in market.history.days[: last + 1]]
    _write_wide(directory / "prices.csv", dates, ids, market.history.price_cents[: last + 1] / 100)
    _write_wide(directory / "capitalisation.csv", dates, ids, market.history.cap_usd[: last + 1])


def _weights(cap: Floats, columns: Ints) -> Ints:
    """Capitalisation weights of `columns` in whole units that sum to WEIGHT_UNITS, by largest remainder."""
    exact = cap[columns] / cap[columns].sum() * WEIGHT_UNITS
    units = np.floor(exact).astype(np.int64)
    left = WEIGHT_UNITS - int(units.sum())
    units[np.argsort(-(exact - units), kind="stable")[:left]] += 1
    weights = np.zeros(len(cap), dtype=np.int64)
    weights[columns] = units
    return weights


def _securities_csv(market: SampleMarket) -> str:
    header = ("security_id", "name", "issuer_id", "identity_group", "sector", "industry", "categories", "adv_usd")
    rows = [
        (s.security_id, s.name, s.issuer_id, s.identity_group, s.sector, s.industry, ";".join(s.categories), str(int(adv)))
        for s, adv in zip(market.universe, market.history.adv_usd.tolist(), strict=True)
    ]
    return _csv_text(header, rows)


def _actions_csv(market: SampleMarket, through: date) -> str:
    """Splits and dividends with an ex-date up to `through`, in the order of their dates."""
    ids = [security.security_id for security in market.universe]
    rows = [(d.ex_date, ids[d.column], "dividend", f"{d.amount_e4 / 10_000:.4f}") for d in market.history.dividends]
    rows += [(s.ex_date, ids[s.column], "split", str(s.ratio)) for s in market.history.splits]
    shown = sorted(row for row in rows if row[0] <= through)
    return _csv_text(("security_id", "ex_date", "kind", "value"), [(row[1], row[0].isoformat(), row[2], row[3]) for row in shown])


def _model_csv(market: SampleMarket, units: Ints) -> str:
    rows = [
        (security.security_id, f"{unit / WEIGHT_UNITS:.8f}")
        for security, unit in zip(market.universe, units.tolist(), strict=True)
        if unit > 0
    ]
    return _csv_text(("security_id", "weight_frac"), rows)


def _csv_text(header: tuple[str, ...], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _write_wide(path: Path, dates: list[str], ids: list[str], values: Floats | Ints) -> None:
    """A `date` column, then one column a security; every value is exact in the shortest text of its float or integer."""
    lines = [",".join(["date", *ids])]
    lines += [",".join([day, *map(repr, row)]) for day, row in zip(dates, values.tolist(), strict=True)]
    _write_text(path, "\n".join(lines) + "\n")
