"""A total portfolio: a strategy with bond sleeves beside it, mixed to a risk objective and held where taxes are least.

The mix is the largest share of the strategy whose volatility, by the risk model, is within the objective.  Sleeves are then placed by what
they cost a year in tax on a dollar: the dearest into the tax-deferred accounts, which is the least total tax, since every dollar of room
there saves the drag of what fills it.  Bonds that stay in the taxable account are municipal where that pays more after tax.

Invariants
1. Every account is filled exactly; over all accounts each sleeve has its share of the mix.
2. No other placement of the same sleeves has less tax drag.
3. A risk score from 1 to 100 moves the volatility from that of the bonds alone to that of the strategy alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even
from services.optimizer.core.dual.tax_law import TaxLaw
from services.optimizer.transition.catalogue import Catalogue, Strategy, Yields, weights_of
from services.optimizer.transition.client_form import AccountKind, Form
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import TransitionMarket, Weights

BOND_MIX = {"core-bonds": Decimal("0.7"), "short-government-bonds": Decimal("0.15"), "diversifying-income": Decimal("0.15")}
MUNICIPAL = "municipal-bonds"
STEPS = 2000  # the mix is found to a two-thousandth
SAID: dict[AccountKind, str] = {"taxable": "taxable account", "traditional_ira": "traditional IRA", "roth_ira": "Roth IRA"}
DEFERRED_ORDER: tuple[AccountKind, ...] = ("traditional_ira", "roth_ira")


@dataclass(frozen=True, slots=True)
class Placed:
    """So many dollars of a sleeve in an account."""

    account: AccountKind
    sleeve_id: str
    label: str
    amount_usd: Decimal


@dataclass(frozen=True, slots=True)
class Placement:
    """The mix, its volatility, where each sleeve goes, the taxable account's target, and the yearly tax on what the sleeves pay: so placed,
    and with the same mix in every account."""

    strategy_frac: Decimal
    volatility_frac: float
    placed: list[Placed]
    taxable: Weights
    drag_usd: Decimal
    drag_pro_rata_usd: Decimal
    words: list[str]


@dataclass(frozen=True, slots=True)
class Sleeve:
    """Something to place: its holdings, and the yearly tax on a dollar of it in a taxable account."""

    sleeve_id: str
    label: str
    weights: Weights
    drag: Decimal


def wanted(form: Form) -> bool:
    """Whether the form asks for a total portfolio."""
    return form.volatility_target is not None or form.risk_score is not None


def place(
    form: Form, strategy: Strategy, target: Weights, catalogue: Catalogue, market: TransitionMarket, law: TaxLaw, taxable_usd: Decimal
) -> Placement | FieldFault:
    """Mix the strategy with bonds to the form's objective, and place the sleeves over its accounts."""
    found = _sleeves(catalogue, market, law)
    if isinstance(found, FieldFault):
        return found
    equity = Sleeve(strategy.strategy_id, strategy.label, target, tax_drag(strategy.yields, law))
    rooms = [(kind, _room(form, kind)) for kind in DEFERRED_ORDER]

    def mixed(step: int) -> Placement:
        return _mixed(Decimal(step) / STEPS, equity, found[0], found[1], rooms, taxable_usd, market)

    least, most = mixed(0).volatility_frac, mixed(STEPS).volatility_frac
    if form.volatility_target is not None:
        objective = float(form.volatility_target)
        if objective < least:
            said = f"No mix has a volatility as low as {objective:.1%}: bonds alone have {least:.1%}"
            return FieldFault(0, "volatility_target", said, f"Give {least:.1%} to {most:.1%}")
    else:
        objective = least + ((form.risk_score or 1) - 1) / 99 * (most - least)
    low, high = 0, STEPS
    while low < high:  # the largest share within the objective
        middle = (low + high + 1) // 2
        low, high = (middle, high) if mixed(middle).volatility_frac <= objective + 1e-9 else (low, middle - 1)
    return mixed(low)


def tax_drag(yields: Yields, law: TaxLaw) -> Decimal:
    """The yearly tax on a dollar held in a taxable account."""
    return yields.ordinary_frac * law.short_frac + yields.qualified_frac * law.long_frac


def _after_tax(yields: Yields, law: TaxLaw) -> Decimal:
    return yields.ordinary_frac + yields.qualified_frac + yields.exempt_frac - tax_drag(yields, law)


def _sleeves(
    catalogue: Catalogue, market: TransitionMarket, law: TaxLaw
) -> tuple[list[tuple[Sleeve, Decimal]], Sleeve | None] | FieldFault:
    """The bond sleeves with their shares of the bonds, and the municipal one where it pays more after tax than the first of them."""
    found = []
    for sleeve_id, share in BOND_MIX.items():
        sleeve = _sleeve(sleeve_id, catalogue, market, law)
        if isinstance(sleeve, FieldFault):
            return sleeve
        found.append((sleeve, share))
    municipal, main = catalogue.find(MUNICIPAL), catalogue.find(next(iter(BOND_MIX)))
    if municipal is None or main is None or _after_tax(municipal.yields, law) <= _after_tax(main.yields, law):
        return found, None
    instead = _sleeve(MUNICIPAL, catalogue, market, law)
    return found, None if isinstance(instead, FieldFault) else instead


