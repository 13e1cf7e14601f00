"""The market directory of a day, as a user would make one from the shared data (docs/file-formats.md)."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tests.e2e.real_prices.capitalisation import capitalisations, volumes_usd
from tests.e2e.real_prices.classification import Classification, classify
from tests.e2e.real_prices.source import SharedData

STRATEGY = "us-large-500"
HISTORY_DAYS = 756  # three years of trading
WEIGHT_UNITS = 100_000_000


@dataclass(frozen=True, eq=False)
class RealMarket:
    """What a day's directory is made of: the index of `as_of`, and every further name that the book holds."""

    data: SharedData
    as_of: date
    members: tuple[str, ...]
    tickers: tuple[str, ...]
    classified: dict[str, Classification]
    cap_usd: dict[str, float]


def real_market(data: SharedData, as_of: date, held: Iterable[str]) -> RealMarket:
    """The market of a day: members with a close, and what is held besides."""
    members = data.priced_members(as_of)
    tickers = sorted({*members, *held})
    return RealMarket(data, as_of, tuple(members), tuple(tickers), classify(data, tickers, as_of), capitalisations(data, tickers, as_of))


def write_market(market: RealMarket, directory: Path) -> None:
    """Write the directory as known after the close of `market.as_of`: no later price is in it, and no corporate action at all.

    Prices are split-adjusted and so are the book's lots; a split in corporate_actions.csv would apply it a second time.
    """
    (directory / "models").mkdir(parents=True, exist_ok=True)
    description = {"simulated": False, "price_basis": "split_adjusted"}
    (directory / "market.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    _write_csv(directory / "securities.csv", SECURITY_COLUMNS, _security_rows(market))
    _write_csv(directory / "corporate_actions.csv", ("security_id", "ex_date", "kind", "value"), ())
    _write_csv(directory / "models" / f"{STRATEGY}.csv", ("security_id", "weight_frac"), index_weights(market).items())
    _write_prices(market, directory / "prices.parquet")


SECURITY_COLUMNS = ("security_id", "name", "issuer_id", "sector", "industry", "categories", "adv_usd", "market_cap_usd")


def _security_rows(market: RealMarket) -> Iterable[Sequence[object]]:
    volume = volumes_usd(market.data, market.cap_usd, market.as_of)
    for ticker in market.tickers:
        what = market.classified[ticker]
        categories = ";".join(what.categories)
        cap = round(market.cap_usd[ticker])
        yield ticker, what.name, what.issuer_id, what.sector, what.industry, categories, round(volume[ticker]), cap


def index_weights(market: RealMarket) -> dict[str, str]:
    """Capitalisation weights of the members to eight places, which sum to exactly one."""
    cap = np.array([market.cap_usd[ticker] for ticker in market.members])
    exact = cap / cap.sum() * WEIGHT_UNITS
    units = np.floor(exact).astype(np.int64)
    left = WEIGHT_UNITS - int(units.sum())
    units[np.argsort(units - exact, kind="stable")[:left]] += 1
    return {ticker: f"{unit / WEIGHT_UNITS:.8f}" for ticker, unit in zip(market.members, units.tolist(), strict=True)}


def _write_prices(market: RealMarket, path: Path) -> None:
    data = market.data
    last = data.row(market.as_of) + 1
    first = max(0, last - HISTORY_DAYS)
    columns = {ticker: data.close[first:last, data.column_of[ticker]] for ticker in market.tickers}
    arrays = {name: pa.array(values, mask=np.isnan(values)) for name, values in columns.items()}
    parquet.write_table(pa.table({"date": pa.array(data.days[first:last], pa.date32()), **arrays}), path)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
