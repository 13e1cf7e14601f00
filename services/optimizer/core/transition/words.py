"""Numbers as a client reads them, and what binding rules are worth, in words."""

from decimal import Decimal

from libs.common.money import CENT, ZERO, cents_from_float_half_even, float_from_decimal
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.one_period import YearPlan
from services.optimizer.core.transition.result import ShadowPrice

STEP_FRAC = Decimal("0.001")  # of the account: the small change that a budget's price is said for, rounded
STEP_TE = 0.001
BUDGETS = {"tax": "tax budget", "short_gain": "budget of short-term gain", "long_gain": "budget of long-term gain"}
SMALL = "for small changes"


def dollars(amount: Decimal) -> str:
    """A dollar amount without cents."""
    return f"${amount.quantize(Decimal(1)):,}"


def counted(names: int) -> str:
    """So many names."""
    return "one name" if names == 1 else f"{names} names"


def net_words(net: Decimal, term: str) -> str:
    """A net gain or loss of a year: none, or a gain or a loss of so many dollars."""
    return f"no {term} gain or loss" if not net else f"a {term} {'gain' if net > 0 else 'loss'} of {dollars(abs(net))}"


def percent(fraction: float) -> str:
    """A fraction as a percentage, rounded up so that what is said is enough."""
    return f"{-(-fraction * 1e4 // 1) / 100:.2f} %"


def budget_price(case: TransitionCase, rule: str, price: float, solved: YearPlan) -> ShadowPrice:
    """What a little more of a budget is worth: `price` is what a unit more of it lowers the objective by.

    A dollar more of a tax budget is spent, so risk falls by the price and that dollar.
    """
    step = _step(case)
    part = float_from_decimal(step / case.value_usd)
    spent = part if rule == "tax" else 0.0
    lower = (price * part + spent) / (2.0 * solved.problem.risk_aversion * max(solved.te, 1e-6))
    change = -min(lower, solved.te)
    name = BUDGETS[rule]
    words = f"With {dollars(step)} more {name}, tracking error would be about {-change * 100:.3f} percentage points lower, {SMALL}."
    return ShadowPrice(name, words, step, round(change, 10), step if rule == "tax" else None)


def te_price(case: TransitionCase, price: float) -> ShadowPrice:
    """What a tenth of a per cent more tracking error would save; `price` is per unit of tracking error."""
    saved = cents_from_float_half_even(price * STEP_TE * float_from_decimal(case.value_usd))
    words = f"With 0.1 percentage points more tracking error, tax, cost and losses used up would be about {dollars(saved)} less, {SMALL}."
    return ShadowPrice("tracking error", words, None, STEP_TE, -saved)


def _step(case: TransitionCase) -> Decimal:
    """About a thousandth of the account, to one digit, at least a dollar."""
    amount = case.value_usd * STEP_FRAC
    digits = max(amount.adjusted(), 0)
    return max((amount // Decimal(10) ** digits) * Decimal(10) ** digits, Decimal(1)).quantize(CENT) + ZERO
