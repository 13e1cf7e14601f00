"""Lots given to charity in kind, chosen together with the trades of the year.

Only lots held long term at a gain are given: the gain is never taxed and the deduction is the market value, whichever of them it is, so the
deduction does not choose.  What does: how much the lot's name is to shrink anyway, and the tax that giving saves (at once where the lot
would be sold, later and perhaps never where it would be kept).  A few choices are each tried with the trades that are best beside them,
and the cheapest is answered; the lesson of transition-method.md, section 6: give of the names to shrink most, not the highest gains.

Invariants
1. Lots given are long term and at a gain, never more than their shares, of names that may leave; their market value is at most the amount
   wanted and within one share of it.
2. A gift has no proceeds, no gain and no tax; what is sold beside it keeps every rule of a year.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from msgspec import structs

from libs.common.money import ZERO, cents_from_float_half_even, cents_half_even, float_from_decimal, whole_shares_down
from services.optimizer.core.arrays import Bools, Floats, frozen
from services.optimizer.core.transition.approaches import Today
from services.optimizer.core.transition.book import Book
from services.optimizer.core.transition.case import ApproachKind, Lots, TransitionCase
from services.optimizer.core.transition.one_period import Goal, YearPlan, book_problem, solve_year
from services.optimizer.core.transition.outcome import Carried, carry_out
from services.optimizer.core.transition.result import Approach, Certificate, LotSale, NameTrade
from services.optimizer.core.transition.summary import approach_of, not_planned
from services.optimizer.core.transition.words import dollars
from services.optimizer.core.transition.years import risk_years

LABEL = "With a gift to charity in kind"
EVER_TAXED = 0.5  # the discounted chance that a gain which is kept would ever be taxed
PARTS = 40  # of the gift: how finely it is shared out while names shrink
BPS = 1e4
DEDUCTION = (
    "The deduction is the market value of what is given ({given}), for lots held more than a year and given to a public charity. It is "
    "limited to 30 % of adjusted gross income a year, the rest carried for five years (IRC 170(b)(1)(C)). The client's adjusted gross "
    "income is not known here: whether all of it can be used this year is not judged, and no saving from it is counted."
)


@dataclass(frozen=True, slots=True)
class Given:
    """Shares given by lot of the case, and the book without them."""

    shares: dict[int, Decimal]
    book: Book

    def value_usd(self, case: TransitionCase) -> Decimal:
        """Market value of what is given."""
        names = case.lots.name.tolist()
        return cents_half_even(sum((count * case.names.price_usd[names[lot]] for lot, count in self.shares.items()), ZERO))

    def gain_usd(self, case: TransitionCase) -> Decimal:
        """The gain that is never taxed."""
        lots = case.lots
        basis = sum((lots.basis_usd[lot] * count / lots.shares[lot] for lot, count in self.shares.items()), ZERO)
        return self.value_usd(case) - cents_half_even(basis)


@dataclass(frozen=True, slots=True)
class _Choice:
    given: Given
    solved: YearPlan
    carried: Carried
    cost: float


def gift(now: Today) -> Approach | None:
    """The gift with the year's trades; None where nothing is to be given."""
    case, wanted = now.case, now.case.wishes.gift_usd
    if wanted <= 0:
        return None
    able = eligible(now)
    most = sum((case.lots.shares[lot] * case.names.price_usd[int(case.lots.name[lot])] for lot in np.flatnonzero(able).tolist()), ZERO)
    if most < wanted:
        reason = f"Lots held long term at a gain that may leave are worth {dollars(most)}: a gift in kind can be at most that."
        return not_planned("gift", ApproachKind.GIFT, LABEL, "out_of_reach", reason)
    best = _best(now, able)
    if best is None:
        return not_planned("gift", ApproachKind.GIFT, LABEL, "out_of_reach", "No trades keep the rules beside the gift.")
    return _answer(now, best)


def eligible(now: Today) -> Bools:
    """[lots] Held long term at a gain, of a name that may leave."""
    problem = now.problem
    return problem.is_long & (problem.gain_frac > 0) & problem.may_sell