def _sleeve(sleeve_id: str, catalogue: Catalogue, market: TransitionMarket, law: TaxLaw) -> Sleeve | FieldFault:
    strategy = catalogue.find(sleeve_id)
    if strategy is None:
        return FieldFault(0, "risk_score", f"The catalogue has no sleeve {sleeve_id}", "Leave the risk objective out")
    weights = weights_of(strategy, catalogue, market)
    if isinstance(weights, FieldFault):
        return weights
    return Sleeve(sleeve_id, strategy.label, weights, tax_drag(strategy.yields, law))


def _room(form: Form, kind: AccountKind) -> Decimal:
    return sum((each.value_usd for each in form.accounts if each.kind == kind), ZERO)


def _mixed(
    share: Decimal,
    equity: Sleeve,
    bonds: list[tuple[Sleeve, Decimal]],
    municipal: Sleeve | None,
    rooms: list[tuple[AccountKind, Decimal]],
    taxable_usd: Decimal,
    market: TransitionMarket,
) -> Placement:
    """The placement with so much of the strategy."""
    total = taxable_usd + sum((room for _, room in rooms), ZERO)
    amounts = [(equity, share * total), *((sleeve, part * (1 - share) * total) for sleeve, part in bonds)]
    placed, taxable = located(amounts, rooms)
    if municipal is not None:
        bonds_left = sum((amount for sleeve, amount in taxable if sleeve is not equity and sleeve.drag > municipal.drag), ZERO)
        taxable = [(sleeve, amount) for sleeve, amount in taxable if sleeve is equity or sleeve.drag <= municipal.drag]
        taxable += [(municipal, bonds_left)] if bonds_left > 0 else []
    everything = [*((sleeve, amount) for _, sleeve, amount in placed), *taxable]
    drag = sum((sleeve.drag * amount for sleeve, amount in taxable), ZERO)
    pro_rata = sum((sleeve.drag * amount for sleeve, amount in amounts), ZERO) * taxable_usd / total
    lines = [*(Placed("taxable", s.sleeve_id, s.label, cents_half_even(amount)) for s, amount in taxable if amount > 0)]
    lines += [Placed(kind, s.sleeve_id, s.label, cents_half_even(amount)) for kind, s, amount in placed if amount > 0]
    volatility = volatility_of(_blend(everything), market)
    words = [
        f"Total portfolio: {share:.1%} {equity.label}, the rest in bonds; volatility {volatility:.1%} a year by the risk model.",
        f"Sleeves are held where they are taxed least: ${drag:,.0f} of tax a year on what they pay, against ${pro_rata:,.0f} with the "
        "same mix in every account.",
        *(f"In the {said}: {_listed(lines, kind)}." for kind, said in SAID.items() if any(each.account == kind for each in lines)),
    ]
    return Placement(share, volatility, lines, _blend(taxable), cents_half_even(drag), cents_half_even(pro_rata), words)


def _listed(lines: list[Placed], account: AccountKind) -> str:
    return ", ".join(f"${each.amount_usd:,.0f} {each.label}" for each in lines if each.account == account)


def located(
    amounts: list[tuple[Sleeve, Decimal]], rooms: list[tuple[AccountKind, Decimal]]
) -> tuple[list[tuple[AccountKind, Sleeve, Decimal]], list[tuple[Sleeve, Decimal]]]:
    """Fill the tax-deferred rooms with the dearest sleeves; the rest is left for the taxable account."""
    left = dict(rooms)
    placed, taxable = [], []
    for sleeve, amount in sorted(amounts, key=lambda each: (-each[0].drag, each[0].sleeve_id)):
        rest = amount
        for kind, room in left.items():
            taken = min(rest, room)
            if taken > 0:
                placed.append((kind, sleeve, taken))
                left[kind] -= taken
                rest -= taken
        if rest > 0:
            taxable.append((sleeve, rest))
    return placed, taxable


def _blend(parts: Iterable[tuple[Sleeve, Decimal]]) -> Weights:
    """One portfolio of several sleeves by their dollars."""
    found: Weights = {}
    parts = list(parts)
    total = sum((amount for _, amount in parts), ZERO)
    for sleeve, amount in parts:
        for security_id, weight in sleeve.weights.items():
            found[security_id] = found.get(security_id, ZERO) + weight * amount / total
    return {each: found[each] for each in sorted(found)}


def volatility_of(weights: Weights, market: TransitionMarket) -> float:
    """The yearly volatility of a portfolio by the risk model."""
    rows = np.array([market.position[each] for each in weights], dtype=np.intp)
    sizes = np.array([float(each) for each in weights.values()])
    factors = sizes @ market.exposures[rows]
    return float(np.sqrt(factors @ factors + sizes**2 @ market.specific_var[rows]))
