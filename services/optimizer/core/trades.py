"""Whole shares become trades with lots, in exact decimals: what each realises and costs at the pinned prices.

A lot of unknown basis is taxed as a short-term gain of its whole proceeds, the dearest it can be; its own `gain` stays unknown.
"""

from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal

from msgspec import Struct

from libs.common.money import CENT, ZERO, cents_half_even
from libs.common.schemas.proposal import LotInstruction, ProposedTrade, Side, TaxEstimate, TradeReason
from services.optimizer.core.dual.tax_law import Nets, plan_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.nearest_shares import ROUNDING
from services.optimizer.core.problem import Problem
from services.optimizer.core.rounding import Shares
from services.optimizer.core.tax_position import tax_position


class Draft(Struct, frozen=True, gc=False):
    """One name's trade without its reason: shares and lots to sell with the shares of each; `price` and amounts in dollars."""

    name: int
    security_id: str
    selling: bool
    quantity: Decimal
    price: Decimal
    lots: tuple[LotInstruction, ...]
    tax: Decimal
    cost: Decimal
    cash: Decimal

    def with_reason(self, reason: TradeReason, te_variance_bps2: Decimal, risk: Decimal) -> ProposedTrade:
        """The trade as it is proposed, with its share of the risk."""
        side: Side = "sell" if self.selling else "buy"
        lots = list(self.lots)
        return ProposedTrade(self.security_id, side, self.quantity, self.price, reason, lots, self.tax, self.cost, te_variance_bps2, risk)


def draft_trades(case: Case, problem: Problem, shares: Shares) -> list[Draft]:
    """The trades, ordered by security."""
    names, rows = sorted(shares.bought.keys() | shares.sold.keys()), problem.row.tolist()
    tranches, wholes = shares.curves.tranches(), shares.curves.wholes()
    drafts = []
    for name in names:
        sold = shares.sold.get(name)
        if sold is None:
            drafts.append(_purchase(case, shares, name, rows[name]))
            continue
        lots = [n for tranche in tranches[name] for n in problem.lots[tranche]]
        everything = abs(sold - wholes[name]) <= ROUNDING
        quantity = sum((case.lots.quantity(n) for n in lots), ZERO) if everything else Decimal(round(sold))
        drafts.append(_sale(case, name, rows[name], quantity, lots))
    return drafts


def _terms(case: Case, row: int) -> tuple[str, Decimal, Decimal]:
    """Security, price and half spread of a row of the snapshot."""
    price = case.snapshot.price[row]
    if price is None:
        raise AssertionError(f"{case.snapshot.security_id[row]} is traded without a price")
    return case.snapshot.security_id[row], price, case.snapshot.half_spread[row]


def _purchase(case: Case, shares: Shares, name: int, row: int) -> Draft:
    security_id, price, half_spread = _terms(case, row)
    quantity = Decimal(shares.bought[name])
    value = quantity * price
    paid = (value * (1 + half_spread)).quantize(CENT, rounding=ROUND_UP)
    return Draft(name, security_id, False, quantity, price, (), ZERO, cents_half_even(value * half_spread), -paid)


def _sale(case: Case, name: int, row: int, quantity: Decimal, lots: list[int]) -> Draft:
    security_id, price, half_spread = _terms(case, row)
    instructions, tax = _take(case, lots, quantity, price)
    value = quantity * price
    received, cost = cents_half_even(value * (1 - half_spread)), cents_half_even(value * half_spread)
    return Draft(name, security_id, True, quantity, price, instructions, cents_half_even(tax), cost, received)


def _take(case: Case, numbers: list[int], quantity: Decimal, price: Decimal) -> tuple[tuple[LotInstruction, ...], Decimal]:
    """Instructions for `quantity` shares in the lots' order, and the dollars of tax on their gains (a zero basis where unknown)."""
    taken, left, short, long = [], quantity, ZERO, ZERO
    lots, lot_ids, texts = case.lots, case.lots.lot_id, case.lots.columns.quantity
    for n in numbers:
        held, basis, term = Decimal(texts[n]), lots.basis(n), lots.term(n)
        shares = held if held < left else left
        proceeds = shares * price
        if basis is None:
            gain, taxed = None, cents_half_even(proceeds)
        else:
            gain = taxed = (proceeds - (basis if shares == held else basis * shares / held)).quantize(CENT, ROUND_HALF_EVEN)
        if term == "long":
            long += taxed
        else:
            short += taxed
        taken.append(LotInstruction(lot_ids[n], shares, term, gain))
        left -= shares
        if not left:
            break
    if left > 0:
        raise AssertionError(f"{left} shares more than the lots hold")
    rates = case.account.rates
    return tuple(taken), rates.short_frac * short + rates.long_frac * long if case.taxable else ZERO


def estimate_tax(case: Case, drafts: list[Draft]) -> TaxEstimate:
    """What the sales realise by term, and the tax of all trades; nothing in an IRA or Roth.

    Where the taxpayer's year is netted, the tax is what the trades add to the year's, to the cent, whatever each is taxed at alone.
    """
    sums = {(long, lossy): ZERO for long in (False, True) for lossy in (False, True)}
    if case.taxable:
        for draft in drafts:
            for lot in draft.lots:
                gain = cents_half_even(lot.quantity * draft.price) if lot.gain is None else lot.gain
                sums[lot.term == "long", gain < 0] += abs(gain)
    position = tax_position(case)
    gains = Nets(sums[False, False] - sums[False, True], sums[True, False] - sums[True, True])
    return TaxEstimate(
        short_gain=sums[False, False],
        short_loss=sums[False, True],
        long_gain=sums[True, False],
        long_loss=sums[True, True],
        tax=sum((draft.tax for draft in drafts), ZERO) if position is None else plan_tax(position, gains).added,
    )
