"""Exact decimal arithmetic for money, shares and prices.

Money is US dollars to the cent, shares carry up to six places, prices up to six.  Everything here is `Decimal`; the only
crossings to float64 are `float_from_decimal` (into the optimiser) and `shares_from_float_floor` / `cents_from_float_half_even`
(out of it), whose names say how they round.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
SHARE_STEP = Decimal("0.000001")
PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal: digits, at most 15 before and 6 after the point, no exponent, no separators, no spaces.

    Raises ValueError for anything else ('NaN', '1_000', '1e3', ' 1.5' are all accepted by `Decimal` itself).
    """
    if not PLAIN_DECIMAL.fullmatch(text):
        raise ValueError(f"{text!r} is not a plain decimal such as 1234.56")
    return Decimal(text)


def cents_half_even(amount: Decimal) -> Decimal:
    """Round dollars to the cent, ties to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def whole_shares_down(quantity: Decimal) -> Decimal:
    """The whole shares of a non-negative quantity; the fraction is dropped."""
    return quantity.quantize(Decimal(1), rounding=ROUND_DOWN)


def float_from_decimal(value: Decimal) -> float:
    """Cross into float64 for the optimiser; never used for anything that is booked."""
    return float(value)


def shares_from_float_floor(quantity: float) -> Decimal:
    """Cross out of the optimiser: shares to six places, rounded toward zero, so that no lot is oversold."""
    return Decimal(repr(quantity)).quantize(SHARE_STEP, rounding=ROUND_DOWN)


def cents_from_float_half_even(amount: float) -> Decimal:
    """Cross out of the optimiser: dollars to the cent, ties to even."""
    return cents_half_even(Decimal(repr(amount)))


def plain(value: Decimal) -> str:
    """The one text of a decimal: no exponent, no trailing zeros, '0' for any zero."""
    if not value:
        return "0"
    text = str(value)  # three times as fast as format, and the same where it shows no exponent
    if "E" in text:
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def split_largest_remainder(total: Decimal, weights: Sequence[Decimal], step: Decimal = CENT) -> list[Decimal]:
    """Split `total` (a multiple of `step`) over non-negative weights so that the parts are multiples of `step` and sum to it.

    Each part is floored (toward zero), then the units left go to the largest remainders, the earlier weight first on a tie.
    A part is never more than its exact share rounded up, so a pro rata share never exceeds the weight it is bounded by.
    Raises ValueError when the weights are negative or sum to zero while the total does not.
    """
    if total < 0:
        return [-part for part in split_largest_remainder(-total, weights, step)]
    if any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative")
    weight_sum = sum(weights, ZERO)
    if weight_sum == 0:
        if total == 0:
            return [ZERO for _ in weights]
        raise ValueError(f"{total} can't be split over weights that sum to zero")
    units = total / step
    if units != units.to_integral_value():
        raise ValueError(f"{total} is not a multiple of {step}")
    floors = [int(units * weight // weight_sum) for weight in weights]
    remainders = [units * weight % weight_sum for weight in weights]
    left = int(units) - sum(floors)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in by_remainder[:left]:
        floors[i] += 1
    return [floor * step for floor in floors]
