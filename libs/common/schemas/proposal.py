"""pma.proposals.v1: what to trade in one account and why, or why not, decided by optimizer."""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

Side = Literal["buy", "sell"]
Term = Literal["short", "long", "none"]
TradeReason = Literal["harvest", "drift", "restriction", "cash", "gain_deferral", "constraint"]
DeclineOutcome = Literal["no_trade", "refused", "infeasible"]


class Pins(Struct, frozen=True):
    """The inputs a proposal was decided on; any change of one of them makes it stale.

    `intents` maps each earlier account of the household in this run to the id of its proposal or decline.
    """

    account_version: int
    screen_version: int
    ledger_version: int
    market_id: str
    as_of: date
    intents: dict[str, str]
    solver_version: str


class LotInstruction(Struct, frozen=True):
    """Sell `quantity` shares of this lot, in the order of the list.  `gain` is estimated at the pinned price (None: unknown basis)."""

    lot_id: str
    quantity: Decimal
    term: Term
    gain: Decimal | None


class ProposedTrade(Struct, frozen=True):
    """One trade: whole shares, or the whole position with its fraction.  `price` is the pinned price; lots for sells only.

    `tax` is the estimated tax of the trade in dollars (negative saves), `cost` its spread cost.
    """

    security_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    reason: TradeReason
    lots: list[LotInstruction]
    tax: Decimal
    cost: Decimal


class Unmet(Struct, frozen=True):
    """Something asked for that could not be done: e.g. must_sell of a name that is blocked by 'price_jump'."""

    security_id: str | None
    wanted: str
    reason: str
    quantity: Decimal | None


class Binding(Struct, frozen=True):
    """A constraint that binds: its name, its limit and the value reached (dollars or fraction, as the name says)."""

    name: str
    limit: Decimal
    actual: Decimal


class TaxEstimate(Struct, frozen=True):
    """Estimated at pinned prices, in dollars; losses are positive numbers."""

    short_gain: Decimal
    short_loss: Decimal
    long_gain: Decimal
    long_loss: Decimal
    tax: Decimal


class ProposalCreated(Struct, frozen=True):
    """pma.proposal.created: trades to make.  `unmet` and `binding` say what was asked but not reached."""

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


class ProposalDeclined(Struct, frozen=True):
    """pma.proposal.declined: no trade, and why.  `code` is from the closed list of the optimizer's core."""

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
