"""Why an account gets no trades: a closed list, with the outcome that each code belongs to."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from libs.common.schemas.proposal import DeclineOutcome, Relaxation


class DeclineCode(StrEnum):
    """Every reason for which no proposal is made."""

    AT_TARGET = "at_target"
    BELOW_MIN_TRADE = "below_min_trade"
    GAIN_BELOW_COST = "gain_below_cost"
    LIMIT_FORBIDS = "limit_forbids"
    STALE_INPUTS = "stale_inputs"
    ACCOUNT_NOT_OPEN = "account_not_open"
    DO_NOT_TRADE = "do_not_trade"
    OPEN_ORDERS = "open_orders"
    LOTS_DISAGREE = "lots_disagree"
    UNKNOWN_STRATEGY = "unknown_strategy"
    EMPTY_ACCOUNT = "empty_account"
    PRICE_MISSING = "price_missing"
    RISK_MISSING = "risk_missing"
    INVALID_MARKET = "invalid_market"
    INVALID_ACCOUNT = "invalid_account"
    SOLVER_FAILED = "solver_failed"
    PLAN_NOT_VERIFIED = "plan_not_verified"
    CASH_SHORT = "cash_short"
    LIMITS_CONFLICT = "limits_conflict"


_NO_TRADE = frozenset({DeclineCode.AT_TARGET, DeclineCode.BELOW_MIN_TRADE, DeclineCode.GAIN_BELOW_COST, DeclineCode.LIMIT_FORBIDS})
_INFEASIBLE = frozenset({DeclineCode.CASH_SHORT, DeclineCode.LIMITS_CONFLICT})


@dataclass(frozen=True, slots=True)
class Decline:
    """One reason with its numbers; what `limit` and `actual` count is said by `message`.

    `relaxations`: what would have to give, where that is known with the reason.
    """

    code: DeclineCode
    message: str
    limit: Decimal | None = None
    actual: Decimal | None = None
    relaxations: tuple[Relaxation, ...] = ()

    @property
    def outcome(self) -> DeclineOutcome:
        """Nothing worth doing, not allowed to decide, or impossible."""
        if self.code in _NO_TRADE:
            return "no_trade"
        return "infeasible" if self.code in _INFEASIBLE else "refused"
