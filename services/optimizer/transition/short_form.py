"""The short form: fields as texts (a page's, or the lines above a CSV's lots) with the lots as a table beside them."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from services.optimizer.transition.client_form import Form, Reading, reading
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import MEMBERS, form_of
from services.optimizer.transition.lots_csv import Table, read_table

NOT_IN_A_LINE = ("lots", "lots_file", "state_rates_file")


def read_csv(body: bytes | str, *, offline: bool = False) -> Reading:
    """A CSV whose first lines are names and values and whose rest is lots; only offline may it name a market."""
    table = read_table(body)
    if not (table.short or table.lots or table.faults):
        return Reading(Form(), [FieldFault(0, "", "The table is empty", "Give lots as ticker, day acquired, shares, cost per share")])
    return _reading(table, {}, offline=offline)


def read_short_form(fields: Mapping[str, str], lots: bytes | str) -> Reading:
    """A page's fields, and the lots pasted or uploaded with them; a field of the page goes before a line of the file."""
    return _reading(read_table(lots), {name: text for name, text in fields.items() if text.strip()})


def _reading(table: Table, fields: dict[str, str], *, offline: bool = False) -> Reading:
    given: dict[str, Any] = {}
    lines: dict[str, int] = {}
    faults: list[FieldFault] = []
    for line, name, value in table.short:
        member = name.replace(" ", "_")
        if member not in MEMBERS or member in NOT_IN_A_LINE:
            remedy = "Give lots as ticker, day acquired, shares, cost per share; fields are in docs/transition-intake.md"
            faults.append(FieldFault(line, member, f"The form has no field {member!r}", remedy))
        elif value:
            given[member], lines[member] = value, line

    def line_of(place: str) -> int:
        name = place.partition("[")[0]
        return 0 if name in fields else lines.get(name, 0)

    read = form_of({**given, **fields}, line_of, offline=offline)
    return reading(_with_lots(read.form, table), sorted([*faults, *read.faults, *table.faults], key=lambda each: each.line))


def _with_lots(form: Form, table: Table) -> Form:
    return replace(form, lots=tuple(table.lots), left_out=(*form.left_out, *table.left_out))
