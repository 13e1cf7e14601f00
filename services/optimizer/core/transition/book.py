"""The account at the beginning of a year of a plan: what it holds by lot, at which prices, and the losses it brings along.

One shape serves the first year and every later one.  Money and shares are exact; `view` is the crossing into weights.  Prices and cash
grow alike (`Outlook.growth_frac`), so a weight changes by trades alone.

Invariants
1. The value of a book is its cash and its shares at its prices, to the cent.
2. A year passes: shares, basis and days of purchase stay; net losses carried out of the year are the next one's beginning, each under
   its own character, and nothing else of its gains is.
3. A lot is long term by the calendar (core/terms.py) on the day of the book.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from libs.common.money import SHARE_STEP, cents_half_even, float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.dual.tax_law import Nets, YearTax
from services.optimizer.core.terms import is_long
from services.optimizer.core.transition.case import Lots, TransitionCase


@dataclass(frozen=True, slots=True)
class Book:
    """Holdings on a day; `year`: net short and long gain so far, losses carried into the year taken off."""

    on: date
    price_usd: tuple[Decimal, ...]
    cash_usd: Decimal
    lots: Lots
    year: Nets

    @property
    def value_usd(self) -> Decimal:
        """Cash and shares at the book's prices, to the cent."""
        held = sum((shares * self.price_usd[i] for i, shares in zip(self.lots.name.tolist(), self.lots.shares, strict=True)), Decimal(0))
        return self.cash_usd + cents_half_even(held)


@dataclass(frozen=True, slots=True)
class View:
    """A book in fractions of its value: cash and, by name, what is held; by lot its name, size, gain on a unit sold, and term.

    `value_usd` is what weight 1 stands for.
    """

    value_usd: Decimal
    cash: float
    held: Floats
    name: Ints
    size: Floats
    gain: Floats
    is_long: Bools

    @property
    def short_gain(self) -> Floats:
        """[lots] Gain on a unit of weight sold where it is short term, else 0."""
        return np.where(self.is_long, 0.0, self.gain)

    @property
    def long_gain(self) -> Floats:
        """[lots] Gain on a unit of weight sold where it is long term, else 0."""
        return np.where(self.is_long, self.gain, 0.0)


def opening(case: TransitionCase) -> Book:
    """The account today."""
    return Book(case.as_of, case.names.price_usd, case.cash_usd, case.lots, case.tax.year)


def view(book: Book) -> View:
    """The book in weights."""
    value = book.value_usd
    dollars = float_from_decimal(value)
    name = book.lots.name
    price = np.array([float_from_decimal(each) for each in book.price_usd])
    worth = np.array([float_from_decimal(each) for each in book.lots.shares]) * price[name]
    basis = np.array([float_from_decimal(each) for each in book.lots.basis_usd])
    size = worth / dollars
    return View(
        value_usd=value,
        cash=float_from_decimal(book.cash_usd) / dollars,
        held=frozen(np.bincount(name, size, len(price)).astype(np.float64, copy=False)),
        name=name,
        size=frozen(size),
        gain=frozen(1.0 - basis / worth),
        is_long=frozen(np.array([is_long(each, book.on) for each in book.lots.acquired], dtype=np.bool_)),
    )


def day_of_year(case: TransitionCase, number: int) -> date:
    """The day that the trades of a plan's year (from 1) are made: the same day every year, the 28th for 29 February."""
    year = case.as_of.year + number - 1
    try:
        return case.as_of.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def after_year(case: TransitionCase, book: Book, year: YearTax, number: int) -> Book:
    """The book at the beginning of year `number` (from 2), the year before having ended as netted."""
    factor = 1 + Decimal(repr(case.outlook.growth_frac))
    return replace(
        book,
        on=day_of_year(case, number),
        price_usd=tuple((price * factor).quantize(SHARE_STEP) for price in book.price_usd),
        cash_usd=cents_half_even(book.cash_usd * factor),
        year=Nets(-year.carried_short, -year.carried_long),
    )
