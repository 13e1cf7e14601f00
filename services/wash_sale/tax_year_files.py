"""The tax year as files: Form 8949, Schedule D, gift candidates and the brokers' forms as CSV and JSON; the whole report as JSON."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from libs.common.money import ZERO, cents_half_even, plain
from services.wash_sale.core.tax_year.broker_form import BrokerSale
from services.wash_sale.core.tax_year.form_8949 import Form8949Row
from services.wash_sale.core.tax_year.giving import GiftCandidate
from services.wash_sale.core.tax_year.household import HouseholdYear
from services.wash_sale.core.tax_year.schedule_d import ScheduleDLine

Row = dict[str, str]
SHORT_BOXES = frozenset("ABC")


def tables(years: Sequence[HouseholdYear]) -> dict[str, list[Row]]:
    """Each table's rows by its name.  Amounts are dollars and cents; dates are ISO."""
    reports = [(year.household_id, report) for year in years for report in year.returns]
    return {
        "form_8949": [_form_row(name, report.return_id, row) for name, report in reports for row in report.form_8949],
        "schedule_d": [_schedule_row(name, report.return_id, line) for name, report in reports for line in report.schedule_d],
        "gift_candidates": [_gift_row(name, report.return_id, each) for name, report in reports for each in report.gift_candidates],
        "broker_1099b": [_broker_row(year.household_id, each) for year in years for each in year.broker_sales],
    }


def write_files(years: Sequence[HouseholdYear], out: Path) -> list[Path]:
    """Write every table as CSV and JSON, and the whole reports as JSON; returns the paths."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in tables(years).items():
        written += [_write(out / f"{name}.csv", table_csv(name, rows)), _write(out / f"{name}.json", _json(rows))]
    return [*written, _write(out / "tax_year.json", _json(years))]


def table_csv(name: str, rows: Sequence[Row]) -> str:
    """A table as CSV with its header, also where it is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS[name], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _form_row(household_id: str, return_id: str, row: Form8949Row) -> Row:
    return {
        "household": household_id,
        "return": return_id,
        "part": "I" if row.box in SHORT_BOXES else "II",
        "box": row.box,
        "a_description": row.description,
        "b_acquired": row.acquired,
        "c_sold": row.sold.isoformat(),
        "d_proceeds": _dollars(row.proceeds),
        "e_basis": _dollars(row.basis),
        "f_code": row.code,
        "g_adjustment": _dollars(row.adjustment) if row.code else "",
        "h_gain": _dollars(row.gain),
        "certainty": row.certainty,
        "provisional_until": "" if row.provisional_until is None else row.provisional_until.isoformat(),
        "account": row.account_id,
        "sale_id": row.sale_id,
        "lot_id": row.lot_id,
    }


def _schedule_row(household_id: str, return_id: str, line: ScheduleDLine) -> Row:
    return {
        "household": household_id,
        "return": return_id,
        "line": line.line,
        "what": line.what,
        "d_proceeds": _dollars(line.proceeds),
        "e_basis": _dollars(line.basis),
        "g_adjustment": _dollars(line.adjustment),
        "h_gain": _dollars(line.gain),
    }


def _gift_row(household_id: str, return_id: str, each: GiftCandidate) -> Row:
    return {
        "household": household_id,
        "return": return_id,
        "rank": str(each.rank),
        "account": each.lot.account_id,
        "security": each.lot.security_id,
        "lot_id": each.lot.lot_id,
        "quantity": plain(each.lot.quantity),
        "basis": _dollars(each.lot.basis),
        "value": _dollars(each.lot.value),
        "gain_avoided": _dollars(each.gain_avoided),
        "gain_avoided_frac": plain(each.gain_avoided_frac),
    }


def _broker_row(household_id: str, each: BrokerSale) -> Row:
    return {
        "household": household_id,
        "account": each.account_id,
        "sale_id": each.sale_id,
        "lot_id": each.lot_id,
        "box_1d": _dollars(each.box_1d),
        "box_1e": _dollars(each.box_1e),
        "box_1g": _dollars(each.box_1g),
        "ledger_basis": _dollars(each.ledger_basis),
        "ledger_disallowed": _dollars(each.ledger_disallowed),
        "why": each.why.value,
    }


COLUMNS = {
    "form_8949": (
        "household",
        "return",
        "part",
        "box",
        "a_description",
        "b_acquired",
        "c_sold",
        "d_proceeds",
        "e_basis",
        "f_code",
        "g_adjustment",
        "h_gain",
        "certainty",
        "provisional_until",
        "account",
        "sale_id",
        "lot_id",
    ),
    "schedule_d": (
        "household",
        "return",
        "line",
        "what",
        "d_proceeds",
        "e_basis",
        "g_adjustment",
        "h_gain",
    ),
    "broker_1099b": (
        "household",
        "account",
        "sale_id",
        "lot_id",
        "box_1d",
        "box_1e",
        "box_1g",
        "ledger_basis",
        "ledger_disallowed",
        "why",
    ),
    "gift_candidates": (
        "household",
        "return",
        "rank",
        "account",
        "security",
        "lot_id",
        "quantity",
        "basis",
        "value",
        "gain_avoided",
        "gain_avoided_frac",
    ),
}


def _dollars(amount: Decimal | None) -> str:
    return "" if amount is None else f"{cents_half_even(amount) + ZERO:.2f}"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
