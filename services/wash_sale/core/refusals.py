"""Why an input can't be taken; the ledger stays as it was."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct


class RefusalCode(StrEnum):
    """The closed list."""

    NOT_POSITIVE = "not_positive"
    LOTS_DO_NOT_ADD_UP = "lots_do_not_add_up"
    UNKNOWN_LOT = "unknown_lot"
    SALE_BEFORE_PURCHASE = "sale_before_purchase"
    OVERSOLD_LOT = "oversold_lot"
    UNKNOWN_TRADE = "unknown_trade"
    ACCOUNT_CAME_BACK = "account_came_back"


class Refusal(Struct, frozen=True):
    """What was refused and by which numbers: `limit` is what would have been possible, `actual` what was asked (shares)."""

    code: RefusalCode
    account_id: str
    event_id: str
    lot_id: str | None = None
    limit: Decimal | None = None
    actual: Decimal | None = None

    def text(self) -> str:
        """One line for a person."""
        lot = f", lot {self.lot_id}" if self.lot_id else ""
        numbers = f": {self.actual} asked, {self.limit} possible" if self.actual is not None else ""
        return f"{self.code.value}: account {self.account_id}, {self.event_id}{lot}{numbers}"
