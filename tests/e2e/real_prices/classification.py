"""Sector, industry and issuer of every name, those included that left the index since (the data know sectors of today's members only).

In this order: today's GICS; the GICS sector that most members with the same exchange industry have; the sector with whose members its
returns have the highest correlation, after the market's (measured elsewhere: right for four fifths of the names where the answer is known).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from tests.e2e.real_prices.source import Floats, SharedData

# Share classes of one company that carry no CIK in the data.
SAME_COMPANY = {"DISCA": "discovery", "DISCK": "discovery", "UA": "under-armour", "UAA": "under-armour"}


@dataclass(frozen=True)
class Classification:
    """What a company is; `issuer_id` is the same for all its share classes."""

    name: str
    issuer_id: str
    sector: str
    industry: str
    categories: tuple[str, ...]


def classify(data: SharedData, tickers: Sequence[str], as_of: date) -> dict[str, Classification]:
    """Every ticker's classification; correlations use closes up to `as_of` only."""
    by_industry = _sector_of_exchange_industry(data)
    sector: dict[str, str] = {}
    for ticker in tickers:
        listed = data.listed.get(ticker, {})
        found = data.constituents.get(ticker, {}).get("gics_sector") or by_industry.get(listed.get("industry", ""))
        if found:
            sector[ticker] = found
    sector |= _by_correlation(data, [ticker for ticker in tickers if ticker not in sector], sector, as_of)
    return {ticker: _classification(data, ticker, sector[ticker]) for ticker in tickers}


def _classification(data: SharedData, ticker: str, sector: str) -> Classification:
    constituent, listed = data.constituents.get(ticker, {}), data.listed.get(ticker, {})
    cik = constituent.get("cik")
    return Classification(
        name=constituent.get("name") or listed.get("name") or ticker,
        issuer_id=f"cik-{cik}" if cik else SAME_COMPANY.get(ticker, ticker),
        sector=sector,
        industry=constituent.get("gics_sub_industry") or listed.get("industry") or f"{sector}, not further known",
        categories=tuple(sorted(data.exclusions.get(ticker, ()))),
    )


def _sector_of_exchange_industry(data: SharedData) -> dict[str, str]:
    votes: dict[str, Counter[str]] = {}
    for ticker, row in sorted(data.constituents.items()):
        industry = data.listed.get(ticker, {}).get("industry")
        if industry:
            votes.setdefault(industry, Counter())[row["gics_sector"]] += 1
    return {industry: min(counts, key=lambda sector: (-counts[sector], sector)) for industry, counts in votes.items()}


def _by_correlation(data: SharedData, unknown: Sequence[str], known: dict[str, str], as_of: date) -> dict[str, str]:
    """The sector whose members' mean return, less the market's, goes most with the name's."""
    if not unknown:
        return {}
    tickers = [*known, *unknown]
    returns = _daily_returns(data, tickers, as_of)
    active = np.nan_to_num(returns - np.nanmean(returns, axis=1, keepdims=True))
    sectors = sorted(set(known.values()))
    labels = np.array(list(known.values()))
    means = np.column_stack([active[:, : len(known)][:, labels == sector].mean(axis=1) for sector in sectors])
    scores = np.corrcoef(means.T, active[:, len(known) :].T)[: len(sectors), len(sectors) :]
    return {ticker: sectors[int(best)] for ticker, best in zip(unknown, scores.argmax(axis=0), strict=True)}


def _daily_returns(data: SharedData, tickers: Sequence[str], as_of: date) -> Floats:
    close = data.close[: data.row(as_of) + 1, [data.column_of[ticker] for ticker in tickers]]
    returns: Floats = close[1:] / close[:-1] - 1.0
    return returns
