"""What a year's plan comes to in exact money: its trades in whole shares, the year as it is netted, and the book that it leaves.

Invariants
1. The book after a year is the book before it, less what was sold, with what was bought as lots of that day, and cash to the cent.
2. The tax is the netting function's on the gains of the trades; nothing is taken over from the solver but the weights to trade.
3. Budgets that held before the trades hold after them (whole.py).
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even, float_from_decimal
from services.optimizer.core.arrays import Floats, frozen
from services.optimizer.core.branch import Plan
from services.optimizer.core.dual.tax_law import Budgets, Nets, PlanTax, plan_tax
from services.optimizer.core.evaluate import active_weights
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.book import Book
from services.optimizer.core.transition.case import Lots, TransitionCase
from services.optimizer.core.transition.one_period import NO_BUDGETS, Goal, book_problem, te_after, within
from services.optimizer.core.transition.result import LotSale, NameTrade, Realised, YearOutcome
from services.optimizer.core.transition.whole import WholeTrades, whole_trades

FRAC_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Carried:
    """A year carried out: the book after its trades, its tax with and without them, its outcome and trades, the plan in weights again."""

    book: Book
    tax: PlanTax
    outcome: YearOutcome
    trades: list[NameTrade]
    weights: Plan


def carry_out(
    case: TransitionCase,
    book: Book,
    number: int,
    sold: Floats,
    bought: Floats,
    budgets: Budgets = NO_BUDGETS,
    problem: Problem | None = None,
) -> Carried:
    """Carry out year `number`'s plan: `sold` by lot of the book and `bought` by name, in weights of the book's value.

    `problem`: that of the book, if it was made already.
    """
    asked = within(case, problem or book_problem(case, book, number), Goal(case.outlook.risk_aversion, budgets=budgets))
    whole = whole_trades(asked, book.lots, book.price_usd, Plan(sold, bought), case.min_trade_usd)
    return booked(case, book, asked, number, whole)


def booked(case: TransitionCase, book: Book, problem: Problem, number: int, whole: WholeTrades) -> Carried:
    """Trades in whole shares, booked."""
    if problem.position is None:
        raise AssertionError("a transition's year is netted")
    tax = plan_tax(problem.position, whole.gains)
    paid = {i: cents_half_even(shares * book.price_usd[i]) for i, shares in whole.bought.items()}
    cost = _cost(case, book, whole, paid)
    after = _after(case, book, number, whole, paid, cost)
    traded = sum((each.proceeds_usd for each in whole.sales), ZERO) + sum(paid.values(), ZERO)
    trades = _name_trades(case, book, number, whole, paid)
    plan, value = _plan(problem, whole), after.value_usd
    held = active_weights(problem, plan) + problem.target
    outcome = YearOutcome(
        number=number,
        on=book.on,
        realised=realised(whole, tax.added),
        te_frac=round(te_after(problem, plan), FRAC_DIGITS),
        turnover_frac=round(float_from_decimal(traded / 2 / problem.position.value), FRAC_DIGITS),
        trades=len(trades),
        cost_usd=cost,
        carried_short_usd=cents_half_even(tax.with_plan.carried_short),
        carried_long_usd=cents_half_even(tax.with_plan.carried_long),
        unrealised_usd=value - after.cash_usd - sum(after.lots.basis_usd, ZERO),
        value_usd=value,
        concentrated_frac=concentrated(case, held),
    )
    return Carried(after, tax, outcome, trades, plan)


def realised(whole: WholeTrades, tax: Decimal) -> Realised:
    """Gains and losses by term."""
    sums = [ZERO] * 4
    for each in whole.sales:
        sums[2 * each.long_term + (each.gain_usd < 0)] += each.gain_usd
    return Realised(sums[0], -sums[1], sums[2], -sums[3], tax)


def concentrated(case: TransitionCase, held: Floats) -> float:
    """Weight in the positions to be wound down, or in the largest."""
    names = [each.name for each in case.wishes.wind_downs]
    return round(float(held[names].sum() if names else held.max(initial=0.0)), FRAC_DIGITS)


def worth_carried(case: TransitionCase, tax: PlanTax) -> Decimal:
    """What the losses that the plan adds to those carried out of the year are worth, by the law."""
    law, with_plan, without = case.tax.law, tax.with_plan, tax.without
    short, long = with_plan.carried_short - without.carried_short, with_plan.carried_long - without.carried_long
    return cents_half_even(law.carried_short_frac * short + law.carried_long_frac * long)


def _cost(case: TransitionCase, book: Book, whole: WholeTrades, paid: dict[int, Decimal]) -> Decimal:
    dollars = dict(paid)
    for each in whole.sales:
        i = int(book.lots.name[each.lot])
        dollars[i] = dollars.get(i, ZERO) + each.proceeds_usd
    return sum((cents_half_even(amount * Decimal(repr(float(case.names.cost_frac[i])))) for i, amount in sorted(dollars.items())), ZERO)


def _after(case: TransitionCase, book: Book, number: int, whole: WholeTrades, paid: dict[int, Decimal], cost: Decimal) -> Book:
    """The book with the trades in it; lots bought are named by year and security."""
    lots = book.lots
    shares, basis = list(lots.shares), list(lots.basis_usd)
    for each in whole.sales:
        shares[each.lot] -= each.shares
        basis[each.lot] -= each.proceeds_usd - each.gain_usd
    names = np.append(lots.name, np.array(list(paid), dtype=np.intp))
    stays = np.ones(len(names), dtype=np.bool_)
    stays[[each.lot for each in whole.sales if not shares[each.lot]]] = False
    order = np.argsort(names, kind="stable")
    order = order[stays[order]]
    rows = order.tolist()
    lot_ids = [*lots.lot_id, *(f"y{number}:{case.names.security_id[i]}" for i in paid)]
    shares += [Decimal(whole.bought[i]) for i in paid]
    basis += paid.values()
    acquired = [*lots.acquired, *[book.on] * len(paid)]
    left = Lots(
        tuple([lot_ids[n] for n in rows]),
        frozen(names[order]),
        tuple([shares[n] for n in rows]),
        tuple([basis[n] for n in rows]),
        tuple([acquired[n] for n in rows]),
    )
    cash = book.cash_usd + sum((each.proceeds_usd for each in whole.sales), ZERO) - sum(paid.values(), ZERO) - cost
    return replace(book, cash_usd=cash, lots=left, year=book.year + whole.gains)


def _name_trades(case: TransitionCase, book: Book, number: int, whole: WholeTrades, paid: dict[int, Decimal]) -> list[NameTrade]:
    """By name in order; sales with their lots."""
    sales: dict[int, list[LotSale]] = {}
    for each in whole.sales:
        lot = LotSale(
            book.lots.lot_id[each.lot], book.lots.acquired[each.lot], each.shares, each.proceeds_usd, each.gain_usd, each.long_term
        )
        sales.setdefault(int(book.lots.name[each.lot]), []).append(lot)
    found = []
    for i in sorted({*sales, *paid}):
        lots = sales.get(i, [])
        found.append(
            NameTrade(
                year=number,
                security_id=case.names.security_id[i],
                label=case.names.label[i],
                shares=Decimal(whole.bought.get(i, 0)) - sum((lot.shares for lot in lots), ZERO),
                amount_usd=paid.get(i, ZERO) - sum((lot.proceeds_usd for lot in lots), ZERO),
                gain_usd=sum((lot.gain_usd for lot in lots), ZERO),
                lots=lots,
            )
        )
    return found


def _plan(problem: Problem, whole: WholeTrades) -> Plan:
    """The trades in weights again."""
    plan = Plan(np.zeros(len(problem.size)), np.zeros(len(problem.held)))
    for each in whole.sales:
        plan.sold[each.lot] = float_from_decimal(each.shares) * problem.price_usd[problem.name[each.lot]] / problem.invested_usd
    for i, shares in whole.bought.items():
        plan.bought[i] = shares * problem.price_usd[i] / problem.invested_usd
    return plan


def nets_after(carried: Carried) -> Nets:
    """Net short and long gain of the year, the plan's included."""
    return carried.book.year
