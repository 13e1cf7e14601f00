"""Fields of a history file, read one by one: what is wrong is said with the event and the field."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from libs.common.money import ZERO, cents_half_even
from services.wash_sale.core.refusals import RefusalCode
from services.wash_sale.core.tax_events import LotPart

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1900, 2200)
MOST_DIGITS = 16


class BadHistory(Struct, frozen=True):
    """Why a history can't be taken: nothing of it is."""

    history_id: str
    code: RefusalCode
    event: str
    field: str
    detail: str

    def text(self) -> str:
        """One line for a person."""
        return f"{self.history_id}: {self.event}, {self.field}: {self.code.value} ({self.detail})"


class BadField(Exception):
    """Inside the reader: a field that can't be read; `read_history` turns it into a BadHistory."""

    def __init__(self, code: RefusalCode, event: str, field: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.event, self.field, self.detail = code, event, field, detail


class Fields:
    """One object of the file, by name of event."""

    def __init__(self, raw: object, event: str) -> None:
        if type(raw) is not dict and not isinstance(raw, Mapping):
            raise BadField(RefusalCode.NOT_READABLE, event, "", f"an object is wanted, not {type(raw).__name__}")
        self.raw: Mapping[str, Any] = raw
        self.event = event

    def bad(self, code: RefusalCode, field: str, detail: str) -> BadField:
        """The error of a field."""
        return BadField(code, self.event, field, detail)

    def has(self, field: str) -> bool:
        """Whether the field says anything."""
        return self.raw.get(field) is not None

    def text(self, field: str) -> str:
        """A word that must be there; a name that is a whole number is its digits."""
        value = self.raw.get(field)
        if type(value) is str and value and value.isascii():
            return value
        if value is None or value == "":
            raise self.bad(RefusalCode.MISSING, field, "it is needed")
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise self.bad(RefusalCode.NOT_READABLE, field, f"text is wanted, not {value!r}")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise self.bad(RefusalCode.NOT_READABLE, field, f"{value!r} has half a character")
        return value

    def day(self, field: str) -> date:
        """An ISO date that exists, in a year in which shares can have been traded."""
        value = self.text(field)
        try:
            if not _DAY.fullmatch(value):
                raise ValueError("a date as 2025-06-30 is wanted")
            day = date.fromisoformat(value)
            if day.year not in _YEARS:
                raise ValueError(f"a year from {_YEARS.start} to {_YEARS.stop - 1} is wanted")
            return day
        except ValueError as error:
            raise self.bad(RefusalCode.NOT_A_DATE, field, f"{value!r}: {error}") from None

    def day_or_none(self, field: str) -> date | None:
        """A date, where one is given."""
        return self.day(field) if self.has(field) else None

    def number(self, field: str) -> Decimal:
        """A decimal in plain digits."""
        value = self.raw.get(field)
        if value is None:
            raise self.bad(RefusalCode.MISSING, field, "it is needed")
        text = value if type(value) is str else str(value) if isinstance(value, int | Decimal) else ""
        if isinstance(value, Decimal) and abs(value.adjusted()) < MOST_DIGITS:
            text = format(value, "f")  # 1e2 in JSON is a number like 100
        if not _NUMBER.fullmatch(text):
            raise self.bad(RefusalCode.NOT_A_NUMBER, field, f"{value!r} is not a plain decimal such as 1234.56")
        return Decimal(text)

    def positive(self, field: str) -> Decimal:
        """More than zero: shares, ratios."""
        value = self.number(field)
        if value <= 0:
            raise self.bad(RefusalCode.NOT_POSITIVE, field, f"{value} is not more than zero")
        return value

    def dollars(self, field: str) -> Decimal:
        """Zero or more, to the cent."""
        value = self.number(field)
        if value < 0:
            raise self.bad(RefusalCode.NOT_POSITIVE, field, f"{value} is less than zero")
        return cents_half_even(value)

    def dollars_or_none(self, field: str) -> Decimal | None:
        """Dollars, where they are known."""
        return self.dollars(field) if self.has(field) else None

    def price(self, field: str) -> Decimal:
        """Dollars a share, zero or more, not rounded."""
        value = self.number(field)
        if value < 0:
            raise self.bad(RefusalCode.NOT_POSITIVE, field, f"{value} is less than zero")
        return value

    def price_or_zero(self, field: str) -> Decimal:
        """Dollars a share, where given."""
        return self.price(field) if self.has(field) else ZERO

    def ratio(self, field: str) -> tuple[Decimal, Decimal]:
        """New shares for old ones: "0.5", or "1/3" (also "1:3") where no decimal is exact."""
        value = self.raw.get(field)
        if isinstance(value, str) and (parts := re.split("[/:]", value)) and len(parts) == 2:
            pair = Fields({field: parts[0]}, self.event), Fields({field: parts[1]}, self.event)
            return pair[0].positive(field), pair[1].positive(field)
        return self.positive(field), Decimal(1)

    def lots(self, field: str) -> tuple[LotPart, ...] | None:
        """Chosen lots, where they are."""
        value = self.raw.get(field)
        if value is None:
            return None
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise self.bad(RefusalCode.NOT_READABLE, field, "a list of lots with their quantities is wanted")
        parts = []
        for number, each in enumerate(value):
            part_name = f"{field}[{number}]"
            if not isinstance(each, Mapping):
                raise self.bad(RefusalCode.NOT_READABLE, part_name, f"a lot with its quantity is wanted, not {each!r}")
            part = Fields(each, self.event)
            try:
                parts.append(LotPart(part.text("lot_id"), part.positive("quantity")))
            except BadField as error:
                raise self.bad(error.code, f"{part_name}.{error.field}", error.detail) from None
        return tuple(parts)

    def choice(self, field: str, allowed: Sequence[str], default: str) -> str:
        """One of a few words."""
        value = self.raw.get(field)
        if value is None:
            return default
        if value not in allowed:
            raise self.bad(RefusalCode.NOT_READABLE, field, f"{value!r} is none of {', '.join(allowed)}")
        return str(value)
