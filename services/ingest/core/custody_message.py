"""Holdings that come one account a message (custody.holdings.v1): the checks that a line of a file meets, and the snapshot."""

from datetime import date
from decimal import Decimal

from libs.common.money import PLAIN_DECIMAL, plain
from libs.common.schemas.account import Lot
from libs.common.schemas.custody import CustodyHoldings, CustodyLot
from services.ingest.core.holdings_csv import AHEAD_OF_ITS_MAKING, OPAQUE_ID
from services.ingest.core.snapshot import Snapshot, lot_columns


def problem_of(message: CustodyHoldings, sent_on: date) -> str | None:
    """Why these holdings can't be trusted, naming the member; None when they can.  `sent_on` is the date of the message."""
    if message.sequence < 1:
        return f"sequence: {message.sequence} is no number from 1"
    if message.business_date - sent_on > AHEAD_OF_ITS_MAKING:
        return f"business_date: {message.business_date} is days after the message was sent ({sent_on})"
    for name, amount in (("cash_settled", message.cash_settled), ("cash_unsettled", message.cash_unsettled)):
        if not _is_plain(amount):
            return f"{name}: {amount} is no amount of at most six places"
    seen: set[str] = set()
    for index, lot in enumerate(message.lots):
        problem = _problem_of_lot(lot, message.business_date)
        if problem is None and lot.lot_id in seen:
            problem = f"lot_id: {lot.lot_id!r} comes twice"
        if problem is not None:
            return f"lots[{index}].{problem}"
        seen.add(lot.lot_id)
    return None


def _problem_of_lot(lot: CustodyLot, business_date: date) -> str | None:
    for name, text in (("lot_id", lot.lot_id), ("security_id", lot.security_id)):
        if not OPAQUE_ID.fullmatch(text):
            return f"{name}: {text!r} is no id"
    if not _is_plain(lot.quantity) or lot.quantity <= 0:
        return f"quantity: {lot.quantity} is no positive number of at most six places"
    if lot.cost_basis is not None and (not _is_plain(lot.cost_basis) or lot.cost_basis < 0):
        return f"cost_basis: {lot.cost_basis} is no amount"
    if lot.acquired is not None and lot.acquired > business_date:
        return f"acquired: {lot.acquired} is after the business date"
    return None


def _is_plain(value: Decimal) -> bool:
    return value.is_finite() and PLAIN_DECIMAL.fullmatch(plain(value)) is not None


def snapshot_of_message(message: CustodyHoldings) -> Snapshot:
    """The snapshot that a custody.holdings message carries."""
    lots = (Lot(lot.lot_id, lot.security_id, lot.quantity, lot.cost_basis, lot.acquired) for lot in message.lots)
    return Snapshot(
        message.custodian,
        message.account_id,
        message.business_date,
        message.sequence,
        message.basis,
        message.cash_settled,
        message.cash_unsettled,
        lot_columns(lots),
    )
