"""The tables of deliveries as typed calls."""

from datetime import date, datetime

import msgspec

from libs.common.db import Connection
from services.ingest.core.delivery import DeliveryState, Earlier, FileOutcome
from services.ingest.core.holdings_csv import AccountHoldings, FileHeader, RefusedLine
from services.ingest.core.snapshot import Snapshot
from services.ingest.store import pack, unpack


class Acknowledgement(msgspec.Struct, frozen=True):
    """What the sender of a file is told: what became of it, what was counted, and each line that was not taken."""

    file: str
    content_hash: str
    delivery_id: str | None
    outcome: FileOutcome
    detail: str | None
    accounts: int
    lots: int
    quarantined: int
    refused_lines: list[RefusedLine]
    applied_accounts: int = 0
    changed_accounts: int = 0


_acknowledgements = msgspec.json.Decoder(Acknowledgement)
_snapshots = msgspec.json.Decoder(Snapshot)


async def acknowledgement_of(connection: Connection, content_hash: str) -> Acknowledgement | None:
    """What was said of these bytes before; None when they are new."""
    body = await connection.fetchval("SELECT acknowledgement FROM file_part WHERE content_hash = $1", content_hash)
    return None if body is None else _acknowledgements.decode(unpack(body))


async def part_taken(connection: Connection, delivery_id: str, part: int) -> bool:
    """Whether this part of the delivery came before."""
    return bool(await connection.fetchval("SELECT 1 FROM file_part WHERE delivery_id = $1 AND part = $2", delivery_id, part))


async def open_delivery(connection: Connection, delivery_id: str, header: FileHeader, at: datetime) -> None:
    """Make the delivery unless an earlier part did; its row stays locked until the transaction ends."""
    await connection.execute(
        "INSERT INTO delivery (delivery_id, custodian, business_date, sequence, parts, basis, state, received_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        delivery_id,
        header.custodian,
        header.business_date,
        header.sequence,
        header.parts,
        header.basis,
        DeliveryState.RECEIVING,
        at,
    )
    await connection.execute("SELECT 1 FROM delivery WHERE delivery_id = $1 FOR UPDATE", delivery_id)


async def stage(connection: Connection, delivery_id: str, holdings: AccountHoldings) -> None:
    """Keep one account of a delivery until it is applied."""
    await connection.execute(
        "INSERT INTO staged_account (delivery_id, account_id, snapshot, quarantine) VALUES ($1, $2, $3, $4)",
        delivery_id,
        holdings.account_id,
        None if holdings.snapshot is None else pack(holdings.snapshot),
        holdings.quarantine,
    )


async def save_part(connection: Connection, part: int, acknowledgement: Acknowledgement, at: datetime) -> None:
    """Remember a file by its content, with what was said of it."""
    await connection.execute(
        "INSERT INTO file_part (content_hash, delivery_id, part, received_at, acknowledgement) VALUES ($1, $2, $3, $4, $5)",
        acknowledgement.content_hash,
        acknowledgement.delivery_id,
        part,
        at,
        pack(acknowledgement),
    )


async def parts_in(connection: Connection, delivery_id: str) -> tuple[int, int]:
    """How many parts of a delivery came, and how many accounts they hold."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM file_part WHERE delivery_id = $1) AS parts, "
        "(SELECT count(*) FROM staged_account WHERE delivery_id = $1) AS accounts",
        delivery_id,
    )
    return row["parts"], row["accounts"]


async def earlier_delivery(connection: Connection, custodian: str) -> Earlier | None:
    """The custodian's newest applied full delivery."""
    row = await connection.fetchrow(
        "SELECT business_date, (SELECT count(*) FROM staged_account s WHERE s.delivery_id = d.delivery_id) AS accounts "
        "FROM delivery d WHERE custodian = $1 AND sequence = 1 AND state IN ('applying', 'applied') ORDER BY business_date DESC LIMIT 1",
        custodian,
    )
    return None if row is None else Earlier(row["business_date"], row["accounts"])


async def set_state(connection: Connection, delivery_id: str, state: DeliveryState, reason: str | None) -> None:
    """Move a delivery on."""
    await connection.execute("UPDATE delivery SET state = $2, reason = $3 WHERE delivery_id = $1", delivery_id, state, reason)


async def take_staged(connection: Connection, delivery_id: str, after: str, limit: int) -> list[AccountHoldings]:
    """The next accounts of a delivery in the order of their ids."""
    rows = await connection.fetch(
        "SELECT account_id, snapshot, quarantine FROM staged_account WHERE delivery_id = $1 AND account_id > $2 "
        "ORDER BY account_id LIMIT $3",
        delivery_id,
        after,
        limit,
    )
    return [
        AccountHoldings(
            row["account_id"], None if row["snapshot"] is None else _snapshots.decode(unpack(row["snapshot"])), row["quarantine"]
        )
        for row in rows
    ]


async def first_received(connection: Connection, business_date: date) -> datetime | None:
    """When the first file of a business date came."""
    found: datetime | None = await connection.fetchval("SELECT min(received_at) FROM delivery WHERE business_date = $1", business_date)
    return found


async def custodians_missing(connection: Connection, business_date: date) -> list[str]:
    """The custodians of the account master without an applied delivery of the date."""
    rows = await connection.fetch(
        "SELECT custodian FROM (SELECT DISTINCT custodian FROM account) a WHERE NOT EXISTS (SELECT 1 FROM delivery d "
        "WHERE d.custodian = a.custodian AND d.business_date = $1 AND d.sequence = 1 AND d.state = 'applied') ORDER BY custodian",
        business_date,
    )
    return [row["custodian"] for row in rows]
