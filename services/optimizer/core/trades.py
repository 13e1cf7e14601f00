"""Whole shares become trades with lots, in exact decimals: what each realises and costs at the pinned prices.

A lot of unknown basis is taxed as a short-term gain of its whole proceeds, the dearest it can be; its own `gain` stays unknown.

Invariant
1. Every amount is the decimal that `_Exact` gives; columns of float64 only find it sooner (amounts.py).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from itertools import pairwise

import numpy as np

from libs.common.money import CENT, ZERO, cents_half_even, float_from_decimal
from libs.common.schemas.proposal import LotInstruction, TaxEstimate
from services.optimizer.core.amounts import Amounts, away_from_zero, to_nearest
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.tax_law import Nets, plan_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.nearest_shares import ROUNDING
from services.optimizer.core.problem import Problem
from services.optimizer.core.rounding import Shares
from services.optimizer.core.tax_position import tax_position

CENTS = 100.0


@dataclass(frozen=True, slots=True)
class Drafts:
    """Trades without their reasons, ordered by security, a column each: `name` in the programme, shares, `price` and amounts in dollars,
    lots to sell with the shares of each.

    Of what is taken of lots, over all sales: cents that are `taxed`, and whether that is `long`-term.
    """

    name: Ints
    selling: Bools
    security_id: list[str]
    quantity: list[Decimal]
    price: list[Decimal]
    lots: list[list[LotInstruction]]
    tax: list[Decimal]
    cost: list[Decimal]
    cash: list[Decimal]
    taxed: Floats
    long: Bools

    def __len__(self) -> int:
        return len(self.security_id)


@dataclass(frozen=True, slots=True)
class _Taken:
    """By trade its shares and the first of its entries in `lot` (and the end); by entry the lot, the shares of it, and its trade."""

    quantity: list[Decimal]
    first: list[int]
    lot: list[int]
    shares: list[Decimal]
    trade: Ints


def draft_trades(case: Case, problem: Problem, shares: Shares) -> Drafts:
    """The trades, ordered by security."""
    names = sorted(shares.bought.keys() | shares.sold.keys())
    row = problem.row[names]
    selling = np.array([name in shares.sold for name in names], dtype=np.bool_)
    taken = _taken(case, problem, shares, names)
    exact = _Exact(case, taken, row.tolist(), _prices(case, row.tolist()))
    quantity = np.array([float_from_decimal(each) for each in taken.quantity], dtype=np.float64)
    gains = _gains(case, taken, exact, row)
    long = case.lots.is_long[taken.lot]
    tax = _taxes(case, taken, gains.steps, long, np.flatnonzero(selling))
    cost, cash = _money(case, exact, quantity, row, selling)
    return Drafts(
        name=np.array(names, dtype=np.intp),
        selling=selling,
        security_id=[case.snapshot.security_id[i] for i in exact.row],
        quantity=taken.quantity,
        price=exact.price,
        lots=_instructions(case, taken, gains),
        tax=tax,
        cost=cost,
        cash=cash,
        taxed=gains.steps,
        long=long,
    )


def _taken(case: Case, problem: Problem, shares: Shares, names: list[int]) -> _Taken:
    """A sale takes its lots whole, in selling order, the last as far as it goes."""
    tranches, wholes, texts = shares.curves.tranches(), shares.curves.wholes(), case.lots.columns.quantity
    quantities, first, lot, parts = list[Decimal](), [0], list[int](), list[Decimal]()
    for name in names:
        sold = shares.sold.get(name)
        if sold is None:
            quantities.append(Decimal(shares.bought[name]))
            first.append(len(lot))
            continue
        numbers = [n for tranche in tranches[name] for n in problem.lots[tranche]]
        everything = abs(sold - wholes[name]) <= ROUNDING
        quantity = left = sum([Decimal(texts[n]) for n in numbers], ZERO) if everything else Decimal(round(sold))
        quantities.append(quantity)
        for n in numbers:
            held = Decimal(texts[n])
            lot.append(n)
            if held >= left:
                parts.append(left)
                break
            parts.append(held)
            left -= held
        else:
            raise AssertionError(f"{left} shares more than the lots hold")
        first.append(len(lot))
    return _Taken(quantities, first, lot, parts, np.repeat(np.arange(len(names)), np.diff(first)))


def _prices(case: Case, rows: list[int]) -> list[Decimal]:
    found = list[Decimal]()
    for row in rows:
        price = case.snapshot.price[row]
        if price is None:
            raise AssertionError(f"{case.snapshot.security_id[row]} is traded without a price")
        found.append(price)
    return found


@dataclass(frozen=True, slots=True)
class _Exact:
    """What each amount is, in decimals, by the number of its trade or entry; `row` in the snapshot and `price` [trades]."""

    case: Case
    taken: _Taken
    row: list[int]
    price: list[Decimal]

    def value(self, trade: int) -> Decimal:
        return self.taken.quantity[trade] * self.price[trade]

    def half_spread(self, trade: int) -> Decimal:
        return self.case.snapshot.half_spread[self.row[trade]]

    def cost(self, trade: int) -> Decimal:
        return cents_half_even(self.value(trade) * self.half_spread(trade))

    def received(self, trade: int) -> Decimal:
        return cents_half_even(self.value(trade) * (1 - self.half_spread(trade)))

    def paid(self, trade: int) -> Decimal:
        return (self.value(trade) * (1 + self.half_spread(trade))).quantize(CENT, rounding=ROUND_UP)

    def taxed(self, entry: int) -> Decimal:
        """The gain of what is taken of a lot; its proceeds where the basis is not known."""
        n, shares = self.taken.lot[entry], self.taken.shares[entry]
        proceeds, basis, held = shares * self.price[int(self.taken.trade[entry])], self.case.lots.basis(n), self.case.lots.quantity(n)
        if basis is None:
            return cents_half_even(proceeds)
        return (proceeds - (basis if shares == held else basis * shares / held)).quantize(CENT, ROUND_HALF_EVEN)


def _gains(case: Case, taken: _Taken, exact: _Exact, row: Ints) -> Amounts:
    """[entries] What is taxed."""
    lots, lot = case.lots, np.array(taken.lot, dtype=np.intp)
    held = lots.shares_float[lot]
    part = held.copy()
    last = np.array(taken.first[1:], dtype=np.intp)[np.diff(taken.first) > 0] - 1
    part[last] = [float_from_decimal(taken.shares[entry]) for entry in last.tolist()]
    proceeds = CENTS * part * case.snapshot.price_usd[row[taken.trade]]
    basis = CENTS * lots.basis_usd[lot] * (part / held)
    return to_nearest(proceeds - basis, proceeds + np.abs(basis), CENT, exact.taxed)


def _taxes(case: Case, taken: _Taken, cents: Floats, long: Bools, sales: Ints) -> list[Decimal]:
    """[trades] The tax on each at its lots' own rates; nothing in an IRA or Roth."""
    found = [ZERO] * len(taken.quantity)
    short_rate, long_rate = case.account.rates.short_frac, case.account.rates.long_frac
    short_cents, long_cents = (np.bincount(taken.trade[of], cents[of], len(found))[sales] for of in (~long, long))

    def exact(i: int) -> Decimal:
        return cents_half_even(short_rate * (CENT * int(short_cents[i])) + long_rate * (CENT * int(long_cents[i])))

    if not case.taxable:
        values = [cents_half_even(ZERO)] * len(sales)
    else:
        short, long_part = float_from_decimal(short_rate) * short_cents, float_from_decimal(long_rate) * long_cents
        values = to_nearest(short + long_part, np.abs(short) + np.abs(long_part), CENT, exact).values
    for trade, value in zip(sales.tolist(), values, strict=True):
        found[trade] = value
    return found


