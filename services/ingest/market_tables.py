"""Reading one table of the market directory, CSV or Parquet by extension, into text rows or a wide block of numbers.

CSV is UTF-8 with a header line; lines count from 1, the header being the first.  A Parquet table's rows are counted the same way.
Everything wrong is a BadInput that names file, line, field and remedy.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from libs.common.errors import BadInput
from services.ingest.core.market_inputs import Dates, WideTable

FIRST_DATA_LINE = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: `fields` by column name, empty text where there is no value."""

    file: str
    line: int
    fields: dict[str, str]

    def bad(self, field: str, problem: str, remedy: str) -> BadInput:
        """The error for a field of this line."""
        return BadInput(self.file, self.line, field, problem, remedy)

    def text(self, field: str) -> str:
        """A required field."""
        value = self.fields.get(field, "")
        if not value:
            raise self.bad(field, "it is empty", "Give a value on every line")
        return value

    def date(self, field: str) -> date:
        """A required ISO date."""
        return iso_date(self.file, self.line, field, self.text(field))


def table_path(directory: Path, stem: str) -> Path | None:
    """The table's file, `stem`.csv or `stem`.parquet; None where there is neither, BadInput where there are both."""
    found = [path for path in (directory / f"{stem}.csv", directory / f"{stem}.parquet") if path.is_file()]
    if len(found) > 1:
        raise BadInput(f"{stem}.csv", None, None, f"{stem}.parquet is there too", "Keep one of the two")
    return found[0] if found else None


