"""What one transition analysis rests on: holdings by lot, the target, tax, wishes and restrictions, all validated before.

Units: dollars and shares are exact decimals; weights are fractions of the account's value (`value_usd`, cash included); exposures and
variances are annual, factors have unit variance.  Names are what is held or wanted, sorted by security; lots are sorted by name.

Invariants
1. Target weights sum to 1 with `target_cash_frac`; every name has a price above zero and a row in the risk model.
2. Lots have shares above zero and are not dated after `as_of`.
3. `without(restriction)` differs by that restriction alone.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from libs.common.money import ZERO
from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.tax_law import Nets, TaxLaw


class ApproachKind(StrEnum):
    """The ways to move; a closed list."""

    KEEP = "keep"  # no trade
    SELL_ALL = "sell_all"  # everything sold, the target bought
    IMMEDIATE = "immediate"  # all the way to the target now, at the least tax that allows it
    TIMELINE = "timeline"  # to the target within so many years
    TAX_BUDGET = "tax_budget"  # as near as the yearly tax budget allows
    GAIN_BUDGET = "gain_budget"  # as near as yearly budgets of short- and long-term gain allow
    TE_TARGET = "te_target"  # the least tax that reaches a tracking error
    WIND_DOWN = "wind_down"  # concentrated positions sold in stages, the rest completes the portfolio around them
    GIFT = "gift"  # lots given to charity beside the trades


class RestrictionKind(StrEnum):
    """What a person or a category rules out; a closed list."""

    NEVER_OWN = "never_own"  # neither bought nor kept
    NEVER_BUY = "never_buy"  # owned elsewhere, for example: not bought, may be kept
    NEVER_SELL = "never_sell"
    LOCKED = "locked"  # neither bought nor sold


@dataclass(frozen=True, slots=True)
class Restriction:
    """One rule of the client over `names` (positions in the case); `words` as the client knows it ("No tobacco", "Keep ACORN").

    `category`: of the security master, where the rule is over all that it names, now or later.
    """

    restriction_id: str
    kind: RestrictionKind
    words: str
    names: tuple[int, ...]
    category: str | None = None


@dataclass(frozen=True, slots=True)
class WindDown:
    """A concentrated position to be reduced: to at most `ceiling_frac` of the account within `years`, at most `yearly_frac` of the account
    sold in a year (None: no cap)."""

    name: int
    ceiling_frac: float
    years: int
    yearly_frac: float | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """By name: id, what people call it, sector, identity group (positions that are substantially identical share a number), price, target
    weight, exposures [names, factors], specific variance, cost of a dollar traded (half spread and commission)."""

    security_id: tuple[str, ...]
    label: tuple[str, ...]
    sector: tuple[str, ...]
    group: Ints
    price_usd: tuple[Decimal, ...]
    target: Floats
    exposures: Floats
    specific_var: Floats
    cost_frac: Floats


@dataclass(frozen=True, slots=True)
class Lots:
    """By lot: its id (the client's, or its line), its name's position, shares, total basis in dollars, day acquired."""

    lot_id: tuple[str, ...]
    name: Ints
    shares: tuple[Decimal, ...]
    basis_usd: tuple[Decimal, ...]
    acquired: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class TaxBase:
    """Rates, the year so far (carried losses taken off) and yearly budgets in dollars; None is no limit.

    `year`: net short and long gain that this year's plan adds to.  `bought_elsewhere`: the last purchase of each name, by position, in
    accounts outside, which makes a loss sale within 30 days a wash.
    """

    law: TaxLaw
    year: Nets
    tax_budget_usd: Decimal | None = None
    short_budget_usd: Decimal | None = None
    long_budget_usd: Decimal | None = None
    bought_elsewhere: tuple[tuple[int, date], ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What plans over years assume: yearly growth of every price, discount rate, and the years that remaining risk is counted for.

    `risk_aversion` is DESIGN's lam: one per cent of tracking error held for a year costs lam basis points.
    """

    risk_aversion: float = 20.0
    growth_frac: float = 0.06
    discount_frac: float = 0.04
    horizon_years: int = 10


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the client asked to see beside what every analysis shows (keep, sell all, immediate, three and five years, frontier)."""

    timelines: tuple[int, ...] = (3, 5)
    te_target_frac: float | None = None
    wind_downs: tuple[WindDown, ...] = ()
    gift_usd: Decimal = ZERO
    budget_years: int = 5


@dataclass(frozen=True, slots=True)
class TransitionCase:
    """Everything of one analysis; `value_usd` counts cash; `not_offered`: approaches that the strategy refuses, with the reason."""

    as_of: date
    strategy_id: str
    strategy_label: str
    names: Names
    lots: Lots
    cash_usd: Decimal
    value_usd: Decimal
    target_cash_frac: float
    tax: TaxBase
    outlook: Outlook = Outlook()
    wishes: Wishes = Wishes()
    restrictions: tuple[Restriction, ...] = ()
    not_offered: tuple[tuple[ApproachKind, str], ...] = ()
    min_trade_usd: Decimal = ZERO
    simulated: bool = False

    def without(self, restriction_id: str) -> "TransitionCase":
        """The same case with one restriction switched off."""
        return replace(self, restrictions=tuple(each for each in self.restrictions if each.restriction_id != restriction_id))