def _money(case: Case, exact: _Exact, quantity: Floats, row: Ints, selling: Bools) -> tuple[list[Decimal], list[Decimal]]:
    """[trades] What each costs in spread, and what it brings in cash; a purchase is paid to the next cent."""
    half_spread, value = case.snapshot.half_spread_frac[row], CENTS * quantity * case.snapshot.price_usd[row]
    cost = to_nearest(value * half_spread, value, CENT, exact.cost).values
    sales, buys = np.flatnonzero(selling).tolist(), np.flatnonzero(~selling).tolist()
    received, paid = (value * (1 - half_spread))[sales], (value * (1 + half_spread))[buys]
    cash = [ZERO] * len(cost)
    sold = to_nearest(received, value[sales], CENT, lambda i: exact.received(sales[i]))
    bought = away_from_zero(paid, paid, CENT, lambda i: exact.paid(buys[i]))
    for trade, dollars in zip(sales, sold.values, strict=True):
        cash[trade] = dollars
    for trade, dollars in zip(buys, bought.values, strict=True):
        cash[trade] = -dollars
    return cost, cash


def _instructions(case: Case, taken: _Taken, gains: Amounts) -> list[list[LotInstruction]]:
    """[trades] What to sell of which lots."""
    ids, terms = case.lots.lot_id, case.lots.terms(taken.lot)
    known = case.lots.has_basis[taken.lot].tolist()
    entries = [
        LotInstruction(ids[n], shares, term, gain if has_basis else None)
        for n, shares, term, gain, has_basis in zip(taken.lot, taken.shares, terms, gains.values, known, strict=True)
    ]
    return [entries[begin:end] for begin, end in pairwise(taken.first)]


def estimate_tax(case: Case, drafts: Drafts) -> TaxEstimate:
    """What the sales realise by term, and the tax of all trades; nothing in an IRA or Roth.

    Where the taxpayer's year is netted, the tax is what the trades add to the year's, to the cent, whatever each is taxed at alone.
    """
    sums = [ZERO] * 4
    if case.taxable:
        kind = 2 * drafts.long + (drafts.taxed < 0)
        cents, counts = np.bincount(kind, np.abs(drafts.taxed), 4).tolist(), np.bincount(kind, minlength=4).tolist()
        sums = [CENT * int(each) if count else ZERO for each, count in zip(cents, counts, strict=True)]
    short_gain, short_loss, long_gain, long_loss = sums
    position = tax_position(case)
    gains = Nets(short_gain - short_loss, long_gain - long_loss)
    tax = sum(drafts.tax, ZERO) if position is None else plan_tax(position, gains).added
    return TaxEstimate(short_gain=short_gain, short_loss=short_loss, long_gain=long_gain, long_loss=long_loss, tax=tax)
