"""The members of a form that are more than a text or a number: wishes, rates, accounts.

Each may be an object, or a short text as it stands in a page's field or a spreadsheet's cell: "ACORN: 5%: 3" winds ACORN down to 5 % in
3 years.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from libs.common.federal_tax import FILING_STATUSES, FilingStatus
from services.optimizer.transition.client_form import (
    ACCOUNT_KINDS,
    Elsewhere,
    OutsideAsset,
    PlacedAccount,
    StateRates,
    WindDownWish,
)
from services.optimizer.transition.fields import Fields

Part = TypeVar("Part")
IN_WORDS: dict[str, tuple[str, ...]] = {
    "state_rates": ("state", "short_rate", "long_rate"),
    "owned_elsewhere": ("ticker", "bought"),
    "wind_down": ("ticker", "to", "years", "yearly"),
    "outside": ("what", "value"),
    "accounts": ("kind", "value"),
}
SAID_STATUS: dict[str, FilingStatus] = {
    "married filing jointly": "mfj",
    "joint": "mfj",
    "married filing separately": "mfs",
    "separate": "mfs",
    "head of household": "hoh",
}
MOST_YEARS = 10
STATE = re.compile(r"[A-Z]{2}")
LETTERS = "Give its two letters, such as CA"


def all_of(fields: Fields, name: str, read: Callable[[Fields], Part | None]) -> tuple[Part, ...]:
    """Every part of a list that could be read; the others are marked."""
    members = IN_WORDS[name]

    def from_text(text: str) -> dict[str, Any]:
        return dict(zip(members, (part.strip() for part in text.split(":")), strict=False))

    found = []
    for part in fields.parts(name, from_text):
        part.unknown(members)
        before = len(part.faults)
        value = read(part)
        if value is not None and len(part.faults) == before:
            found.append(value)
    return tuple(found)


def needed(part: Fields, name: str, remedy: str) -> str:
    """A text that must be there; marked and empty where it is not."""
    text = part.text(name)
    if not text:
        part.wrong(name, f"{name} is missing", remedy)
    return text


def state(fields: Fields) -> str:
    """A state's two letters, in capitals; empty where there are none."""
    text = fields.text("state").upper()
    if text and not STATE.fullmatch(text):
        fields.wrong("state", f"{text.title()!r} is no state's two letters", LETTERS)
        return ""
    return text


def state_rates(part: Fields) -> StateRates | None:
    """A state's two rates."""
    code, short, long = state(part), part.fraction("short_rate", "9.3% or 0.093"), part.fraction("long_rate", "9.3% or 0.093")
    if part.given.get("state") in (None, ""):
        part.wrong("state", "state is missing", LETTERS)
    if short is None or long is None:
        part.wrong("short_rate", "Both rates are needed", "Give short_rate and long_rate, such as 5%")
        return None
    return StateRates(code, short, long)


def elsewhere(part: Fields) -> Elsewhere:
    """A security that is owned outside."""
    return Elsewhere(needed(part, "ticker", "Give the security's ticker").upper(), part.day("bought"), part.item)


def wind_down(part: Fields) -> WindDownWish:
    """A concentrated position to reduce: to nothing within five years where nothing else is said."""
    ticker = needed(part, "ticker", "Give the security's ticker").upper()
    to, yearly = part.fraction("to", "5% or 0.05"), part.fraction("yearly", "12% or 0.12")
    return WindDownWish(ticker, to or Decimal(0), part.whole("years", 1, MOST_YEARS) or 5, yearly, part.item)


def outside(part: Fields) -> OutsideAsset:
    """Something kept outside."""
    return OutsideAsset(needed(part, "what", "Say what it is"), part.money("value"))


def account(part: Fields) -> PlacedAccount | None:
    """One account of a total portfolio."""
    kind, value = part.text("kind").lower().replace(" ", "_"), part.money("value")
    known = next((each for each in ACCOUNT_KINDS if each == kind), None)
    if known is None:
        part.wrong("kind", f"{kind!r} is no kind of account", f"Give one of {', '.join(ACCOUNT_KINDS)}")
    elif value is None or value == 0:
        part.wrong("value", "The account's value is missing", "Give dollars")
    else:
        return PlacedAccount(known, value)
    return None


def filing_status(fields: Fields) -> FilingStatus | None:
    """A filing status by its short name or in words."""
    text = fields.text("filing_status").lower()
    if not text:
        return None
    found = next((each for each in FILING_STATUSES if each == text), SAID_STATUS.get(text))
    if found is None:
        fields.wrong("filing_status", f"{text!r} is no filing status", f"Give one of {', '.join(FILING_STATUSES)}")
    return found


def tickers(fields: Fields, name: str) -> tuple[str, ...]:
    """Tickers, in capitals."""
    return tuple(dict.fromkeys(each.upper() for each in fields.texts(name)))


def timelines(fields: Fields) -> tuple[int, ...]:
    """The years of each timeline to show, 3 and 5 where none are given."""
    if fields.given.get("timelines") is None:
        return (3, 5)
    part = Fields({f"timelines[{n}]": value for n, value in enumerate(fields.items("timelines"))}, fields.lines, fields.faults)
    read = [part.whole(name, 1, MOST_YEARS) for name in part.given]
    return tuple(sorted({each for each in read if each is not None})) or (3, 5)


def risk_aversion(fields: Fields) -> Decimal | None:
    """The price of tracking error: above zero."""
    value = fields.number("risk_aversion")
    if value is not None and not Decimal("0.01") <= value <= 10_000:
        fields.wrong(
            "risk_aversion", f"{value.normalize():f} is not from 0.01 to 10000", "Give a number in that range, or leave it out for 20"
        )
        return None
    return value
