"""The table of corporate actions (docs/file-formats.md): what changes prices, and the reorganizations that the tax ledger books.

    corporate_actions.(csv|parquet)  security_id, ex_date, kind, value, new_security_id?, cash_per_share?, new_price?, parent_price?

Terms that leave a choice of what was meant are refused, with the line: of what is guessed every later figure would be wrong.
"""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from libs.common.schemas.market import Reorganization, ReorganizationKind
from services.ingest.core.market_inputs import Action
from services.ingest.market_tables import Row, decimal_of, read_rows

COLUMNS = ("security_id", "ex_date", "kind", "value")
OPTIONS = ("new_security_id", "cash_per_share", "new_price", "parent_price")
Term = Literal["new_security_id", "cash_per_share", "new_price", "parent_price"]
TERMS: dict[ReorganizationKind, tuple[Term, ...]] = {
    "spin_off": ("new_security_id", "new_price", "parent_price"),
    "return_of_capital": (),
    "merger": ("new_security_id", "cash_per_share", "new_price"),
    "cash_merger": (),
    "cash_in_lieu": (),
}
"""The further columns that a kind has; the others stay empty."""
NEEDED: dict[ReorganizationKind, tuple[Term, ...]] = {
    "spin_off": ("new_security_id", "new_price", "parent_price"),
    "merger": ("new_security_id",),
}
BRINGS_ANOTHER = ("merger", "spin_off")


def read_actions(path: Path, ids: Collection[str]) -> tuple[tuple[Action, ...], tuple[Reorganization, ...]]:
    """What the table says, in the order of securities and dates; raises BadInput."""
    priced: dict[tuple[str, date, str], Action] = {}
    reorganized: dict[tuple[str, date], tuple[Row, Reorganization]] = {}
    for row in read_rows(path, path.name, COLUMNS, OPTIONS):
        action, reorganization = _read(row, ids)
        if reorganization is not None:
            own = (reorganization.security_id, reorganization.ex_date)
            if own in reorganized:
                raise row.bad("ex_date", f"{own[0]} has another action on {own[1]}", "Give each its own day, in their order")
            reorganized[own] = (row, reorganization)
        if action is None:
            continue
        key = (action.security_id, action.ex_date, action.kind)
        if action.kind == "split" and key in priced:
            raise row.bad("ex_date", f"{action.security_id} has another split on {action.ex_date}", "Give one line a split")
        previous = priced.get(key)
        priced[key] = action if previous is None else Action(*key[:2], "dividend", previous.value + action.value)
    for row, one in reorganized.values():
        _check_day(row, one, [other for _, other in reorganized.values()], priced.values())
    found = sorted(priced.values(), key=lambda each: (each.security_id, each.ex_date, each.kind))
    ordered = sorted((one for _, one in reorganized.values()), key=lambda each: (each.ex_date, each.security_id, each.kind))
    return tuple(found), tuple(ordered)


def _read(row: Row, ids: Collection[str]) -> tuple[Action | None, Reorganization | None]:
    """What a line is to prices, and to the ledger."""
    security_id, ex_date, value = known_security(row, "security_id", ids), row.date("ex_date"), positive_decimal(row, "value")
    match row.text("kind"):
        case "split" | "stock_dividend" | "dividend" as kind:
            _no_terms(row, (), kind)
            if kind == "stock_dividend":  # in all but the way it is written a split: so many beside each share, which stays
                value += 1
            return Action(security_id, ex_date, "dividend" if kind == "dividend" else "split", value), None
        case "spin_off" | "return_of_capital" | "merger" | "cash_merger" | "cash_in_lieu" as kind:
            one = _reorganization(row, kind, security_id, ex_date, value, ids)
            return _paid(one), one
        case kind:
            known = ", ".join(("split", "stock_dividend", "dividend", *TERMS))
            raise row.bad("kind", f"{kind!r} is not known", f"Write one of {known}")


def _no_terms(row: Row, but: Collection[str], kind: str) -> None:
    for term in OPTIONS:
        if row.fields.get(term) and term not in but:
            raise row.bad(term, f"{kind} has no such term", "Leave it empty")


def _reorganization(
    row: Row, kind: ReorganizationKind, security_id: str, ex_date: date, value: Decimal, ids: Collection[str]
) -> Reorganization:
    _no_terms(row, TERMS[kind], kind)
    for term in NEEDED.get(kind, ()):
        row.text(term)
    new = known_security(row, "new_security_id", ids) if row.fields.get("new_security_id") else None
    if new == security_id:
        raise row.bad("new_security_id", f"{new} would become itself", "Name the security that comes")
    cash, new_price, parent_price = (
        positive_decimal(row, term) if row.fields.get(term) else None for term in ("cash_per_share", "new_price", "parent_price")
    )
    if kind == "merger" and cash is not None and new_price is None:
        raise row.bad("new_price", "it is empty", "With cash, give the value of one new share on the day: the gain depends on it")
    if kind in BRINGS_ANOTHER:
        return Reorganization(security_id, ex_date, kind, new, value, cash, new_price, parent_price)
    return Reorganization(security_id, ex_date, kind, cash_per_share=value)


def _paid(one: Reorganization) -> Action | None:
    """What a holder gets beside the share, which explains the fall of its price."""
    match one.kind:
        case "spin_off":
            assert one.ratio is not None and one.new_price is not None, "a spin-off has both"
            return Action(one.security_id, one.ex_date, "dividend", one.ratio * one.new_price)
        case "return_of_capital":
            assert one.cash_per_share is not None, "a return of capital has it"
            return Action(one.security_id, one.ex_date, "dividend", one.cash_per_share)
        case _:
            return None


def _check_day(row: Row, one: Reorganization, others: Collection[Reorganization], priced: Iterable[Action]) -> None:
    """Of one day only what has one meaning in whatever order it is applied."""
    day = [other for other in others if other.ex_date == one.ex_date]
    if one.kind in BRINGS_ANOTHER and any(other.security_id == one.new_security_id and other.kind != "cash_in_lieu" for other in day):
        raise row.bad("ex_date", f"{one.new_security_id} has an action on {one.ex_date} itself", "Give each its own day, in their order")
    if one.kind == "cash_in_lieu":
        splits = [each for each in priced if (each.security_id, each.ex_date, each.kind) == (one.security_id, one.ex_date, "split")]
        came = [other for other in day if other.kind in BRINGS_ANOTHER and other.new_security_id == one.security_id]
        if len(splits) + len(came) != 1:
            problem = f"{len(splits) + len(came)} splits, mergers and spin-offs bring {one.security_id} on {one.ex_date}, not one"
            raise row.bad("security_id", problem, "Name the security that came, and the day on which it did")


def known_security(row: Row, field: str, ids: Collection[str]) -> str:
    """A security of the master."""
    security_id = row.text(field)
    if security_id not in ids:
        raise row.bad(field, f"{security_id} is not in the security master", "Add it to securities, or take the line out")
    return security_id


def positive_decimal(row: Row, field: str) -> Decimal:
    """A number above zero."""
    value = decimal_of(row, field)
    if value <= 0:
        raise row.bad(field, f"{value} is not positive", "Give new shares for one old, or dollars a share")
    return value
