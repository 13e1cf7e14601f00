"""pma.market.v1: one dated snapshot of securities, prices, target models and the risk model; and the daily run."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class SecurityColumns(Struct, frozen=True):
    """Securities as columns, ordered by security_id.

    `price` in dollars a share (decimal string; None where the snapshot has none); `adv_usd` median daily dollar volume;
    `blocked` a reason for which nothing may trade in the name ('price_jump', 'no_price'), else None.
    """

    security_id: list[str]
    issuer_id: list[str]
    identity_group: list[str]
    sector: list[str]
    industry: list[str]
    categories: list[list[str]]
    price: list[str | None]
    half_spread_bps: list[float]
    adv_usd: list[float]
    blocked: list[str | None]


class TargetModel(Struct, frozen=True):
    """A strategy's target weights (decimal strings that sum to 1), ordered by security_id."""

    strategy_id: str
    security_id: list[str]
    weight_frac: list[str]


class RiskModel(Struct, frozen=True):
    """Sigma = B B' + diag(D), annual: `exposures` is B by row, aligned with `security_id`; `specific_var_ann` is D."""

    security_id: list[str]
    factors: list[str]
    exposures: list[list[float]]
    specific_var_ann: list[float]


class CorporateAction(Struct, frozen=True):
    """A split: `ratio` new shares for one old, effective on `ex_date`."""

    security_id: str
    ex_date: date
    kind: Literal["split"]
    ratio: Decimal


ReorganizationKind = Literal["spin_off", "return_of_capital", "merger", "cash_merger", "cash_in_lieu"]


class Reorganization(Struct, frozen=True):
    """What happens to every share of a security from the open of `ex_date` on, beside splits; terms are for shares after the day's split.

    spin_off: `ratio` new shares of `new_security_id` beside each share; basis divides by `new_price` (of one new share) to `parent_price`.
    merger: `ratio` new shares for each, and `cash_per_share`, which needs `new_price`.  cash_merger: `cash_per_share` for each.
    return_of_capital: `cash_per_share`.  cash_in_lieu: `cash_per_share` for the fraction of a share that the day's split, merger or
    spin-off leaves an account of `security_id`, the security that came.
    """

    security_id: str
    ex_date: date
    kind: ReorganizationKind
    new_security_id: str | None = None
    ratio: Decimal | None = None
    cash_per_share: Decimal | None = None
    new_price: Decimal | None = None
    parent_price: Decimal | None = None


class MarketPublished(Struct, frozen=True):
    """pma.market.published: everything outside the accounts that a decision of the day rests on; `market_id` is its hash."""

    market_id: str
    as_of: date
    simulated: bool
    securities: SecurityColumns
    models: list[TargetModel]
    risk: RiskModel
    corporate_actions: list[CorporateAction]
    reorganizations: list[Reorganization] = []


class RunAccount(Struct, frozen=True):
    """One account of a run at the version it is decided on; an excluded one carries the reason and gets no proposal."""

    account_id: str
    household_id: str
    account_version: int
    trade_seq: int
    excluded: str | None = None


class RunOpened(Struct, frozen=True):
    """pma.run.opened: decide these accounts, as of this date, on this market.  Blocks close at `cutoff_at` at the latest.

    `files_received_at` is when the first of the day's custodian files came: the clock of file-to-order time starts there.
    `price_collar_bps`: a fill may differ this much from the pinned price, so a sale that could become a loss within it counts as one.
    """

    run_id: str
    as_of: date
    market_id: str
    opened_at: datetime
    cutoff_at: datetime
    price_collar_bps: int
    accounts: list[RunAccount]
    files_received_at: datetime | None = None
