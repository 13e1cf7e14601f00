"""Reads an account of the scorer's format and refuses what makes no sense, before anything is built from it.

A refusal names file, field and, where there is one, ticker or lot.  Checked: every field is there and of its length; numbers are
numbers and finite; prices and values are positive; targets are not negative and sum to one; the factor covariance is symmetric and positive
semidefinite; specific variances are positive; every lot is of a priced name, has shares, a basis and an age; lists name known tickers;
limits don't contradict each other.  Fields that the format lacks are listed as `ignored`.
"""

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

NEEDED = ("tickers", "price", "target", "B", "F", "D", "half_spread_bps", "cash", "value", "lots", "tax", "lam")
USED = (*NEEDED, "recent_loss_sales", "no_buy", "max_te", "min_trade")
DESCRIBES = ("meta", "sector")
SUMS_TO_ONE = 1e-6
SEMIDEFINITE = 1e-9  # of the largest eigenvalue
BOUNDS = (("weight_min", "weight_max"), ("cash_min", "cash_max"))


class BadInstance(ValueError):
    """An account file that is refused; says the file, the field and the entry."""

    def __init__(self, field: str, entry: str | None, why: str) -> None:
        super().__init__(f"{field}{'' if entry is None else f' of {entry}'}: {why}")
        self.field, self.entry, self.why = field, entry, why


@dataclass(frozen=True, slots=True)
class Instance:
    """A checked account, with the optional fields filled in, and the fields that say nothing here."""

    account: dict[str, Any]
    ignored: tuple[str, ...]


def read(file: Path) -> Instance:
    """The account in `file`.  Raises BadInstance."""
    try:
        account = json.loads(file.read_text())
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadInstance("file", None, f"can't be read as JSON: {error}") from error
    if not isinstance(account, dict):
        raise BadInstance("file", None, f"holds a {type(account).__name__}, not an account")
    return checked(account)


def checked(given: dict[str, Any]) -> Instance:
    """The account with `no_buy`, `recent_loss_sales`, `min_trade` and `max_te` filled in where missing.  Raises BadInstance."""
    for field in NEEDED:
        if field not in given:
            raise BadInstance(field, None, "is missing")
    account = {"no_buy": [], "recent_loss_sales": [], "min_trade": 0.0, "max_te": None, **given}
    tickers = _tickers(account["tickers"])
    _names(account, tickers)
    _risk_model(account, tickers)
    _single_numbers(account)
    _lots(account["lots"], set(tickers))
    _lists(account, set(tickers))
    _bounds(account, tickers)
    return Instance(account, tuple(sorted(set(given) - {*USED, *DESCRIBES})))


def _tickers(tickers: Any) -> list[str]:
    if not isinstance(tickers, list) or not tickers:
        raise BadInstance("tickers", None, "must be a list of names")
    seen = set[str]()
    for place, ticker in enumerate(tickers):
        if not isinstance(ticker, str) or not ticker:
            raise BadInstance("tickers", f"entry {place}", f"{ticker!r} is no ticker")
        if ticker in seen:
            raise BadInstance("tickers", ticker, "appears twice")
        seen.add(ticker)
    return tickers


