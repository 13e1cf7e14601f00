"""A client's intake from a file: JSON that may name files beside it (lots_file, state_rates_file), or a CSV of lots with the short form."""

import csv
from pathlib import Path
from typing import Any

from services.optimizer.transition.client_form import Form, Reading, reading
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import form_of, parsed_json
from services.optimizer.transition.lines import Lines
from services.optimizer.transition.lots_csv import decoded
from services.optimizer.transition.short_form import read_csv

TABLES = (".csv", ".tsv", ".txt")


def read_intake(path: Path) -> Reading:
    """The form of a file, with everything that is wrong with it and with the files that it names."""
    body = _bytes_of(path, "")
    if isinstance(body, FieldFault):
        return Reading(Form(), [body])
    if path.suffix.lower() in TABLES:
        return read_csv(body, offline=True)
    text = decoded(body)
    parsed = parsed_json(text)
    if isinstance(parsed, FieldFault):
        return Reading(Form(), [parsed])
    faults = [*_with_lots(parsed, path.parent), *_with_state_rates(parsed, path.parent)]
    read = form_of(parsed, Lines(text), offline=True)
    return reading(read.form, [*faults, *read.faults])


def _bytes_of(path: Path, field: str) -> bytes | FieldFault:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "the name can't be that of a file"
        return FieldFault(0, field, f"{path} can't be read: {why}", "Give the path of a file")


def _named(parsed: dict[str, Any], name: str, directory: Path) -> bytes | FieldFault | None:
    """The content of the file that a member names; None where it names none."""
    given = parsed.get(name)
    return _bytes_of(directory / given, name) if isinstance(given, str) and given else None


def _with_lots(parsed: dict[str, Any], directory: Path) -> list[FieldFault]:
    """Put the lots of `lots_file` in their place."""
    body = _named(parsed, "lots_file", directory)
    if body is None or isinstance(body, FieldFault):
        return [] if body is None else [body]
    if parsed.get("lots"):
        return [FieldFault(0, "lots_file", "Lots are given twice: in lots and in lots_file", "Give them once; those of the form are used")]
    parsed["lots"] = decoded(body)
    return []


def _with_state_rates(parsed: dict[str, Any], directory: Path) -> list[FieldFault]:
    """Add the rates of `state_rates_file`: a CSV with the columns state, short_rate, long_rate."""
    body = _named(parsed, "state_rates_file", directory)
    if body is None or isinstance(body, FieldFault):
        return [] if body is None else [body]
    given = parsed.get("state_rates")
    if given is not None and not isinstance(given, list):
        return []
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(decoded(body).splitlines()) if any(row)]
    except csv.Error as error:
        return [FieldFault(0, "state_rates_file", f"It is no CSV: {error}", "Give the columns state, short_rate, long_rate")]
    if not rows or [name.lower() for name in rows[0]] != ["state", "short_rate", "long_rate"]:
        return [FieldFault(1, "state_rates_file", "Its columns are not state, short_rate, long_rate", "Give these three columns")]
    parsed["state_rates"] = [*(given or []), *(dict(zip(("state", "short_rate", "long_rate"), row, strict=False)) for row in rows[1:])]
    return []
