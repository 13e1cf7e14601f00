"""Approximate capitalisation on a past day: today's, scaled back by the price, held within a factor e of what dollar volume implies.

The data know capitalisations of 2026 only.  Price then over price now carries one back as long as the number of shares stood still and
both prices are in the same shares; where a name was split after the data were adjusted, or issued or bought back much, the value
implied by the last year's dollar volume (at the median ratio of the two over all names) bounds the error.  Names without a
capitalisation take the implied value.  Good for weights of a test, not for a study.
"""

from collections.abc import Sequence
from datetime import date
from statistics import median

from tests.e2e.real_prices.source import SharedData

WITHIN = 2.718281828


def capitalisations(data: SharedData, tickers: Sequence[str], as_of: date) -> dict[str, float]:
    """Dollars by ticker; every ticker must have a close on `as_of`."""
    scaled = {ticker: value for ticker in tickers if (value := _scaled_back(data, ticker, as_of)) is not None}
    volume = {ticker: value for ticker in tickers if (value := data.adv_usd(ticker, as_of)) is not None}
    days_of_volume = median(scaled[ticker] / volume[ticker] for ticker in scaled if ticker in volume)
    found = {}
    for ticker in tickers:
        implied = volume[ticker] * days_of_volume if ticker in volume else None
        value = scaled.get(ticker, implied)
        if value is None:
            raise ValueError(f"{ticker} has neither a capitalisation nor a volume")
        found[ticker] = value if implied is None else min(max(value, implied / WITHIN), implied * WITHIN)
    return found


def volumes_usd(data: SharedData, caps: dict[str, float], as_of: date) -> dict[str, float]:
    """Median daily dollar volume by ticker; where the data have none, what the capitalisation implies at the median ratio."""
    known = {ticker: value for ticker in caps if (value := data.adv_usd(ticker, as_of)) is not None}
    days_of_volume = median(caps[ticker] / known[ticker] for ticker in known)
    return {ticker: known.get(ticker, cap / days_of_volume) for ticker, cap in caps.items()}


def _scaled_back(data: SharedData, ticker: str, as_of: date) -> float | None:
    """Today's capitalisation at the price of `as_of`; share classes count for their part of the company (index_cap_usd)."""
    then = data.price(ticker, as_of)
    constituent, listed = data.constituents.get(ticker, {}), data.listed.get(ticker, {})
    for cap, price in (
        (constituent.get("index_cap_usd"), constituent.get("price_2026")),
        (listed.get("market_cap_usd"), listed.get("last_price")),
    ):
        if cap and price and then is not None and float(cap) > 0 and float(price) > 0:
            return float(cap) * then / float(price)
    return None