def _number(value: Any, field: str, entry: str | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInstance(field, entry, f"{value!r} is not a number")
    if not isfinite(value):
        raise BadInstance(field, entry, f"{value} is not finite")
    return float(value)


def _names(account: dict[str, Any], tickers: list[str]) -> None:
    """The columns with one number a name."""
    for field, least, open_end in (("price", 0, True), ("target", 0, False), ("half_spread_bps", 0, False), ("D", 0, True)):
        column = account[field]
        if not isinstance(column, list) or len(column) != len(tickers):
            raise BadInstance(field, None, f"must be a list of {len(tickers)} numbers, one a ticker")
        for ticker, value in zip(tickers, column, strict=True):
            number = _number(value, field, ticker)
            if number < least or (open_end and number == least):
                raise BadInstance(field, ticker, f"{value} must be {'above' if open_end else 'at least'} {least}")
        if field == "half_spread_bps" and max(column) >= 1e4:
            raise BadInstance(field, tickers[int(np.argmax(column))], "is the whole price or more")
    total = sum(account["target"])
    if abs(total - 1) > SUMS_TO_ONE:
        raise BadInstance("target", None, f"weights sum to {total:.8f}, not to 1")


def _risk_model(account: dict[str, Any], tickers: list[str]) -> None:
    covariance = account["F"]
    if not isinstance(covariance, list) or not covariance:
        raise BadInstance("F", None, "must be a square matrix")
    count = len(covariance)
    for place, row in enumerate(covariance):
        _row(row, count, "F", f"factor {place}")
    if not isinstance(account["B"], list) or len(account["B"]) != len(tickers):
        raise BadInstance("B", None, f"must have {len(tickers)} rows, one a ticker")
    for ticker, row in zip(tickers, account["B"], strict=True):
        _row(row, count, "B", ticker)
    matrix = np.array(covariance, dtype=np.float64)
    largest = float(np.abs(matrix).max())
    skew = np.abs(matrix - matrix.T).max(axis=1)
    if skew.max() > SEMIDEFINITE * largest:
        raise BadInstance("F", f"factor {int(np.argmax(skew))}", "is not symmetric")
    eigenvalues, vectors = np.linalg.eigh(matrix)
    if eigenvalues[0] < -SEMIDEFINITE * max(largest, float(eigenvalues[-1])):
        worst = int(np.argmax(np.abs(vectors[:, 0])))
        raise BadInstance("F", f"factor {worst}", f"is not positive semidefinite: its least eigenvalue is {eigenvalues[0]:.3g}")


def _row(row: Any, count: int, field: str, entry: str) -> None:
    if not isinstance(row, list) or len(row) != count:
        raise BadInstance(field, entry, f"must have {count} numbers, one a factor")
    for value in row:
        _number(value, field, entry)


def _single_numbers(account: dict[str, Any]) -> None:
    _number(account["cash"], "cash", None)
    for field in ("value", "lam"):
        if _number(account[field], field, None) <= 0:
            raise BadInstance(field, None, f"{account[field]} must be above 0")
    tax = account["tax"]
    for term in ("st", "lt"):
        if not isinstance(tax, dict) or term not in tax:
            raise BadInstance(f"tax.{term}", None, "is missing")
        if not 0 <= _number(tax[term], f"tax.{term}", None) < 1:
            raise BadInstance(f"tax.{term}", None, f"{tax[term]} must be at least 0 and below 1")
    if _number(account["min_trade"], "min_trade", None) < 0:
        raise BadInstance("min_trade", None, f"{account['min_trade']} must be at least 0")
    if account["max_te"] is not None and _number(account["max_te"], "max_te", None) <= 0:
        raise BadInstance("max_te", None, f"{account['max_te']} must be above 0")


def _lots(lots: Any, known: set[str]) -> None:
    if not isinstance(lots, list):
        raise BadInstance("lots", None, "must be a list")
    seen = set[str]()
    for place, lot in enumerate(lots):
        if not isinstance(lot, dict):
            raise BadInstance("lots", f"entry {place}", "is not a lot")
        entry = f"lot {lot.get('lot_id', f'in place {place}')} ({lot.get('ticker', 'no ticker')})"
        for field in ("lot_id", "ticker", "shares", "basis_per_share", "days_held"):
            if field not in lot:
                raise BadInstance(f"lots.{field}", entry, "is missing")
        if not isinstance(lot["lot_id"], str) or lot["lot_id"] in seen:
            raise BadInstance("lots.lot_id", entry, "must be a text of its own")
        seen.add(lot["lot_id"])
        if not isinstance(lot["ticker"], str) or lot["ticker"] not in known:
            raise BadInstance("lots.ticker", entry, "has no price: it is not one of the tickers")
        if _number(lot["shares"], "lots.shares", entry) <= 0:
            raise BadInstance("lots.shares", entry, f"{lot['shares']} must be above 0")
        for field in ("basis_per_share", "days_held"):
            if _number(lot[field], f"lots.{field}", entry) < 0:
                raise BadInstance(f"lots.{field}", entry, f"{lot[field]} must be at least 0")


def _lists(account: dict[str, Any], known: set[str]) -> None:
    """no_buy and recent_loss_sales name tickers of the account."""
    for field in ("no_buy", "recent_loss_sales"):
        if not isinstance(account[field], list):
            raise BadInstance(field, None, "must be a list")
        for each in account[field]:
            ticker = each.get("ticker") if isinstance(each, dict) and field == "recent_loss_sales" else each
            if not isinstance(ticker, str) or ticker not in known:
                raise BadInstance(field, str(ticker), "is not one of the tickers")


def _bounds(account: dict[str, Any], tickers: list[str]) -> None:
    """Where a file says both ends of a range, the lower is not above the upper."""
    for low, high in BOUNDS:
        if low in account and high in account:
            pairs = [account[low], account[high]]
            by_name = all(isinstance(each, list) and len(each) == len(tickers) for each in pairs)
            ends = list(zip(tickers, *pairs, strict=True)) if by_name else [(None, *pairs)]
            for ticker, least, most in ends:
                if _number(least, low, ticker) > _number(most, high, ticker):
                    raise BadInstance(low, ticker, f"{least} is above {high}, {most}")
