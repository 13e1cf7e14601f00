"""The ledger's sale rows as the tax year takes them: the one place that knows both."""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.holding_period import Term

FIRST_COVERED_DAY = date(2011, 1, 1)
"""Stock bought since then is covered: the broker reports its basis to the IRS (IRC 6045(g)(3))."""

Reported = Literal["basis", "proceeds", "nothing"]
"""What the broker's Form 1099-B told the IRS: proceeds and basis, proceeds alone, or there was none."""


class Sale(Struct, frozen=True):
    """What one sale took from one layer of a taxable account.

    `basis` and `raw_gain` are None where the basis is unknown; of a gift sold between its two bases only `basis` is None.
    `disallowed` is the denied loss, positive.  `reported_basis` is the broker's figure where it is known to differ.
    """

    sale_id: str
    taxpayer_id: str
    account_id: str
    security_id: str
    lot_id: str
    quantity: Decimal
    acquired: date | None
    sold: date
    proceeds: Decimal
    basis: Decimal | None
    raw_gain: Decimal | None
    term: Term
    disallowed: Decimal = ZERO
    inherited: bool = False
    reported: Reported = "basis"
    reported_basis: Decimal | None = None

    @property
    def allowed_gain(self) -> Decimal | None:
        """The gain that counts this year."""
        return None if self.raw_gain is None else self.raw_gain + self.disallowed

    @property
    def open_loss(self) -> bool:
        """Whether a loss is left that a later purchase could still deny."""
        return self.allowed_gain is not None and self.allowed_gain < 0


def usual_report(acquired: date | None) -> Reported:
    """What a broker reports of a lot where nobody says otherwise: its basis if it was bought since 2011."""
    return "basis" if acquired is not None and acquired >= FIRST_COVERED_DAY else "proceeds"
