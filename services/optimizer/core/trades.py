"""Whole shares become trades with lots, in exact decimals: what each realises and costs at the pinned prices.

A lot of unknown basis is taxed as a short-term gain of its whole proceeds, the dearest it can be; its own `gain` stays unknown.

Invariant
1. Every amount is the decimal that `_Exact` gives; columns of float64 only find it sooner (amounts.py).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from itertools import pairwise
from typing import TypeVar

import numpy as np

from libs.common.money import CENT, ZERO, cents_half_even, float_from_decimal
from libs.common.schemas.proposal import LotInstruction, TaxEstimate
from services.optimizer.core.amounts import Amounts, away_from_zero, to_nearest
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.tax_law import Nets, plan_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.problem import Problem
from services.optimizer.core.rounding import Shares
from services.optimizer.core.taking import Taken, taken_of
from services.optimizer.core.tax_position import tax_position

CENTS = 100.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drafts:
    """Trades without their reasons, ordered by security, a column each: `name` in the programme, shares, `price` and amounts in dollars,
    lots to sell with the shares of each.

    What is `taken` of lots, and over all sales: cents that are `taxed`, and whether that is `long`-term.
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
    taken: Taken
    taxed: Floats
    long: Bools

    def __len__(self) -> int:
        return len(self.security_id)


def draft_trades(case: Case, problem: Problem, shares: Shares) -> Drafts:
    """The trades, ordered by security."""
    taken = taken_of(case.lots, problem, shares)
    buys = np.array(list(shares.bought), dtype=np.intp)
    name = np.sort(np.concatenate([taken.name, buys]))
    row, sales, bought = problem.row[name], np.searchsorted(name, taken.name), np.searchsorted(name, buys)
    selling = np.zeros(len(name), dtype=np.bool_)
    selling[sales] = True
    quantity = _placed(len(name), (sales, taken.quantity), (bought, [Decimal(each) for each in shares.bought.values()]))
    entry_trade = np.repeat(sales, np.diff(taken.first))
    exact = _Exact(case, taken, quantity, entry_trade, row.tolist(), _prices(case, row.tolist()))
    gains = _gains(case, exact, row)
    long = case.lots.is_long[taken.lot]
    tax = _taxes(case, exact, gains.steps, long, sales)
    cost, cash = _money(case, exact, row, selling)
    return Drafts(
        name=name,
        selling=selling,
        security_id=[case.snapshot.security_id[i] for i in exact.row],
        quantity=quantity,
        price=exact.price,
        lots=_placed(len(name), (sales, _instructions(case, taken, gains)), (bought, [[] for _ in shares.bought])),
        tax=_placed(len(name), (sales, tax), (bought, [ZERO] * len(buys))),
        cost=cost,
        cash=cash,
        taken=taken,
        taxed=gains.steps,
        long=long,
    )


def _placed(count: int, *parts: tuple[Ints, list[T]]) -> list[T]:
    """The parts' values where they belong; each of the places is in one of the parts."""
    found = dict[int, T]()
    for places, values in parts:
        found.update(zip(places.tolist(), values, strict=True))
    return [found[n] for n in range(count)]


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
    """What each amount is, in decimals, by the number of its trade or entry; `row` in the snapshot and `price` [trades], `trade`
    [entries]."""

    case: Case
    taken: Taken
    quantity: list[Decimal]
    trade: Ints
    row: list[int]
    price: list[Decimal]

    def value(self, trade: int) -> Decimal:
        return self.quantity[trade] * self.price[trade]

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
        n, shares = int(self.taken.lot[entry]), self.taken.shares[entry]
        proceeds, basis, held = shares * self.price[int(self.trade[entry])], self.case.lots.basis(n), self.case.lots.quantity(n)
        if basis is None:
            return cents_half_even(proceeds)
        return (proceeds - (basis if shares == held else basis * shares / held)).quantize(CENT, ROUND_HALF_EVEN)


def _gains(case: Case, exact: _Exact, row: Ints) -> Amounts:
    """[entries] What is taxed."""
    lots, lot, shares = case.lots, exact.taken.lot, exact.taken.shares
    held = lots.shares_float[lot]
    part, last = held.copy(), exact.taken.first[1:] - 1
    part[last] = [float_from_decimal(shares[entry]) for entry in last.tolist()]
    proceeds = CENTS * part * case.snapshot.price_usd[row[exact.trade]]
    basis = CENTS * lots.basis_usd[lot] * (part / held)
    return to_nearest(proceeds - basis, proceeds + np.abs(basis), CENT, exact.taxed)


def _taxes(case: Case, exact: _Exact, cents: Floats, long: Bools, sales: Ints) -> list[Decimal]:
    """[sales] The tax on each at its lots' own rates; nothing in an IRA or Roth."""
    if not case.taxable:
        return [cents_half_even(ZERO)] * len(sales)
    short_rate, long_rate = case.account.rates.short_frac, case.account.rates.long_frac
    short_cents, long_cents = (np.bincount(exact.trade[of], cents[of], len(exact.row))[sales] for of in (~long, long))

    def decimals(i: int) -> Decimal:
        return cents_half_even(short_rate * (CENT * int(short_cents[i])) + long_rate * (CENT * int(long_cents[i])))

    short, long_part = float_from_decimal(short_rate) * short_cents, float_from_decimal(long_rate) * long_cents
    return to_nearest(short + long_part, np.abs(short) + np.abs(long_part), CENT, decimals).values


def _money(case: Case, exact: _Exact, row: Ints, selling: Bools) -> tuple[list[Decimal], list[Decimal]]:
    """[trades] What each costs in spread, and what it brings in cash; a purchase is paid to the next cent."""
    quantity = np.array([float_from_decimal(each) for each in exact.quantity], dtype=np.float64)
    half_spread, value = case.snapshot.half_spread_frac[row], CENTS * quantity * case.snapshot.price_usd[row]
    cost = to_nearest(value * half_spread, value, CENT, exact.cost).values
    sales, buys = np.flatnonzero(selling), np.flatnonzero(~selling)
    received, paid = (value * (1 - half_spread))[sales], (value * (1 + half_spread))[buys]
    sold = to_nearest(received, value[sales], CENT, lambda i: exact.received(int(sales[i])))
    bought = away_from_zero(paid, paid, CENT, lambda i: exact.paid(int(buys[i])))
    return cost, _placed(len(cost), (sales, sold.values), (buys, [-dollars for dollars in bought.values]))


def _instructions(case: Case, taken: Taken, gains: Amounts) -> list[list[LotInstruction]]:
    """[sales] What to sell of which lots."""
    ids, terms = case.lots.lot_id, case.lots.terms(taken.lot)
    known = case.lots.has_basis[taken.lot].tolist()
    entries = [
        LotInstruction(ids[n], shares, term, gain if has_basis else None)
        for n, shares, term, gain, has_basis in zip(taken.lot.tolist(), taken.shares, terms, gains.values, known, strict=True)
    ]
    return [entries[begin:end] for begin, end in pairwise(taken.first.tolist())]


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
