"""The three answers that a proposal can get, and the closed list of refusals.

A refusal is a value with its numbers; its code labels the metric and the row.  docs/orders.md has a line for each code.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from services.orders.core.reservations import Reservation


class RefusalCode(StrEnum):
    """Why a proposal does not leave."""

    KILL_SWITCH = "kill_switch"
    RUN_CLOSED = "run_closed"
    NOT_IN_RUN = "not_in_run"
    DUPLICATE = "duplicate"
    STALE_PIN = "stale_pin"
    HOUSEHOLD_ORDER = "household_order"
    ACCOUNT_NOT_OPEN = "account_not_open"
    DO_NOT_TRADE = "do_not_trade"
    OPEN_ORDERS = "open_orders"
    LOTS_DISAGREE = "lots_disagree"
    MALFORMED = "malformed"
    NOT_WHOLE_SHARES = "not_whole_shares"
    LESS_THAN_ONE_SHARE = "less_than_one_share"
    UNKNOWN_SECURITY = "unknown_security"
    SECURITY_BLOCKED = "security_blocked"
    NO_PRICE = "no_price"
    PRICE_COLLAR = "price_collar"
    MAY_NOT_BUY = "may_not_buy"
    MAY_NOT_SELL = "may_not_sell"
    ABOVE_MAX_WEIGHT = "above_max_weight"
    BELOW_MIN_WEIGHT = "below_min_weight"
    LOT_NOT_OPEN = "lot_not_open"
    LOT_OVERSOLD = "lot_oversold"
    BUY_IN_WINDOW = "buy_in_window"
    LOSS_SALE_IN_WINDOW = "loss_sale_in_window"
    RESERVATION_CONFLICT = "reservation_conflict"
    INSUFFICIENT_CASH = "insufficient_cash"
    TOO_MANY_ORDERS = "too_many_orders"


class Refused(Struct, frozen=True):
    """The proposal does not leave.  `subject` names the pin, security or lot; `limit` and `actual` are in the unit the message names."""

    code: RefusalCode
    message: str
    subject: str | None = None
    limit: Decimal | None = None
    actual: Decimal | None = None


Awaited = Literal["run", "account", "screen", "ledger", "market", "household_proposal"]


class Wait(Struct, frozen=True):
    """The proposal rests on something newer than orders has seen; it is judged again when that arrives."""

    awaited: Awaited
    message: str


class Accepted(Struct, frozen=True):
    """The proposal may leave; `reservations` are held from now on, `approval` says whether a person must agree first."""

    reservations: list[Reservation]
    approval: Literal["auto", "manual"]


Decision = Accepted | Refused | Wait