def _best(now: Today, able: Bools) -> _Choice | None:
    """The cheapest of three choices: lots of the names to shrink most; lots that would be sold, the most taxed first; the most appreciated
    lots of overweight names."""
    problem = now.problem
    choices = [_shrinking(now, able), _ranked(now, np.where(able, _sold_without(now), 0.0), able)]
    over = problem.held > problem.target
    choices.append(_ranked(now, np.where(able & over[problem.name], problem.size, 0.0), able))
    tried = [choice for choice in (_tried(now, given) for given in choices) if choice is not None]
    return min(tried, key=lambda choice: choice.cost, default=None)


def _sold_without(now: Today) -> Floats:
    """[lots] What the year would sell if nothing were given."""
    solved = solve_year(now.case, now.problem, _goal(now.case))
    return solved.trades.sold if solved.reached else np.zeros(len(now.problem.size))


def _goal(case: TransitionCase) -> Goal:
    """Risk counts for all years to the horizon."""
    return Goal(case.outlook.risk_aversion * risk_years(case.outlook, 1, None))


def _ranked(now: Today, room: Floats, able: Bools) -> Given:
    """The most appreciated first, of each lot as much as it has `room` for."""
    wanted = float_from_decimal(now.case.wishes.gift_usd / now.case.value_usd)
    order = np.argsort(-now.problem.gain_frac, kind="stable")
    before = np.cumsum(room[order]) - room[order]
    given = np.zeros(len(room))
    given[order] = np.clip(wanted - before, 0.0, room[order])
    return _whole(now.case, now.book, given, able)


def _shrinking(now: Today, able: Bools) -> Given:
    """Share the gift out, a part at a time: to the lot whose name's shrinking and whose untaxed gain are worth most."""
    problem, case = now.problem, now.case
    wanted = float_from_decimal(case.wishes.gift_usd / case.value_usd)
    rate = float_from_decimal(case.tax.law.long_frac) * problem.gain_frac * EVER_TAXED
    left, part = np.where(able, problem.size, 0.0), wanted / PARTS
    given, active = np.zeros(len(left)), problem.held - problem.target
    risk = 2 * _goal(case).risk_aversion
    open_amount = wanted
    while open_amount > 1e-12 and left.max(initial=0.0) > 0:
        slope = risk * (problem.exposures @ (problem.exposures.T @ active) + problem.specific_var * active)
        worth = np.where(left > 0, slope[problem.name] + rate, -np.inf)
        lot = int(np.argmax(worth))
        step = min(part, open_amount, float(left[lot]))
        given[lot] += step
        left[lot] -= step
        active[problem.name[lot]] -= step
        open_amount -= step
    return _whole(case, now.book, given, able)


def _whole(case: TransitionCase, book: Book, given: Floats, able: Bools) -> Given:
    """Whole shares (or lots in full) of the amount wanted, what rounding leaves going to the lots chosen, the largest first."""
    lots, left = case.lots, case.wishes.gift_usd
    shares: dict[int, Decimal] = {}
    order = np.argsort(-given, kind="stable")
    for lot in [each for each in order.tolist() if given[each] > 0]:
        price = case.names.price_usd[int(lots.name[lot])]
        wanted = Decimal(repr(float(given[lot]))) * case.value_usd / price
        count = min(lots.shares[lot], wanted.quantize(Decimal(1)), whole_shares_down(left / price))
        if count > 0:
            shares[lot] = count
            left -= count * price
    for lot in [*shares, *(each for each in order.tolist() if able[each] and each not in shares)]:
        price = case.names.price_usd[int(lots.name[lot])]
        more = min(whole_shares_down(lots.shares[lot] - shares.get(lot, ZERO)), whole_shares_down(left / price))
        if more > 0:
            shares[lot] = shares.get(lot, ZERO) + more
            left -= more * price
    return Given(shares, replace(book, lots=_without(lots, shares)))


