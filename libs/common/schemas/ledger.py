"""pma.ledgers.v1: a household's tax lots, wash-sale windows and gains, decided by wash_sale."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class TaxLot(Struct, frozen=True, gc=False):
    """One tax lot (or layer of one): `tax_basis` in dollars after wash adjustments, None when unknown."""

    lot_id: str
    security_id: str
    quantity: Decimal
    tax_basis: Decimal | None
    acquired: date | None
    holding_period_start: date | None


class TaxLotColumns(Struct, frozen=True):
    """Tax lots of one account as columns, ordered by (security_id, acquired, lot_id); a lot with layers appears once a layer."""

    lot_id: list[str]
    security_id: list[str]
    quantity: list[str]
    tax_basis: list[str | None]
    acquired: list[str | None]
    holding_period_start: list[str | None]

    def rows(self) -> Iterator[TaxLot]:
        """The lots one by one, with their numbers and dates converted."""
        columns = (
            self.lot_id,
            self.security_id,
            self.quantity,
            self.tax_basis,
            self.acquired,
            self.holding_period_start,
        )
        for lot_id, security_id, quantity, basis, acquired, start in zip(*columns, strict=True):
            yield TaxLot(
                lot_id,
                security_id,
                Decimal(quantity),
                None if basis is None else Decimal(basis),
                None if acquired is None else date.fromisoformat(acquired),
                None if start is None else date.fromisoformat(start),
            )


class LedgerAccount(Struct, frozen=True):
    """One account's tax lots, on the account version and booked trades that they were compared with.

    `disagreements` names the lots whose quantity differs from the account's: the account is then not traded.
    """

    account_id: str
    account_version: int
    trade_seq: int
    lots: TaxLotColumns
    disagreements: list[str]


class Window(Struct, frozen=True):
    """A wash-sale window that is open for a whole identity group in the whole household.

    blocked_buys: a loss was taken on `trade_date`, so buying before `until` (inclusive) would wash it.
    blocked_loss_sales: `lot_ids` were bought on `trade_date`, so selling other shares at a loss until `until` (inclusive)
    would be washed; selling all of `lot_ids` themselves is not blocked by this window.
    `cause` names the trade or the lot that opened it, `account_id` where.
    """

    identity_group: str
    security_ids: list[str]
    trade_date: date
    until: date
    account_id: str
    cause: str
    lot_ids: list[str]


class TaxpayerYear(Struct, frozen=True):
    """A taxpayer's year to date: realised gains and losses by term (losses are positive numbers, denied ones not in them)."""

    taxpayer_id: str
    year: int
    short_gain: Decimal
    short_loss: Decimal
    long_gain: Decimal
    long_loss: Decimal
    carried_short_loss: Decimal
    carried_long_loss: Decimal


class AccountYear(Struct, frozen=True):
    """What one account used of its own budgets this tax year: net realised short and long gains, and the tax on them."""

    account_id: str
    year: int
    short_net: Decimal
    long_net: Decimal


class RealisedSale(Struct, frozen=True, gc=False):
    """A booked sale of one lot, as the ledger judges it: `allowed_gain` = `raw_gain` + `disallowed`."""

    trade_id: str
    account_id: str
    security_id: str
    lot_id: str
    quantity: Decimal
    trade_date: date
    proceeds: Decimal
    basis: Decimal | None
    raw_gain: Decimal | None
    disallowed: Decimal
    allowed_gain: Decimal | None
    term: Literal["short", "long", "none"]


class LedgerUpdated(Struct, frozen=True):
    """pma.ledger.updated: the household's whole ledger.  `version` rises only when something but `run_id` changed."""

    household_id: str
    version: int
    as_of: date
    run_id: str | None
    accounts: list[LedgerAccount]
    blocked_buys: list[Window]
    blocked_loss_sales: list[Window]
    taxpayers: list[TaxpayerYear]
    account_years: list[AccountYear]
    sales: list[RealisedSale]


class RestatedSale(Struct, frozen=True):
    """A past sale of one lot as it was said and as it is said now; None where it was not known, or is no more (a bust)."""

    before: RealisedSale | None
    after: RealisedSale | None


class RestatedLot(Struct, frozen=True):
    """A lot that is held as before and whose basis (dollars, None unknown) or effective date of acquisition is another now."""

    account_id: str
    security_id: str
    lot_id: str
    basis_before: Decimal | None
    basis: Decimal | None
    held_since_before: date | None
    held_since: date | None


class LedgerRestated(Struct, frozen=True):
    """pma.ledger.restated: a later fact changed what had been said of past sales, windows or lots.  It comes with the `to_version` ledger.

    `windows_closed` and `windows_opened` are windows of days that had passed.  A proposal that pins a ledger version from `first_version`
    to `from_version` and trades one of `securities` was decided on other facts.
    """

    household_id: str
    first_version: int
    from_version: int
    to_version: int
    as_of: date
    sales: list[RestatedSale]
    lots: list[RestatedLot]
    windows_closed: list[Window]
    windows_opened: list[Window]
    securities: list[str]


class ToldOrigin(Struct, frozen=True):
    """How a lot came, its basis (dollars of the whole lot) and dates; a gift that had lost value has a second basis and date for a loss."""

    how: Literal["purchase", "gift", "inheritance", "spouse"]
    acquired: date
    cost: Decimal | None
    held_since: date | None
    loss_cost: Decimal | None = None
    loss_since: date | None = None


class ToldDeparture(Struct, frozen=True):
    """Shares (of `day`) that left without a trade; `value` in dollars and `donee` of a gift to a public charity."""

    security_id: str
    quantity: Decimal
    day: date
    why: Literal["gift", "transfer"]
    value: Decimal | None = None
    donee: Literal["public_charity"] | None = None


class LotTold(Struct, frozen=True):
    """pma.lot.told: what a person told of a lot, its origin or that shares of it left.  wash_sale itself reads it after a restore."""

    household_id: str
    account_id: str
    lot_id: str
    actor: str
    told_at: datetime
    origin: ToldOrigin | None = None
    departure: ToldDeparture | None = None
