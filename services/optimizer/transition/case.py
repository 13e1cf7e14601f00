"""A client's form, a market and a strategy as the case that the engine analyses, without the client's name.

What can be judged is in the case; the rest is listed, with the fault of the field where one is to blame.

Invariants
1. The client's name is in no part of the case.
2. Every name of the case has a price above zero and a row in the risk model; target weights and cash sum to 1.
3. What is marked or not in the case is listed as not judged, each once.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from libs.common.money import cents_half_even, float_from_decimal
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.transition.case import Lots, Names, Outlook, TaxBase, TransitionCase, Wishes
from services.optimizer.core.transition.result import NotJudged
from services.optimizer.transition.case_lots import JudgedLots, judged_lots, unjudged
from services.optimizer.transition.case_restrictions import Ruled, ruled
from services.optimizer.transition.catalogue import Catalogue, Strategy, netting_words, weights_of
from services.optimizer.transition.client_form import Form, YearSoFar
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.federal_rates import ClientRates, client_rates
from services.optimizer.transition.lots_csv import FormLot
from services.optimizer.transition.market_directory import TransitionMarket, Weights
from services.optimizer.transition.total_portfolio import Placement, place, wanted

OUTLOOK = Outlook()
MOST_OF_A_TRADE = Decimal("0.01")  # of the account: with a larger smallest trade few names of a target could be held at all


@dataclass(frozen=True, slots=True)
class Judged:
    """The case; what could not be judged; the marked fields; what is assumed, in words; where the sleeves of a total portfolio go."""

    case: TransitionCase
    not_judged: list[NotJudged]
    faults: list[FieldFault]
    words: list[str]
    placement: Placement | None


def case_of(form: Form, market: TransitionMarket, catalogue: Catalogue, strategy_id: str | None = None) -> Judged | list[FieldFault]:
    """The case of moving this client to a strategy (the form's where none is named), or everything that stands in the way."""
    as_of = form.as_of or market.as_of
    strategy = catalogue.find(strategy_id or form.strategy)
    rates = client_rates(form, as_of.year)
    lots = judged_lots(form.lots, market, as_of)
    value = _value(lots.lots, form.cash, market)
    faults = [*lots.faults, *_in_the_way(strategy, strategy_id or form.strategy, rates, value, catalogue)]
    if strategy is None or isinstance(rates, FieldFault) or value <= 0:
        return faults
    target = weights_of(strategy, catalogue, market)
    placement = None
    if isinstance(target, dict) and wanted(form):
        placed = place(form, strategy, target, catalogue, market, rates.law, value)
        placement, target = (placed, placed.taxable) if isinstance(placed, Placement) else (None, placed)
    if isinstance(target, FieldFault):
        return [*faults, target]
    return _judged(form, market, strategy, rates, lots, value, target, placement, as_of)


def _in_the_way(
    strategy: Strategy | None, strategy_id: str, rates: ClientRates | FieldFault, value: Decimal, catalogue: Catalogue
) -> list[FieldFault]:
    """What makes an analysis impossible."""
    found = [rates] if isinstance(rates, FieldFault) else []
    if strategy is None:
        known = ", ".join(each.strategy_id for each in catalogue.for_clients())
        found.append(FieldFault(0, "strategy", f"There is no strategy {strategy_id!r}", f"Choose among {known}"))
    if value <= 0:
        found.append(FieldFault(0, "lots", "There is nothing to judge: no lot can be judged and there is no cash", "Give lots, or cash"))
    return found


def _judged(
    form: Form,
    market: TransitionMarket,
    strategy: Strategy,
    rates: ClientRates,
    lots: JudgedLots,
    value: Decimal,
    target: Weights,
    placement: Placement | None,
    as_of: date,
) -> Judged:
    out = [NotJudged(each.what, each.why) for each in form.left_out] + lots.not_judged + rates.not_judged
    usable = {each: weight for each, weight in target.items() if unjudged(each, market) is None}
    out += [NotJudged(f"{each} in the target", unjudged(each, market) or "") for each in target if each not in usable]
    ids = sorted({lot.ticker for lot in lots.lots} | set(usable))
    at = {each: i for i, each in enumerate(ids)}
    rules = ruled(form, market, at, frozenset(at[lot.ticker] for lot in lots.lots), as_of)
    too_large = form.min_trade > MOST_OF_A_TRADE * value
    words = [
        *rates.words,
        *netting_words(strategy, market),
        f"Prices are of {market.as_of}" + (", simulated." if market.simulated else "."),
    ]
    for asset in form.outside:
        out.append(NotJudged(f"Kept outside: {asset.what}", "What is outside the account is not part of the analysis"))
    case = TransitionCase(
        as_of=as_of,
        strategy_id=strategy.strategy_id,
        strategy_label=strategy.label,
        names=_names(ids, market, usable, strategy),
        lots=_lots(lots.lots, at),
        cash_usd=cents_half_even(form.cash),
        value_usd=value,
        target_cash_frac=float_from_decimal(strategy.cash_frac),
        tax=_tax(form, rates, rules),
        outlook=_outlook(form),
        wishes=_wishes(form, rules),
        restrictions=tuple(rules.restrictions),
        not_offered=tuple((each.approach, each.reason) for each in strategy.not_offered),
        min_trade_usd=Decimal(0) if too_large else form.min_trade,
        simulated=market.simulated,
    )
    of_amounts = [*([_of_min_trade(form, value)] if too_large else []), *_of_gift(form, value - cents_half_even(form.cash))]
    out += [*rules.not_judged, *(NotJudged(each.what(), each.message) for each in of_amounts)]
    faults = [*lots.faults, *rules.faults, *of_amounts]
    return Judged(case, out, faults, words + (placement.words if placement else []), placement)


def _of_min_trade(form: Form, value: Decimal) -> FieldFault:
    most = MOST_OF_A_TRADE * value
    return FieldFault(
        0, "min_trade", f"{form.min_trade:,.0f} dollars are more than a hundredth of the account", f"Give at most {most:,.0f}"
    )


def _of_gift(form: Form, worth: Decimal) -> list[FieldFault]:
    """A gift above all lots can't be made; how much of the lots may be given the engine says."""
    said = f"{form.charity:,.0f} dollars to give in lots are more than all lots that are judged, {worth:,.0f}"
    return [FieldFault(0, "charity", said, f"Give at most {worth:,.0f}")] if form.charity > worth else []


def _value(lots: list[FormLot], cash: Decimal, market: TransitionMarket) -> Decimal:
    prices = (market.securities[market.position[lot.ticker]].price_usd or Decimal(0) for lot in lots)
    worth = sum((lot.shares * price for lot, price in zip(lots, prices, strict=True)), Decimal(0))
    return cents_half_even(worth + cash)


def _names(ids: list[str], market: TransitionMarket, target: Weights, strategy: Strategy) -> Names:
    rows = [market.position[each] for each in ids]
    securities = [market.securities[row] for row in rows]
    groups = {group: n for n, group in enumerate(sorted({each.group for each in securities}))}
    weights = np.array([float_from_decimal(target.get(each, Decimal(0))) for each in ids])
    return Names(
        security_id=tuple(ids),
        label=tuple(each.name for each in securities),
        sector=tuple(each.sector for each in securities),
        group=np.array([groups[each.group] for each in securities], dtype=np.intp),
        price_usd=tuple(each.price_usd or Decimal(0) for each in securities),
        target=weights / weights.sum() * (1 - float_from_decimal(strategy.cash_frac)),
        exposures=market.exposures[rows],
        specific_var=market.specific_var[rows],
        cost_frac=np.array([each.half_spread_frac for each in securities]),
    )


def _lots(lots: list[FormLot], at: dict[str, int]) -> Lots:
    ids: dict[str, int] = {}
    for lot in lots:
        ids[lot.lot_id] = ids.get(lot.lot_id, 0) + 1
    return Lots(
        lot_id=tuple(lot.lot_id if ids[lot.lot_id] == 1 else f"{lot.lot_id} #{n}" for n, lot in enumerate(lots, 1)),
        name=np.array([at[lot.ticker] for lot in lots], dtype=np.intp),
        shares=tuple(lot.shares for lot in lots),
        basis_usd=tuple(cents_half_even(lot.shares * lot.cost_per_share) for lot in lots),
        acquired=tuple(lot.acquired for lot in lots),
    )


def _tax(form: Form, rates: ClientRates, rules: Ruled) -> TaxBase:
    return TaxBase(
        law=rates.law,
        year=year_nets(form.year),
        tax_budget_usd=form.tax_budget,
        short_budget_usd=form.short_gain_budget,
        long_budget_usd=form.long_gain_budget,
        bought_elsewhere=tuple(sorted(rules.bought_elsewhere)),
    )


def year_nets(year: YearSoFar) -> Nets:
    """The year's nets, carried losses taken off."""
    short = year.short_gain - year.short_loss - year.carried_short_loss
    return Nets(short, year.long_gain - year.long_loss - year.carried_long_loss)


def _outlook(form: Form) -> Outlook:
    return Outlook(
        risk_aversion=OUTLOOK.risk_aversion if form.risk_aversion is None else float(form.risk_aversion),
        growth_frac=OUTLOOK.growth_frac if form.growth is None else float(form.growth),
        discount_frac=OUTLOOK.discount_frac if form.discount is None else float(form.discount),
        horizon_years=form.horizon_years or OUTLOOK.horizon_years,
    )


def _wishes(form: Form, rules: Ruled) -> Wishes:
    target = None if form.te_target is None else float(form.te_target)
    return Wishes(form.timelines, target, tuple(rules.wind_downs), form.charity)
