"""How numbers are written for people: the only place that formats money, percentages, shares and dates of a report.

Money is shown to the cent, as it is in the JSON; rates of an account with two decimals; tracking errors likewise; basis points with as many
decimals as their size asks for.  What is missing is a dash.
"""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

NONE = "–"
MINUS = "−"
SMALLEST_BPS = 0.01  # a gap below it is said as this: enough, and still true
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def money(amount: Decimal | None) -> str:
    """Dollars and cents; a minus in front of the sign of the dollar."""
    if amount is None:
        return NONE
    cents = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    return f"{MINUS if cents < 0 else ''}${abs(cents):,.2f}"


def percent(fraction: float | Decimal | None) -> str:
    """A fraction as a percentage with two decimals."""
    if fraction is None:
        return NONE
    text = f"{abs(100 * fraction):.2f}"
    return f"{MINUS if fraction < 0 and float(text) else ''}{text}%"


def points(difference: float | None) -> str:
    """A difference of two percentages, in percentage points."""
    if difference is None:
        return NONE
    text = f"{abs(100 * difference):.2f}"
    return f"{MINUS if difference < 0 and float(text) else ''}{text} pp"


def basis_points(value: float | None) -> str:
    """A gap in basis points of the account: a small number keeps its first digits, the smallest are rounded up to SMALLEST_BPS."""
    if value is None:
        return NONE
    if abs(value) < SMALLEST_BPS:
        return f"{SMALLEST_BPS} bp"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS if value < 0 and float(text) else ''}{text} bp"


def count(number: int | None) -> str:
    """A whole number with separators of thousands."""
    return NONE if number is None else f"{number:,}"


def quantity(shares: Decimal) -> str:
    """Shares, without a sign and without zeros at the end."""
    text = f"{abs(shares):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def years(number: float | None) -> str:
    """A length in years with one decimal."""
    if number is None:
        return NONE
    return f"{number:.1f} {'year' if f'{number:.1f}' == '1.0' else 'years'}"


def day(when: date) -> str:
    """A date as people write it here."""
    return f"{MONTHS[when.month - 1]} {when.day}, {when.year}"