def _without(lots: Lots, given: dict[int, Decimal]) -> Lots:
    """The lots less what is given, basis pro rata to the cent."""
    kept = [lot for lot in range(len(lots.shares)) if given.get(lot, ZERO) < lots.shares[lot]]
    left = {lot: lots.shares[lot] - given.get(lot, ZERO) for lot in kept}
    return Lots(
        tuple(lots.lot_id[lot] for lot in kept),
        frozen(lots.name[np.array(kept, dtype=np.intp)]),
        tuple(left[lot] for lot in kept),
        tuple(_basis(lots, lot, left[lot]) for lot in kept),
        tuple(lots.acquired[lot] for lot in kept),
    )


def _basis(lots: Lots, lot: int, shares: Decimal) -> Decimal:
    return lots.basis_usd[lot] if shares == lots.shares[lot] else cents_half_even(lots.basis_usd[lot] * shares / lots.shares[lot])


def _tried(now: Today, given: Given) -> _Choice | None:
    """The year's trades beside a gift, and what both cost: risk for the horizon, tax and cost, and the chance of tax on gains kept."""
    case = now.case
    problem = book_problem(case, given.book, 1)
    solved = solve_year(case, problem, _goal(case))
    if not solved.reached:
        return None
    carried = carry_out(case, given.book, 1, solved.trades.sold, solved.trades.bought, problem=problem)
    kept = EVER_TAXED * float_from_decimal(case.tax.law.long_frac) * float_from_decimal(given.gain_usd(case) / case.value_usd)
    return _Choice(given, solved, carried, solved.objective - kept)


def _answer(now: Today, best: _Choice) -> Approach:
    case, value, avoided = now.case, best.given.value_usd(now.case), best.given.gain_usd(now.case)
    gap = round(best.solved.gap * BPS, 6)
    method = f"trades beside the gift certified within {gap:.3f} bp; the lots given are found by search, and no better ones are excluded"
    notes = [
        f"Lots worth {dollars(value)} are given in kind: their gain of {dollars(avoided)} is never taxed "
        f"({dollars(_tax(case, avoided))} at the long-term rate).",
        *_beside_cash(now, best),
        DEDUCTION.format(given=dollars(value)),
    ]
    certificate = Certificate("none", round(best.cost * BPS, 6), method=method)
    approach = approach_of(case, now.base, "gift", ApproachKind.GIFT, LABEL, [best.carried], certificate, notes=notes)
    return structs.replace(approach, plan=_with_gifts(case, best), gifted_usd=value, gain_avoided_usd=avoided)


def _beside_cash(now: Today, best: _Choice) -> list[str]:
    """What giving the same amount in cash, lots being sold for it where needed, would cost more."""
    case, value = now.case, best.given.value_usd(now.case)
    cash = _tried(now, Given({}, replace(now.book, cash_usd=now.book.cash_usd - value)))
    if cash is None or cash.cost <= best.cost:
        return []
    more = cents_from_float_half_even((cash.cost - best.cost) * float_from_decimal(case.value_usd - value))
    return [f"Giving the same amount in cash would cost about {dollars(more)} more in tax, cost and risk to the horizon."]


def _tax(case: TransitionCase, gain: Decimal) -> Decimal:
    return cents_half_even(case.tax.law.long_frac * gain)


def _with_gifts(case: TransitionCase, best: _Choice) -> list[NameTrade]:
    """The year's trades with what is given among them."""
    trades = {trade.security_id: trade for trade in best.carried.trades}
    for lot, count in sorted(best.given.shares.items()):
        i = int(case.lots.name[lot])
        security = case.names.security_id[i]
        gone = LotSale(case.lots.lot_id[lot], case.lots.acquired[lot], count, ZERO, ZERO, long_term=True, given=True)
        old = trades.get(security) or NameTrade(1, security, case.names.label[i], ZERO, ZERO, ZERO)
        trades[security] = NameTrade(1, security, old.label, old.shares - count, old.amount_usd, old.gain_usd, [*old.lots, gone])
    return [trades[security] for security in sorted(trades)]
