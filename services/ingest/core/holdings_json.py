"""The canonical holdings file as JSON: the same content as the CSV, for those who send one document (docs/file-formats.md)."""

from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.errors import BadInput


class JsonLot(Struct, forbid_unknown_fields=True):
    """One lot; numbers are decimal strings."""

    lot_id: str
    security_id: str
    quantity: str
    cost_basis: str | None = None
    acquired: str | None = None


class JsonAccount(Struct, forbid_unknown_fields=True):
    """One account with its lots."""

    account_id: str
    cash_settled: str
    cash_unsettled: str
    lots: list[JsonLot] = []


class JsonTotals(Struct, forbid_unknown_fields=True):
    """What the sender counted; the file is refused where it differs."""

    accounts: int
    lots: int
    quantity: str
    cash_settled: str


class JsonHoldings(Struct, forbid_unknown_fields=True):
    """One part of a delivery."""

    custodian: str
    business_date: date
    sequence: int
    basis: str
    accounts: list[JsonAccount]
    totals: JsonTotals
    part: int = 1
    parts: int = 1
    created_at: str = ""


def csv_lines(name: str, document: bytes) -> list[str]:
    """The document as the lines of the canonical CSV, so that both forms meet the same checks; line n+1 is the document's nth row.

    Raises BadInput, naming the member, where the document is not of the stated shape.
    """
    try:
        holdings = msgspec.json.decode(document, type=JsonHoldings)
    except msgspec.MsgspecError as error:
        raise BadInput(name, None, None, str(error), "See docs/file-formats.md for the members") from error
    head: list[Any] = ["H", "pma-holdings", 1, holdings.custodian, holdings.business_date, holdings.sequence, holdings.part, holdings.parts]
    rows: list[list[Any]] = [[*head, holdings.basis, holdings.created_at]]
    for account in holdings.accounts:
        rows.append(["A", account.account_id, account.cash_settled, account.cash_unsettled])
        rows += [
            ["L", account.account_id, lot.lot_id, lot.security_id, lot.quantity, lot.cost_basis or "", lot.acquired or ""]
            for lot in account.lots
        ]
    totals = holdings.totals
    rows.append(["T", totals.accounts, totals.lots, totals.quantity, totals.cash_settled])
    return [",".join(_quoted(str(value)) for value in row) for row in rows]


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"\n\r') else value
