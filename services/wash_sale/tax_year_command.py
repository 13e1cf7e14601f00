"""`python -m services.wash_sale tax-year FILE --year Y --out DIR`: Form 8949 and Schedule D from a file of histories, without a server.

FILE is what `replay` takes.  A history may say more under `tax`: returns with filing status, income and carryovers, prices, what the
broker's Form 1099-B says (docs/tax-year.md).
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import HistoryBooks, books_of_history
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year.household import HouseholdBooks, HouseholdYear, household_year
from services.wash_sale.core.tax_year.stated import BadStatement, read_stated
from services.wash_sale.history_json import UnreadableFile, read_entries
from services.wash_sale.tax_year_files import write_files

CORPORATION = ("corporation_controlled_by", "controlled_corporation")


def run(path: Path, year: int, out: Path, as_of: date | None) -> int:
    """Write the tables; 1 where a history was refused (the others are written), 2 where the file can't be read or written."""
    try:
        entries = read_entries(path)
    except UnreadableFile as error:
        return _said(str(error), 2)
    histories = [each for each in entries if not _calculation(each)]
    answers = [year_of_history(each, number, year, as_of) for number, each in enumerate(histories)]
    years = [answer for answer in answers if isinstance(answer, HouseholdYear)]
    problems = [answer for answer in answers if isinstance(answer, str)]
    problems += [f"{each.household_id}: {refusal.text()}" for each in years for refusal in each.refused]
    for problem in problems:
        _said(problem, 1)
    try:
        written = write_files(years, out)
    except OSError as error:
        return _said(f"{out}: {error}", 2)
    print(f"{len(years)} of {len(histories)} histories, {year}: {', '.join(each.name for each in written)} in {out}")  # noqa: T201
    return 1 if problems else 0


def _said(problem: str, code: int) -> int:
    print(problem, file=sys.stderr)  # noqa: T201 (a command for a person)
    return code


def year_of_history(raw: object, number: int, year: int, as_of: date | None) -> HouseholdYear | str:
    """The year of one history as known on `as_of` (by default the file's own, or the day of its last event), or what is wrong with it."""
    as_of = as_of or _files_day(raw)
    known = _until(raw, as_of)
    books = books_of_history(known, number)
    if isinstance(books, BadHistory):
        return books.text()
    assert isinstance(raw, Mapping) and isinstance(known, Mapping), "the reader has refused anything else"
    stated = read_stated(raw.get("tax") or {})
    if not isinstance(stated, BadStatement):
        answer = household_year(_books(books, raw, _alone(known, books)), stated, year, as_of or _last_day(raw, year))
        if isinstance(answer, HouseholdYear):
            return answer
        stated = answer
    return f"{books.history_id}: {stated.field}: {stated.problem}"


def _calculation(raw: object) -> bool:
    """Whether an entry gives a calculation's inputs instead of a history: it has no year."""
    return isinstance(raw, Mapping) and not raw.get("transactions") and raw.get("inputs") is not None


def _files_day(raw: object) -> date | None:
    """The day that the history itself names; one that is none is for the reader to refuse."""
    try:
        return date.fromisoformat(raw["as_of"]) if isinstance(raw, Mapping) else None
    except (KeyError, TypeError, ValueError):
        return None


def _until(raw: object, as_of: date | None) -> object:
    """The history without what came after the day; what has no date stays, for the reader to refuse."""
    if as_of is None or not isinstance(raw, Mapping) or not isinstance(raw.get("transactions"), list):
        return raw
    day = as_of.isoformat()
    return {**raw, "transactions": [each for each in raw["transactions"] if not _day(each) > day]}


def _day(transaction: object) -> str:
    day = transaction.get("date") if isinstance(transaction, Mapping) else None
    return day if isinstance(day, str) else ""


def _last_day(raw: Mapping[str, Any], year: int) -> date:
    days = [_day(each) for each in raw["transactions"]]
    return date.fromisoformat(max(days)) if days else date(year, 12, 31)


def _alone(raw: Mapping[str, Any], books: HistoryBooks) -> list[SaleRow]:
    """The sale rows of each taxable account by itself, every security a group by itself; none of one that shares moved into or out of."""
    rows: list[SaleRow] = []
    securities = raw.get("securities")
    kinds = {name: {"type": each.get("type")} for name, each in securities.items()} if isinstance(securities, Mapping) else {}
    for account in raw["accounts"]:
        if books.accounts[account["id"]].taxable:
            own = [each for each in raw["transactions"] if each.get("account", account["id"]) == account["id"]]
            found = books_of_history({**raw, "accounts": [account], "transactions": own, "securities": kinds, "identity_groups": []})
            rows += [] if isinstance(found, BadHistory) else found.rows
    return rows


def _books(books: HistoryBooks, raw: Mapping[str, Any], alone: Sequence[SaleRow]) -> HouseholdBooks:
    owners = {str(each.get("owner", "A")) for each in raw["accounts"] if str(each.get("relation") or "").startswith(CORPORATION)}
    return HouseholdBooks(
        household_id=books.history_id,
        rows=books.rows,
        layers=books.layers,
        taxpayer_of={account.account_id: account.taxpayer_id for account in books.accounts.values() if account.taxable},
        corporations=frozenset(owners),
        gifts=books.gifts,
        alone=alone,
        outside_accounts=not all(account.covered for account in books.accounts.values()),
    )
