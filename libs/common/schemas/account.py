"""pma.accounts.v1: what an account holds and what its owner asked for, decided by ingest."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import starmap
from typing import Literal

from msgspec import Struct

AccountType = Literal["taxable", "traditional_ira", "roth_ira"]
AccountState = Literal["open", "quarantined", "parked", "stale"]
WishKind = Literal["never_buy", "never_sell", "must_sell", "hold", "never_add", "max_weight"]
WishBy = Literal["security", "issuer", "industry", "sector", "category"]
BoundBy = Literal["security", "industry", "sector", "factor"]
LossValue = Literal["at_rates", "netted", "none"]
HarvestMode = Literal["objective", "threshold", "off"]


class Lot(Struct, frozen=True, gc=False):
    """One lot as the book holds it: `cost_basis` is the custodian's total in dollars, None when unknown."""

    lot_id: str
    security_id: str
    quantity: Decimal
    cost_basis: Decimal | None
    acquired: date | None
    provisional: bool = False


class LotColumns(Struct, frozen=True):
    """Lots of one account as columns of equal length, ordered by (security_id, acquired, lot_id)."""

    lot_id: list[str]
    security_id: list[str]
    quantity: list[str]
    cost_basis: list[str | None]
    acquired: list[str | None]
    provisional: list[bool]

    def rows(self) -> Iterator[Lot]:
        """The lots one by one, with their numbers and dates converted."""
        basis = [None if each is None else Decimal(each) for each in self.cost_basis]
        acquired = [None if each is None else date.fromisoformat(each) for each in self.acquired]
        columns = (self.lot_id, self.security_id, map(Decimal, self.quantity), basis, acquired, self.provisional)
        return starmap(Lot, zip(*columns, strict=True))


class RateParts(Struct, frozen=True):
    """What the marginal rates are made of, as fractions: federal, state, and the tax on net investment income."""

    federal_short_frac: Decimal
    federal_long_frac: Decimal
    state_frac: Decimal = Decimal(0)
    net_investment_frac: Decimal = Decimal(0)


class TaxRates(Struct, frozen=True):
    """Marginal rates on short- and long-term gains, as fractions (0.408 is 40.8 of a hundred).

    `ordinary_frac` is the rate on ordinary income, which a net loss lowers up to a limit a year (None: the short rate).
    `parts`, where given, sum to the two rates.
    """

    short_frac: Decimal
    long_frac: Decimal
    ordinary_frac: Decimal | None = None
    parts: RateParts | None = None


class Budgets(Struct, frozen=True):
    """This account's explicit share, in dollars a tax year, of its taxpayer's budgets; None is no limit."""

    tax: Decimal | None = None
    short_gain: Decimal | None = None
    long_gain: Decimal | None = None


class WeightBound(Struct, frozen=True):
    """Bounds on the summed weight of what `by` = `target` names, after trading; None is no bound on that side.

    Fractions of the account's value; with `relative` they count from the strategy's own weight (-0.02 is two hundredths below it).
    By factor it is the exposure instead: the yearly volatility, as a fraction, that the factor alone gives the account.
    """

    by: BoundBy
    target: str
    least_frac: Decimal | None = None
    most_frac: Decimal | None = None
    relative: bool = False


class PlanLimits(Struct, frozen=True):
    """Hard limits of every plan; None is no limit.

    `tracking_error_frac` caps the yearly tracking error ex ante; `turnover_frac` what is bought plus what is sold, over account value;
    `trades` the number of names traded, `names` the number held afterwards; a name that is traded is held afterwards for at least
    `min_holding` dollars or not at all.
    """

    tracking_error_frac: Decimal | None = None
    turnover_frac: Decimal | None = None
    trades: int | None = None
    names: int | None = None
    min_holding: Decimal | None = None
    weights: list[WeightBound] = []


class LossPolicy(Struct, frozen=True):
    """What a realised loss is worth to a decision.

    at_rates: its own rate at once.  netted: what it saves when the taxpayer's year is netted, ordinary income up to
    `ordinary_limit` dollars included; a dollar that is carried into later years is worth `carried_frac`, a long-term one
    `carried_long_frac` (None: the same).  none: only what it saves against the year's gains.
    """

    counts: LossValue = "at_rates"
    carried_frac: Decimal = Decimal(0)
    carried_long_frac: Decimal | None = None
    ordinary_limit: Decimal = Decimal(3000)


class HarvestThreshold(Struct, frozen=True):
    """From this month on, and for lots held at least so many days: the loss, as a fraction of basis, from which harvesting counts."""

    from_month: int
    from_age_days: int
    loss_frac: Decimal


