"""The tables of deliveries as typed calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.packing import pack, unpack
from services.ingest.core.delivery import DeliveryState, Earlier, FileOutcome
from services.ingest.core.holdings_csv import AccountHoldings, FileHeader, RefusedLine
from services.ingest.core.snapshot import Snapshot


class Acknowledgement(msgspec.Struct, frozen=True):
    """What the sender of a file is told: what became of it, what was counted, and each line that was not taken."""

    file: str
    content_hash: str
    delivery_id: str
    outcome: FileOutcome
    detail: str | None
    accounts: int
    lots: int
    quarantined: int
    refused_lines: list[RefusedLine]
    applied_accounts: int = 0
    changed_accounts: int = 0
    accounts_without_master: list[str] = []


@dataclass(frozen=True)
class StagedAccount:
    """One account of a delivery, with the delivery's place among the custodian's."""

    holdings: AccountHoldings
    order: tuple[date, int]


_acknowledgements = msgspec.json.Decoder(Acknowledgement)
_snapshots = msgspec.json.Decoder(Snapshot)


async def one_at_a_time(connection: Connection, content_hash: str) -> None:
    """Wait until no other transaction takes the same bytes."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"file {content_hash}")


async def acknowledgement_of(connection: Connection, content_hash: str) -> Acknowledgement | None:
    """What was said of these bytes before; None when they are new."""
    body = await connection.fetchval("SELECT acknowledgement FROM file_part WHERE content_hash = $1", content_hash)
    return None if body is None else _acknowledgements.decode(unpack(body))


async def part_taken(connection: Connection, delivery_id: str, part: int) -> bool:
    """Whether this part of the delivery came before."""
    return bool(await connection.fetchval("SELECT 1 FROM file_part WHERE delivery_id = $1 AND part = $2", delivery_id, part))


async def open_delivery(connection: Connection, delivery_id: str, header: FileHeader, at: datetime) -> tuple[int, str]:
    """Make the delivery unless an earlier part did; its row stays locked until the transaction ends.  Returns its parts and basis."""
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
    row = await connection.fetchrow("SELECT parts, basis FROM delivery WHERE delivery_id = $1 FOR UPDATE", delivery_id)
    return row["parts"], row["basis"]


async def stage(connection: Connection, delivery_id: str, accounts: Sequence[AccountHoldings]) -> set[str]:
    """Keep accounts of a delivery; returns those that were kept, the others came in another part of it."""
    rows = await connection.fetch(
        "INSERT INTO staged_account (delivery_id, account_id, snapshot, quarantine) "
        "SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::text[]) ON CONFLICT DO NOTHING RETURNING account_id",
        delivery_id,
        [account.account_id for account in accounts],
        [None if account.snapshot is None else pack(account.snapshot) for account in accounts],
        [account.quarantine for account in accounts],
    )
    return {row["account_id"] for row in rows}


async def save_part(connection: Connection, part: int, acknowledgement: Acknowledgement, actor: str, at: datetime) -> None:
    """Remember a file by its content, with who sent it and what was said of it."""
    await connection.execute(
        "INSERT INTO file_part (content_hash, delivery_id, part, actor, received_at, acknowledgement) VALUES ($1, $2, $3, $4, $5, $6)",
        acknowledgement.content_hash,
        acknowledgement.delivery_id,
        part,
        actor,
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


async def set_state(connection: Connection, delivery_id: str, state: DeliveryState, reason: str | None = None) -> None:
    """Move a delivery on; a reason that was given before stays."""
    await connection.execute(
        "UPDATE delivery SET state = $2, reason = coalesce($3, reason) WHERE delivery_id = $1", delivery_id, state, reason
    )


async def state_of(connection: Connection, delivery_id: str) -> DeliveryState:
    """Where a delivery stands."""
    return DeliveryState(await connection.fetchval("SELECT state FROM delivery WHERE delivery_id = $1", delivery_id))


async def release(connection: Connection, delivery_id: str, actor: str) -> bool:
    """Let a held delivery be applied, and note who did; False where it is not held."""
    released = await connection.fetchval(
        "UPDATE delivery SET state = 'applying', reason = reason || '; released by ' || $2 WHERE delivery_id = $1 AND state = 'held' "
        "RETURNING 1",
        delivery_id,
        actor,
    )
    return released is not None


async def take_staged(connection: Connection, delivery_id: str, after: str, limit: int) -> list[StagedAccount]:
    """The next accounts of a delivery in the order of their ids."""
    rows = await connection.fetch(
        "SELECT account_id, snapshot, quarantine, business_date, sequence FROM staged_account JOIN delivery USING (delivery_id) "
        "WHERE delivery_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
        delivery_id,
        after,
        limit,
    )
    return [_staged(row) for row in rows]


async def share_records(connection: Connection) -> None:
    """Until this transaction ends no delivery is called applied: a record that is new looks for holdings that came before it."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(hashtext('ingest records'))")


async def records_alone(connection: Connection) -> None:
    """Until this transaction ends no record is taken: a delivery that ends looks for records that came while it was applied."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('ingest records'))")


async def staged_of(connection: Connection, delivery_id: str, account_ids: Sequence[str]) -> list[StagedAccount]:
    """What a delivery says of these accounts."""
    rows = await connection.fetch(
        "SELECT account_id, snapshot, quarantine, business_date, sequence FROM staged_account JOIN delivery USING (delivery_id) "
        "WHERE delivery_id = $1 AND account_id = ANY($2) ORDER BY account_id",
        delivery_id,
        account_ids,
    )
    return [_staged(row) for row in rows]


async def newest_staged(connection: Connection, account_id: str, custodian: str) -> StagedAccount | None:
    """What the custodian's newest applied delivery said of an account, for one whose master record comes after its holdings."""
    row = await connection.fetchrow(
        "SELECT account_id, snapshot, quarantine, business_date, sequence FROM staged_account JOIN delivery USING (delivery_id) "
        "WHERE account_id = $1 AND custodian = $2 AND state = 'applied' ORDER BY business_date DESC, sequence DESC LIMIT 1",
        account_id,
        custodian,
    )
    return None if row is None else _staged(row)


def _staged(row: asyncpg.Record) -> StagedAccount:
    snapshot = None if row["snapshot"] is None else _snapshots.decode(unpack(row["snapshot"]))
    return StagedAccount(AccountHoldings(row["account_id"], snapshot, row["quarantine"]), (row["business_date"], row["sequence"]))


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
