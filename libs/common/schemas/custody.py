"""custody.holdings.v1: one account's holdings from a custodian, plain JSON, readable and writable with any client."""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class CustodyLot(Struct, frozen=True):
    """One lot: `cost_basis` in dollars for the whole lot, None or absent when the custodian does not know it."""

    lot_id: str
    security_id: str
    quantity: Decimal
    cost_basis: Decimal | None = None
    acquired: date | None = None


class CustodyHoldings(Struct, frozen=True):
    """custody.holdings.received: the account's whole holdings.  A repeated (custodian, account, business_date, sequence) with the
    same content is a duplicate; with other content and a higher sequence it is a correction."""

    custodian: str
    account_id: str
    business_date: date
    sequence: int
    basis: Literal["trade_date", "settlement_date"]
    cash_settled: Decimal
    cash_unsettled: Decimal
    lots: list[CustodyLot]