class HarvestPolicy(Struct, frozen=True):
    """When a loss is taken for its own sake.

    objective: wherever it is worth more than it costs.  threshold: from the threshold of its month and age on (none given: the house's).
    off: never.  `refresh_gain_frac`: lots with a gain of at most this fraction of their price may be sold on purpose, where the later
    losses that a new basis makes possible are worth more than the tax (None: never).
    """

    mode: HarvestMode = "objective"
    thresholds: list[HarvestThreshold] = []
    refresh_gain_frac: Decimal | None = None


class CashFlow(Struct, frozen=True):
    """Money in (positive) or out (negative) by the owner's wish, wanted on `due`."""

    due: date
    amount: Decimal


class Wish(Struct, frozen=True):
    """What the owner asked at intake: a rule of `kind` over everything that `by` = `target` names.

    `limit_frac` is the weight bound of max_weight.  `scope` household applies to every account of the household.
    """

    wish_id: str
    kind: WishKind
    by: WishBy
    target: str
    scope: Literal["account", "household"] = "account"
    limit_frac: Decimal | None = None


class PastSale(Struct, frozen=True):
    """A sale from before the book began, needed for windows and the tax year: `gain` in dollars, negative for a loss."""

    account_id: str
    security_id: str
    quantity: Decimal
    trade_date: date
    gain: Decimal


class TaxOpening(Struct, frozen=True):
    """A taxpayer's year as it stood when the account joined: losses are positive numbers, carried ones are from earlier years."""

    year: int
    short_gain: Decimal
    short_loss: Decimal
    long_gain: Decimal
    long_loss: Decimal
    carried_short_loss: Decimal
    carried_long_loss: Decimal


class Break(Struct, frozen=True):
    """A difference that a person must look at; `kind` is from a closed list in ingest's core."""

    kind: str
    security_id: str | None
    lot_id: str | None
    expected: Decimal | None
    actual: Decimal | None


class PlanYear(Struct, frozen=True):
    """One tax year of a transition plan: how it is followed, and what was expected of it on the day it was chosen.

    `budgets` are dollars of the year.  `risk_aversion` takes the account's place: what is left of the way counts for all the years that
    remain.  `te_cap_frac` is a hard limit, `ceilings` are bounds of positions that are wound down.  Expected: the year's tax in dollars,
    and the tracking error after its trades.
    """

    year: int
    expected_tax: Decimal
    expected_te_frac: Decimal
    risk_aversion: Decimal | None = None
    budgets: Budgets = Budgets()
    te_cap_frac: Decimal | None = None
    ceilings: list[WeightBound] = []


class TransitionPlan(Struct, frozen=True):
    """How a client chose to move to a strategy; its years rise, the last one holds until the plan is withdrawn or another is chosen.

    `approach` is the name that the analysis gives it.  `wishes` are the restrictions that it was made with; they join the account's own.
    """

    plan_id: str
    strategy_id: str
    approach: str
    chosen_on: date
    years: list[PlanYear]
    wishes: list[Wish] = []


NO_LIMITS, AT_RATES, BY_OBJECTIVE = PlanLimits(), LossPolicy(), HarvestPolicy()


class AccountChanged(Struct, frozen=True, omit_defaults=True):
    """pma.account.changed: the account's full state.  `version` rises only when something here changed.

    `business_date` is the date of the custodian's snapshot that the book stands on; `trade_seq` is the sequence number (per
    account, rising, from orders) of the last booked trade that the book holds; `aliases` maps provisional lot ids to the
    custodian's.  An account whose `state` is not open is not traded, for `state_reason`.  `cash_target`, in dollars, takes the place of
    the cash band: what the account should hold in cash beside withdrawals due.  `strategy_id` and `wishes` are those of the plan
    `transition`, where one is followed.
    """

    account_id: str
    household_id: str
    taxpayer_id: str
    custodian: str
    account_type: AccountType
    version: int
    business_date: date
    trade_seq: int
    state: AccountState
    state_reason: str | None
    strategy_id: str
    approval: Literal["auto", "manual"]
    do_not_trade: bool
    rates: TaxRates
    budgets: Budgets
    risk_aversion: Decimal
    cash_min_frac: Decimal
    cash_max_frac: Decimal
    min_trade: Decimal
    cash_settled: Decimal
    cash_unsettled: Decimal
    cash_flows: list[CashFlow]
    wishes: list[Wish]
    tax_opening: TaxOpening | None
    past_sales: list[PastSale]
    lots: LotColumns
    aliases: dict[str, str]
    breaks: list[Break]
    limits: PlanLimits = NO_LIMITS
    losses: LossPolicy = AT_RATES
    harvest: HarvestPolicy = BY_OBJECTIVE
    cash_target: Decimal | None = None
    transition: TransitionPlan | None = None


class AccountMoved(Struct, frozen=True):
    """pma.account.moved, keyed by the household that the account leaves; an account.changed under the new one follows."""

    account_id: str
    from_household_id: str
    to_household_id: str
    version: int
