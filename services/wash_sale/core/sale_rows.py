"""Sale rows: what one disposal took from one layer, as a line of a tax return would say it (section 1.15); and gifts."""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.holding_period import Term
from services.wash_sale.core.lots import How


class SaleRow(Struct, frozen=True, gc=False):
    """One sale, lot and layer.  Gain figures are None where the basis is unknown and in a retirement account.

    A gift sold between its two bases has a gain of 0, no basis and no term (section 4.2).  `kind`: a sale, cash beside stock in a
    reorganization, or a return of capital beyond basis.  `how` the shares came decides what column (b) of Form 8949 says.
    """

    trade_id: str
    account_id: str
    security_id: str
    lot_id: str
    quantity: Decimal
    trade_date: date
    proceeds: Decimal
    basis: Decimal | None
    raw_gain: Decimal | None
    term: Term | Literal["none"]
    acquired: date | None
    held_since: date | None
    disallowed: Decimal = ZERO
    permanently_disallowed: Decimal = ZERO
    how: How = "purchase"
    kind: Literal["sale", "boot", "distribution"] = "sale"

    @property
    def allowed_gain(self) -> Decimal | None:
        """The gain that counts for tax this year."""
        return None if self.raw_gain is None else self.raw_gain + self.disallowed

    @property
    def code(self) -> str:
        """Form 8949 column (f)."""
        return "W" if self.disallowed else ""

    @property
    def unknown_basis(self) -> bool:
        """Whether the gain is not known."""
        return self.basis is None and self.raw_gain is None


class Gift(Struct, frozen=True):
    """Shares given away, with the basis that went with them and their term on the day; `value` and `donee` where the gift says them."""

    event_id: str
    day: date
    account_id: str
    security_id: str
    lot_id: str
    quantity: Decimal
    basis: Decimal | None
    term: Term = "short"
    value: Decimal | None = None
    donee: str | None = None
