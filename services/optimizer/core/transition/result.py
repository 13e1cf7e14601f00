"""The answer of a transition analysis: what the JSON holds, the page shows and the PDF prints.

Money is dollars to the cent, as decimals; `_frac` is a fraction of the account's value (or a yearly standard deviation, for tracking
errors); `_bps` a hundredth of a per cent of the account's value.  Gains are positive, losses are positive under their own name.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

Status = Literal["planned", "out_of_reach", "not_offered"]
Proof = Literal["certified", "numerical", "exact", "none"]  # exact: nothing to optimise; numerical: a bound from floating-point duals


class Certificate(Struct, frozen=True):
    """How far a plan is from the best possible, as a fraction of account value x 1e4; `proof` says what the bound rests on."""

    proof: Proof
    objective_bps: float | None = None
    lower_bound_bps: float | None = None
    gap_bps: float | None = None
    method: str = ""


class Realised(Struct, frozen=True):
    """Gains and losses realised, by term, and the tax on them as the year is netted (negative: saves)."""

    short_gain_usd: Decimal
    short_loss_usd: Decimal
    long_gain_usd: Decimal
    long_loss_usd: Decimal
    tax_usd: Decimal


class YearOutcome(Struct, frozen=True):
    """One year of a plan, its trades made at `on`; states are after them, in that year's prices.

    `carried_*`: losses carried out of the year.  `concentrated_frac`: weight left in the positions to be wound down, or in the largest.
    """

    number: int
    on: date
    realised: Realised
    te_frac: float
    turnover_frac: float
    trades: int
    cost_usd: Decimal
    carried_short_usd: Decimal
    carried_long_usd: Decimal
    unrealised_usd: Decimal
    value_usd: Decimal
    concentrated_frac: float


class LotSale(Struct, frozen=True):
    """What leaves of a lot: sold, or given (`given`: no proceeds, no gain)."""

    lot_id: str
    acquired: date
    shares: Decimal
    proceeds_usd: Decimal
    gain_usd: Decimal
    long_term: bool
    given: bool = False


class NameTrade(Struct, frozen=True):
    """What a plan does in one name in one year; shares are signed (sold and given negative)."""

    year: int
    security_id: str
    label: str
    shares: Decimal
    amount_usd: Decimal
    gain_usd: Decimal
    lots: list[LotSale] = []


class ShadowPrice(Struct, frozen=True):
    """A binding rule and what a little more of it would be worth, in words that a client understands."""

    rule: str
    words: str
    unit_usd: Decimal | None
    te_change_frac: float | None
    tax_change_usd: Decimal | None


class Approach(Struct, frozen=True):
    """One way to move over, from today to its end.

    `tax_usd` is of all years, `tax_now_usd` of the first; `tax_frac` the first over the account's value; `saved_usd` against selling all.
    `years_to_half_percent`: years until ex-ante tracking error is at most 0.5 % (0: at once; None: not within the plan).
    `break_even_years`: how long the lower risk has to be worth what the plan costs beyond keeping all (None: never, or no cost).
    `tax_after_carry_usd`: the tax of all years less what the losses carried out of the last are worth.
    `reason`: why it is out of reach or not offered, with the smallest change that would make it possible.
    """

    approach_id: str
    kind: str
    label: str
    status: Status
    reason: str | None = None
    te_before_frac: float | None = None
    te_after_frac: float | None = None
    realised: Realised | None = None
    tax_now_usd: Decimal | None = None
    tax_usd: Decimal | None = None
    tax_frac: float | None = None
    saved_usd: Decimal | None = None
    unrealised_usd: Decimal | None = None
    turnover_frac: float | None = None
    trades: int | None = None
    cost_usd: Decimal | None = None
    concentrated_frac: float | None = None
    names_restricted: int | None = None
    years_to_half_percent: int | None = None
    break_even_years: float | None = None
    years: list[YearOutcome] = []
    certificate: Certificate = Certificate("none")
    shadow_prices: list[ShadowPrice] = []
    plan: list[NameTrade] = []
    gifted_usd: Decimal | None = None
    gain_avoided_usd: Decimal | None = None
    tax_after_carry_usd: Decimal | None = None
    notes: list[str] = []


class FrontierPoint(Struct, frozen=True):
    """The least tracking error for a tax bill now; ordered by tax.  `gap_te_frac`: how much lower the tracking error could be at most.

    `tax_after_carry_usd`: the tax less what losses that the plan carries into later years are worth, which is what the frontier trades
    against tracking error: where losses abound the tax alone is the same all along it.  `risk_aversion`: lam at which it is the best plan.
    """

    tax_usd: Decimal
    te_frac: float
    gap_bps: float
    gap_te_frac: float
    short_gain_usd: Decimal
    long_gain_usd: Decimal
    turnover_frac: float
    tax_after_carry_usd: Decimal = Decimal(0)
    risk_aversion: float = 0.0


class RestrictionCost(Struct, frozen=True):
    """What one restriction costs: the same approach with and without it."""

    restriction_id: str
    words: str
    te_with_frac: float
    te_without_frac: float
    tax_with_usd: Decimal
    tax_without_usd: Decimal


class Holding(Struct, frozen=True):
    """Lots folded by name, for people."""

    security_id: str
    label: str
    lots: int
    shares: Decimal
    value_usd: Decimal
    basis_usd: Decimal
    gain_usd: Decimal
    weight_frac: float
    target_frac: float


class Account(Struct, frozen=True):
    """Where the client stands today."""

    value_usd: Decimal
    cash_usd: Decimal
    lots: int
    names: int
    short_gain_usd: Decimal
    short_loss_usd: Decimal
    long_gain_usd: Decimal
    long_loss_usd: Decimal
    te_frac: float
    concentrated_frac: float
    holdings: list[Holding]


class Assumptions(Struct, frozen=True):
    """What every number rests on."""

    prices_as_of: date
    simulated: bool
    short_rate_frac: Decimal
    long_rate_frac: Decimal
    ordinary_rate_frac: Decimal
    growth_frac: float
    discount_frac: float
    horizon_years: int
    risk_aversion: float
    risk_model: str
    words: list[str]


class NotJudged(Struct, frozen=True):
    """What could not be judged, and why."""

    what: str
    why: str


class Analysis(Struct, frozen=True):
    """The whole answer.  `knee` is the position of the frontier's bend; `joint` tells whether the joint plans' proofs are there."""

    strategy_id: str
    strategy_label: str
    account: Account
    approaches: list[Approach]
    frontier: list[FrontierPoint]
    knee: int | None
    restrictions: list[RestrictionCost]
    assumptions: Assumptions
    not_judged: list[NotJudged]
    joint: Literal["pending", "done", "not_wanted"] = "not_wanted"