def read_rows(path: Path, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """All lines of a narrow table; each column must be known, each required one present.  `name` is the file's name in errors."""
    if path.suffix == ".parquet":
        table = _parquet(path, name)
        _check_columns(name, table.column_names, required, optional)
        texts = {field: _text_column(name, field, table[field]) for field in table.column_names}
        lines = zip(*texts.values(), strict=True)
        return [Row(name, line, dict(zip(texts, values, strict=True))) for line, values in enumerate(lines, FIRST_DATA_LINE)]
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_columns(name, header, required, optional)
            rows = []
            for values in reader:
                if len(values) != len(header):
                    raise _uneven(name, reader.line_num, len(header), len(values))
                rows.append(Row(name, reader.line_num, dict(zip(header, (value.strip() for value in values), strict=True))))
            return rows
        except UnicodeDecodeError as error:
            raise _not_utf8(name, error) from error
        except csv.Error as error:
            raise BadInput(name, None, None, f"it is not a CSV file ({error})", "Check the quotes") from error


def read_wide(path: Path, name: str, columns: Sequence[str], what: str) -> WideTable:
    """A table with a column `date` and one a security, brought into the order of `columns`; securities without a column are NaN.

    Values must be positive; an empty field (a null in Parquet) is none.  `what` names them in errors: "price".
    """
    table = _parquet(path, name) if path.suffix == ".parquet" else _wide_csv(path, name)
    _check_wide_header(name, table.column_names, columns)
    dates = _dates(name, table["date"])
    values = np.full((len(dates), len(columns)), np.nan)
    present = set(table.column_names)
    for i, column in enumerate(columns):
        if column in present:
            values[:, i] = _numbers(name, column, table[column], what)
    return WideTable(dates, values)


def iso_date(name: str, line: int, field: str, text: str) -> date:
    """A date such as 2025-12-15."""
    try:
        if len(text) != len("2025-12-15"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(name, line, field, f"{text!r} is not a date", "Write dates as 2025-12-15") from None


def decimal_of(row: Row, field: str) -> Decimal:
    """A required number."""
    text = row.text(field)
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise row.bad(field, f"{text!r} is not a number", "Write a number such as 0.0125")
    return value


def _check_columns(name: str, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> None:
    known = [*required, *optional]
    for column in required:
        if column not in header:
            raise BadInput(name, 1, column, "the column is missing", f"The columns are {', '.join(known)}")
    for i, column in enumerate(header):
        if column not in known:
            raise BadInput(name, 1, column, "the column is not known", f"The columns are {', '.join(known)}")
        if column in header[:i]:
            raise BadInput(name, 1, column, "the column is there twice", "Keep one of the two")


def _check_wide_header(name: str, header: Sequence[str], columns: Sequence[str]) -> None:
    if "date" not in header:
        raise BadInput(name, 1, "date", "the column is missing", "The first column is `date`, then one column a security")
    known = {"date", *columns}
    seen: set[str] = set()
    for column in header:
        if column not in known:
            raise BadInput(name, 1, column, "the security is not in the security master", "Add it to securities, or take the column out")
        if column in seen:
            raise BadInput(name, 1, column, "the column is there twice", "Keep one of the two")
        seen.add(column)


def _uneven(name: str, line: int | None, expected: int, actual: int) -> BadInput:
    return BadInput(name, line, None, f"the line has {actual} fields, the header {expected}", "Give each line as many fields as the header")


def _parquet(path: Path, name: str) -> Any:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(name, None, None, f"it is not a Parquet file ({error})", "Write it again") from error


def _wide_csv(path: Path, name: str) -> Any:
    """A wide CSV as a table of text columns."""
    header = _header(path, name)
    _check_wide_header(name, header, header)
    uneven: list[Any] = []

    def note(row: Any) -> str:
        uneven.append(row)
        return "skip"

    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(use_threads=False),
            parse_options=pacsv.ParseOptions(invalid_row_handler=note, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowException as error:
        raise BadInput(name, None, None, f"it is not a CSV file in UTF-8 ({error})", "Write it again as UTF-8") from error
    if uneven:
        raise _uneven(name, uneven[0].number, uneven[0].expected_columns, uneven[0].actual_columns)
    return table


def _header(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return next(csv.reader(file), [])
        except UnicodeDecodeError as error:
            raise _not_utf8(name, error) from error


def _not_utf8(name: str, error: UnicodeDecodeError) -> BadInput:
    return BadInput(name, None, None, f"it is not UTF-8 ({error.reason})", "Save it as UTF-8")


def _text_column(name: str, field: str, column: Any) -> list[str]:
    try:
        return [text.strip() if text is not None else "" for text in column.cast(pa.string()).to_pylist()]
    except pa.ArrowException:
        raise BadInput(name, None, field, f"the column has type {column.type}", "Store it as text or numbers") from None


def _dates(name: str, column: Any) -> Dates:
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.date32()).cast(pa.string())
    texts = _text_column(name, "date", column)
    found = [iso_date(name, line, "date", text) for line, text in enumerate(texts, FIRST_DATA_LINE)]
    for i in range(1, len(found)):
        if found[i] <= found[i - 1]:
            raise BadInput(
                name, i + FIRST_DATA_LINE, "date", f"{found[i]} does not come after {found[i - 1]}", "Sort by date, each date once"
            )
    return np.array(found, dtype="datetime64[D]")


def _numbers(name: str, field: str, column: Any, what: str) -> Any:
    """(rows,) float64 with NaN for none; BadInput for anything that is not a positive finite number."""
    remedy = f"Give a positive {what}, or leave it empty where there is none"
    if pa.types.is_string(column.type):
        filled = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
        try:
            numbers = filled.cast(pa.float64())
        except pa.ArrowException:
            line, text = next((i, t) for i, t in enumerate(column.to_pylist(), FIRST_DATA_LINE) if t and not _is_number(t))
            raise BadInput(name, line, field, f"{text!r} is not a number", remedy) from None
    else:
        try:
            numbers = pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
            numbers = numbers.cast(pa.float64())
        except pa.ArrowException:
            raise BadInput(name, None, field, f"the column has type {column.type}", "Store numbers") from None
    values = numbers.to_numpy().astype(np.float64, copy=True)
    given = numbers.is_valid().to_numpy()
    wrong = given & ~((values > 0) & np.isfinite(values))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadInput(name, row + FIRST_DATA_LINE, field, f"the {what} is {values[row]:g}", remedy)
    return values


def _is_number(text: str) -> bool:
    try:
        pa.scalar(text).cast(pa.float64())
    except pa.ArrowException:
        return False
    return True
