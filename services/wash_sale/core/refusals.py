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
    OVERSOLD_POSITION = "oversold_position"
    UNKNOWN_TRADE = "unknown_trade"
    ACCOUNT_CAME_BACK = "account_came_back"
    UNKNOWN_ACCOUNT = "unknown_account"
    DUPLICATE_LOT = "duplicate_lot"
    DUPLICATE_SALE = "duplicate_sale"
    CHANGES_OWNER = "changes_owner"
    CHANGES_TAX_STATUS = "changes_tax_status"
    UNKNOWN_BASIS = "unknown_basis"
    AVERAGE_NOT_ALLOWED = "average_not_allowed"
    OUTSIDE_THE_PLATFORM = "outside_the_platform"
    UNKNOWN_ACTION = "unknown_action"
    MISSING = "missing"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_DATE = "not_a_date"
    NOT_READABLE = "not_readable"


class Refusal(Struct, frozen=True):
    """What was refused and by which numbers: `limit` is what would have been possible, `actual` what was asked (shares).

    `field` names the part of the event that is wrong.
    """

    code: RefusalCode
    account_id: str
    event_id: str
    lot_id: str | None = None
    limit: Decimal | None = None
    actual: Decimal | None = None
    field: str | None = None

    def text(self) -> str:
        """One line for a person."""
        lot = f", lot {self.lot_id}" if self.lot_id else ""
        field = f", {self.field}" if self.field else ""
        numbers = f": {self.actual} asked, {self.limit} possible" if self.actual is not None else ""
        return f"{self.code.value}: account {self.account_id}, {self.event_id}{lot}{field}{numbers}"
