"""pma.proposals.v1: what to trade in one account and why, or why not, decided by optimizer."""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

Side = Literal["buy", "sell"]
Term = Literal["short", "long", "none"]
TradeReason = Literal["harvest", "drift", "restriction", "cash", "gain_deferral", "constraint", "refresh"]
DeclineOutcome = Literal["no_trade", "refused", "infeasible"]


class Pins(Struct, frozen=True):
    """The inputs a proposal was decided on; any change of one of them makes it stale.

    `intents` maps each earlier account of the household in this run to the id of its proposal or decline.  `start` is the account's
    decision in the run before, from whose `multipliers` the solve started; None where it started from nothing.
    """

    account_version: int
    screen_version: int
    ledger_version: int
    market_id: str
    as_of: date
    intents: dict[str, str]
    solver_version: str
    start: str | None = None


class LotInstruction(Struct, frozen=True):
    """Sell `quantity` shares of this lot, in the order of the list.  `gain` is estimated at the pinned price (None: unknown basis)."""

    lot_id: str
    quantity: Decimal
    term: Term
    gain: Decimal | None


class ProposedTrade(Struct, frozen=True):
    """One trade: whole shares, or the whole position with its fraction.  `price` is the pinned price; lots for sells only.

    `tax` is the estimated tax of the trade in dollars at its lots' own rates (negative saves), `cost` its spread cost.
    `te_variance_bps2` is its share of the change of the yearly tracking error's square, in square basis points, and `risk` the same in
    the objective's dollars; over all trades each sums to the change.
    """

    security_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    reason: TradeReason
    lots: list[LotInstruction]
    tax: Decimal
    cost: Decimal
    te_variance_bps2: Decimal | None = None
    risk: Decimal | None = None


class Unmet(Struct, frozen=True):
    """Something asked for that could not be done: e.g. must_sell of a name that is blocked by 'price_jump'."""

    security_id: str | None
    wanted: str
    reason: str
    quantity: Decimal | None


class Binding(Struct, frozen=True):
    """A constraint that binds: its name, its limit and the value reached (dollars or fraction, as the name says).

    `shadow_price_bps`: basis points of account value that the objective gains when the limit is loosened by one `unit` (small changes;
    None where the limit has no price, as a number of names).  `says` is the same in words.
    """

    name: str
    limit: Decimal
    actual: Decimal
    shadow_price_bps: Decimal | None = None
    unit: str | None = None
    says: str | None = None


class Certificate(Struct, frozen=True):
    """How good the plan is, in basis points of account value.

    `objective_bps` is the objective of what is proposed; `lower_bound_bps` what no plan can beat, of the smallest trade or more, in
    fractional shares; `gap_bps` how far the plan in fractional shares is above that bound at most, and `whole_shares_bps` what whole
    shares cost beyond it.  `method` is from the closed list of the optimizer's core; `nodes` counts the branches looked at.
    """

    objective_bps: Decimal
    lower_bound_bps: Decimal
    gap_bps: Decimal
    whole_shares_bps: Decimal
    method: str
    nodes: int
    newton_steps: int


class Relaxation(Struct, frozen=True):
    """One limit of the smallest set whose loosening makes the account feasible.

    It goes from `limit` to `needed`: dollars, a fraction or a count, as the name says.
    """

    name: str
    limit: Decimal
    needed: Decimal
    says: str


class LossesLeft(Struct, frozen=True):
    """Losses that are not taken, by reason: how many lots, and dollars of loss (a positive number) at the pinned prices."""

    reason: str
    lots: int
    loss: Decimal


class TaxEstimate(Struct, frozen=True):
    """Estimated at pinned prices, in dollars; losses are positive numbers.

    `tax` is the sum over the trades, or where the account's losses are netted what the trades add to the taxpayer's year.
    """

    short_gain: Decimal
    short_loss: Decimal
    long_gain: Decimal
    long_loss: Decimal
    tax: Decimal


class PlanProgress(Struct, frozen=True):
    """How an account stands against the transition plan that it follows, with the trades of the decision.

    `tax` is what the account's year comes to so far, in dollars, `expected_tax` what the plan expects of the whole year; `te_frac` and
    `expected_te_frac` are tracking errors after the trades.
    """

    plan_id: str
    approach: str
    year: int
    tax: Decimal
    expected_tax: Decimal
    te_frac: Decimal
    expected_te_frac: Decimal


class ProposalCreated(Struct, frozen=True):
    """pma.proposal.created: trades to make.  `unmet` and `binding` say what was asked but not reached.

    `taxpayer_id` is whose year the gains belong to.  `multipliers` are where the solve ended, by the names of factors and limits, to six
    digits: the account's next decision starts there.
    """

    proposal_id: str
    run_id: str
    account_id: str
    household_id: str
    pins: Pins
    approval: Literal["auto", "manual"]
    account_value: Decimal
    trades: list[ProposedTrade]
    unmet: list[Unmet]
    binding: list[Binding]
    te_before_frac: Decimal
    te_after_frac: Decimal
    tax: TaxEstimate
    cost: Decimal
    cash_before: Decimal
    cash_after: Decimal
    solve_status: str
    certificate: Certificate | None = None
    losses_left: list[LossesLeft] = []
    taxpayer_id: str | None = None
    multipliers: dict[str, float] = {}
    progress: PlanProgress | None = None


class ProposalDeclined(Struct, frozen=True):
    """pma.proposal.declined: no trade, and why.  `code` is from the closed list of the optimizer's core.

    `multipliers` as in a proposal, where the account was solved.
    """

    proposal_id: str
    run_id: str
    account_id: str
    household_id: str
    pins: Pins | None
    outcome: DeclineOutcome
    code: str
    message: str
    limit: Decimal | None
    actual: Decimal | None
    unmet: list[Unmet]
    te_before_frac: Decimal | None = None
    certificate: Certificate | None = None
    relaxations: list[Relaxation] = []
    losses_left: list[LossesLeft] = []
    multipliers: dict[str, float] = {}
    progress: PlanProgress | None = None
