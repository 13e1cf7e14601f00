"""What can happen to a household's lots, as dated events.  Quantities are in the shares of the event's day; dollars are in cents.

An event is booked by `booking.py`.  `event_id` names it in errors and in the rows it makes.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.lots import Layer

LotMethod = Literal["fifo", "lifo", "hifo", "average"]
ONE = Decimal(1)
ShownLots = frozenset[tuple[str, str]]
"""Lots, by account and id, that an action does not change: they came with a file that shows it already."""


class TaxAccount(Struct, frozen=True):
    """An account as the wash rule sees it.  A purchase counts for losses of the accounts of the same `scope`: the taxpayer's own, the
    spouse's and those of corporations that they control (section 1.11).  `covered` says whether a feed shows what it does.
    """

    account_id: str
    taxpayer_id: str
    taxable: bool
    scope: str = ""
    covered: bool = True


class LotIn(Struct, frozen=True, gc=False):
    """Shares come in.  `acquisition`: bought, or taken in a fully taxable exchange, so that they may replace a loss (section 1.7).

    `settled`: they came with the custodian's file, which has judged sales from before it itself.
    """

    event_id: str
    day: date
    layer: Layer
    acquisition: bool
    settled: bool = False


class LotPart(Struct, frozen=True, gc=False):
    """Shares of a lot that were chosen."""

    lot_id: str
    quantity: Decimal


class Fill(Struct, frozen=True, gc=False):
    """Part of a sale.  `lots` None: by `method`.  `quantity` None: the whole position."""

    event_id: str
    account_id: str
    security_id: str
    quantity: Decimal | None
    proceeds: Decimal
    lots: tuple[LotPart, ...] | None = None
    method: LotMethod = "fifo"


class Sale(Struct, frozen=True, gc=False):
    """What was sold at one time: the fills of one order, or the sales of a day whose order is not known (section 1.4)."""

    event_id: str
    day: date
    fills: tuple[Fill, ...]


class PastLoss(Struct, frozen=True):
    """A loss from before the ledger began: no lot is known of it."""

    event_id: str
    day: date
    account_id: str
    security_id: str
    quantity: Decimal
    amount: Decimal


class GiftOut(Struct, frozen=True):
    """Shares are given away, or donated: no gain, no loss.  `value` in dollars and `donee` are needed for a deduction alone."""

    event_id: str
    day: date
    account_id: str
    security_id: str
    quantity: Decimal
    lots: tuple[LotPart, ...] | None = None
    value: Decimal | None = None
    donee: str | None = None


class Transfer(Struct, frozen=True):
    """Shares move between accounts of one scope; basis and period stay (for a spouse: IRC 1041)."""

    event_id: str
    day: date
    security_id: str
    quantity: Decimal
    from_account: str
    to_account: str
    lots: tuple[LotPart, ...] | None = None


class Split(Struct, frozen=True):
    """`new` shares for `old`; also an identical stock dividend.  `account_id` None: of every account."""

    event_id: str
    day: date
    security_id: str
    new: Decimal
    old: Decimal
    account_id: str | None = None


class InLieu(Struct, frozen=True):
    """Cash for the fraction of a share that an action leaves an account: `price` of a share of the action's day, which is `shares` here."""

    event_id: str
    price: Decimal
    shares: Decimal = ONE


class SpinOff(Struct, frozen=True):
    """`new` shares of another security for each `old`; basis divides by `kept_value` to `new_value` (section 4.4).

    The new shares keep the lot's id; where an account's lots need ids of their own, `names` has them by account and `spun_lot`.
    """

    event_id: str
    day: date
    security_id: str
    new_security: str
    new: Decimal
    old: Decimal
    kept_value: Decimal
    new_value: Decimal
    account_id: str | None = None
    shown: ShownLots = frozenset()
    names: dict[str, dict[str, str]] | None = None
    in_lieu: InLieu | None = None


class Exchange(Struct, frozen=True):
    """A reorganization: `new` shares of the successor for `old`, and cash (section 4.5): dollars a share, or `cash` in all of one account.

    `new_price`, of a successor's share, is needed where there is cash.  Dollars a share are for `old_shares` and `new_shares`: where
    shares are counted as after a later split, a share of the day is several.
    """

    event_id: str
    day: date
    security_id: str
    new_security: str
    new: Decimal
    old: Decimal
    cash_per_share: Decimal = ZERO
    cash: Decimal | None = None
    new_price: Decimal | None = None
    account_id: str | None = None
    old_shares: Decimal = ONE
    new_shares: Decimal = ONE
    in_lieu: InLieu | None = None


class CashMerger(Struct, frozen=True):
    """Every share is sold for cash: dollars for so many `shares`.  `held`: somebody must hold it."""

    event_id: str
    day: date
    security_id: str
    cash_per_share: Decimal
    cash: Decimal | None = None
    account_id: str | None = None
    shares: Decimal = ONE
    held: bool = True


class ReturnOfCapital(Struct, frozen=True):
    """A distribution that is no dividend: it lowers basis, and what is left of it is gain (section 4.6): dollars for so many `shares`."""

    event_id: str
    day: date
    security_id: str
    per_share: Decimal
    amount: Decimal | None = None
    account_id: str | None = None
    shares: Decimal = ONE
    shown: ShownLots = frozenset()


class FractionSold(Struct, frozen=True):
    """Cash for the fractions of a share that a split leaves in the accounts (section 4.7)."""

    day: date
    security_id: str
    in_lieu: InLieu
    shown: ShownLots = frozenset()


TaxEvent = LotIn | Sale | PastLoss | GiftOut | Transfer | Split | SpinOff | Exchange | CashMerger | ReturnOfCapital | FractionSold
