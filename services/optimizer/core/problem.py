"""The quadratic programme of one account, as arrays.

    minimise   lam v'(BB' + D)v + sum_l sold_l (rate_l gain_l + cost) + sum_i bought_i cost_i + sum_i impact_i traded_i^2
               v = held - sold + bought - target
    subject to 0 <= sold_l <= held_l, bought_i >= 0, cash in its band, tax and gains within budgets, weights within their bounds

Symbols: v [names] active weights; B [names, factors] exposures and D [names] specific variance, annual; lam the account's
`risk_aversion`, so that one per cent of tracking error costs lam basis points (the half form of the literature uses 2 lam).
Weights, cash, budgets and costs are fractions of `invested_usd`, the account's value less withdrawals due.

Lots of one name that are alike in every coefficient are one tranche, sold in the order of the account's lots.
A tranche of unknown basis is taxed as if its basis were zero; it is sold only if it must be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.standing import Standing
from services.optimizer.core.dual.tax_law import TaxPosition
from services.optimizer.core.plan_rules import NO_RULES, PlanRules

NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True)
class Problem:
    """Arrays of one account; names are sorted by security, tranches by name.  All read-only.

    names:    `row` position in the snapshot; `price_usd`; `held`, `target` weights; `cost_frac` half spread; `group` identity group's
              number; `weight_min`, `weight_max` bounds; `impact` cost of trading a unit squared, None where that does not count
    tranches: `name` its name's number; `size` weight; `gain_frac` gain on a dollar sold; `rate_frac`; `policy_frac` what the
              harvest policy adds to the objective's price of a dollar sold (not to the tax); `is_short`, `is_long` its budget;
              `loss` a sale could be a loss; `must_sell`; `way_out` the lot whose whole sale the name's loss sales need; `lots` its
              lots' numbers in the case
    account:  cash before and its band, spendable and total alike; `*_room` what budgets leave; `rules` the owner's limits of every plan;
              `position`, `standing` where the taxpayer's year stands, in dollars and as fractions, if gains and losses count as it is
              netted: the objective then counts what the plan adds to the year instead of `rate_frac`, and budgets are kept by the
              netted year, not by `*_room`; `start` multipliers of the account's last decision by name (warm.py), and `factors` their names
    """

    row: Ints
    price_usd: Floats
    held: Floats
    target: Floats
    exposures: Floats
    specific_var: Floats
    cost_frac: Floats
    group: Ints
    may_buy: Bools
    weight_min: Floats
    weight_max: Floats

    name: Ints
    size: Floats
    gain_frac: Floats
    rate_frac: Floats
    policy_frac: Floats
    is_short: Bools
    is_long: Bools
    may_sell: Bools
    loss: Bools
    must_sell: Bools
    way_out: Bools
    lots: tuple[tuple[int, ...], ...]

    risk_aversion: float
    invested_usd: float
    cash: float
    cash_min: float
    cash_max: float
    tax_room: float
    short_room: float
    long_room: float
    rules: PlanRules = NO_RULES
    position: TaxPosition | None = None
    standing: Standing | None = None
    impact: Floats | None = None
    factors: tuple[str, ...] = ()
    start: Mapping[str, float] = field(default_factory=dict)

    @property
    def tax_frac(self) -> Floats:
        """Tax on a dollar sold, by tranche; negative for a loss."""
        tax: Floats = self.rate_frac * self.gain_frac
        return tax

    @property
    def sale_frac(self) -> Floats:
        """What the objective counts on a dollar sold beside its cost, by tranche: tax, and the harvest policy's price."""
        counted: Floats = self.tax_frac + self.policy_frac
        return counted
