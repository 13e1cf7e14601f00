"""The lots of a form: a list of objects, or a table as text (pasted, or a CSV's content)."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from services.optimizer.transition.amounts import Mark
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.fields import Fields, clean
from services.optimizer.transition.lots_csv import COLUMNS, MOST_LOTS, FormLot, LeftOut, left_out, read_lot, read_table


def lots_of(fields: Fields) -> tuple[tuple[FormLot, ...], tuple[LeftOut, ...]]:
    """The lots that can be read and those that can't, which are marked."""
    given = fields.given.get("lots")
    if isinstance(given, str):
        table = read_table(given)
        fields.faults.extend(table.faults)
        for line, name, _ in table.short:
            fields.faults.append(FieldFault(line, "lots", f"{name!r} is no lot", "Give ticker, day acquired, shares, cost per share"))
        return tuple(table.lots), tuple(table.left_out)
    lots: list[FormLot] = []
    out: list[LeftOut] = []
    items = fields.items("lots")
    if len(items) > MOST_LOTS:
        fields.wrong("lots", f"There are more than {MOST_LOTS} lots", "Give the account in parts")
    for n, item in enumerate(items[:MOST_LOTS]):
        place = f"lots[{n}]"
        line = fields.lines(place)
        if not isinstance(item, dict):
            fields.wrong(place, "It is no lot", "Give an object with ticker, acquired, shares, cost_per_share")
            out.append(LeftOut(f"Lot {n + 1}", "It is no lot"))
            continue
        part = Fields(item, fields.lines, fields.faults, place)
        part.unknown(COLUMNS)
        texts = {name: _text(item.get(name)) for name in COLUMNS}
        lot = read_lot(texts, line, n, Mark.POINT)
        if isinstance(lot, FormLot):
            lots.append(lot if texts["lot_id"].strip() else replace(lot, lot_id=f"lot {n + 1}"))
        else:
            fields.faults.extend(FieldFault(fields.lines(each.field), each.field, each.message, each.remedy) for each in lot)
            out.append(left_out(texts, line, lot))
    return tuple(lots), tuple(out)


def _text(value: Any) -> str:
    """A member of a lot as text; what is neither text nor number reads as a wrong one."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal | float):
        return "?"
    if isinstance(value, str):
        return clean(value)
    return f"{Decimal(value):f}" if Decimal(value).is_finite() and abs(Decimal(value).adjusted()) < 30 else "?"
