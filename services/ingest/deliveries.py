"""Taking a custodian's file: read it as a stream, stage it whole or not at all, then apply it account by account.

Staging is one transaction: a file that is refused leaves nothing behind.  Applying goes in small transactions and can be repeated: a
snapshot that a book stands on already changes nothing.  What a crash left half applied is finished by `finish_applying`.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import IO

from msgspec.structs import replace

from libs.common.db import Connection, transaction
from libs.common.errors import BadInput, CannotApply
from libs.common.ids import content_id
from libs.common.observe import log
from libs.common.service import Service
from libs.common.unit import Unit
from services.ingest import delivery_store, store
from services.ingest.core.book import apply_snapshot, quarantine
from services.ingest.core.delivery import DeliveryState, FileOutcome, judge_complete
from services.ingest.core.holdings_csv import AccountHoldings, HoldingsReader
from services.ingest.delivery_store import Acknowledgement
from services.ingest.handlers import save_and_publish
from services.ingest.metrics import IngestMetrics

APPLY_BATCH = 50
SPOOL_IN_MEMORY_BYTES = 8 * 1024 * 1024
LATE_OR_HELD = {DeliveryState.HELD: FileOutcome.HELD, DeliveryState.LATE: FileOutcome.LATE}


async def take_file(
    service: Service, metrics: IngestMetrics, name: str, content_hash: str, lines: Iterable[str], fewest_accounts_frac: float
) -> Acknowledgement:
    """Take one file; the acknowledgement says what became of it.  Raises BadInput for a file that is refused whole."""
    async with transaction(service.pool) as connection:
        said_before = await delivery_store.acknowledgement_of(connection, content_hash)
        if said_before is not None:
            metrics.files.labels(FileOutcome.DUPLICATE).inc()
            detail = f"the same content came before as {said_before.file}"
            return Acknowledgement(
                name, content_hash, said_before.delivery_id, FileOutcome.DUPLICATE, detail, said_before.accounts, said_before.lots, 0, []
            )
        acknowledgement, state = await _stage(connection, service, name, content_hash, lines, fewest_accounts_frac)
    metrics.files.labels(acknowledgement.outcome).inc()
    metrics.lines_refused.inc(len(acknowledgement.refused_lines))
    if state is DeliveryState.APPLYING and acknowledgement.delivery_id is not None:
        applied, changed = await apply_delivery(service, acknowledgement.delivery_id)
        return replace(acknowledgement, applied_accounts=applied, changed_accounts=changed)
    return acknowledgement


async def _stage(
    connection: Connection, service: Service, name: str, content_hash: str, lines: Iterable[str], fewest_accounts_frac: float
) -> tuple[Acknowledgement, DeliveryState]:
    """Read and stage the file, and decide on its delivery once all parts are in."""
    now = service.clock.now()
    reader = HoldingsReader(name, lines)
    header = reader.header
    delivery_id = content_id("delivery", header.custodian, header.business_date.isoformat(), header.sequence)
    await delivery_store.open_delivery(connection, delivery_id, header, now)
    if await delivery_store.part_taken(connection, delivery_id, header.part):
        raise BadInput(
            name,
            1,
            "sequence",
            f"part {header.part} of {header.business_date}, sequence {header.sequence} came before with other content",
            "Send a correction with the next sequence",
        )
    quarantined = 0
    for account in reader.accounts():
        quarantined += account.quarantine is not None
        await delivery_store.stage(connection, delivery_id, account)
    outcome, state, detail = FileOutcome.ACCEPTED, DeliveryState.RECEIVING, None
    parts, accounts = await delivery_store.parts_in(connection, delivery_id)
    if parts + 1 == header.parts:
        earlier = await delivery_store.earlier_delivery(connection, header.custodian)
        state, detail = judge_complete(header.business_date, header.sequence, accounts, earlier, fewest_accounts_frac)
        await delivery_store.set_state(connection, delivery_id, state, detail)
        outcome = LATE_OR_HELD.get(state, outcome)
    said = Acknowledgement(
        name, content_hash, delivery_id, outcome, detail, reader.account_lines, reader.lot_lines, quarantined, reader.refused
    )
    await delivery_store.save_part(connection, header.part, said, now)
    return said, state


async def apply_delivery(service: Service, delivery_id: str) -> tuple[int, int]:
    """Put every staged account into its book, in small transactions; returns how many accounts were taken and how many changed."""
    applied = changed = 0
    after = ""
    while True:
        async with service.unit("http", "ingest", delivery_id) as unit:
            batch = await delivery_store.take_staged(unit.connection, delivery_id, after, APPLY_BATCH)
            for holdings in batch:
                applied += await _apply_account(unit, holdings)
            changed += len(unit.emitted)
            if not batch:
                await delivery_store.set_state(unit.connection, delivery_id, DeliveryState.APPLIED, None)
                return applied, changed
            after = batch[-1].account_id


async def _apply_account(unit: Unit, holdings: AccountHoldings) -> bool:
    """Apply one account; what its book can't take quarantines it.  False where there is no master record for it."""
    book = await store.load_book(unit.connection, holdings.account_id)
    if book is None:
        log().warning("no_master_record", delivery=unit.correlationid)
        return False
    if holdings.snapshot is None:
        await save_and_publish(unit, quarantine(book, holdings.quarantine or "bad line"))
        return True
    unknown = await store.unknown_securities(unit.connection, sorted(set(holdings.snapshot.lots.security_id)))
    splits = await store.load_splits(unit.connection)
    if unknown:
        await save_and_publish(unit, quarantine(book, f"security {', '.join(unknown)} is not in the security master"))
        return True
    try:
        await save_and_publish(unit, apply_snapshot(book, holdings.snapshot, splits))
    except CannotApply as reason:
        await save_and_publish(unit, quarantine(book, str(reason)))
    return True


async def release(service: Service, delivery_id: str) -> tuple[int, int] | None:
    """A person lets a held delivery go on; None where it is not held."""
    async with service.unit("http", "ingest", delivery_id) as unit:
        released = await unit.connection.fetchval(
            "UPDATE delivery SET state = 'applying', reason = NULL WHERE delivery_id = $1 AND state = 'held' RETURNING 1", delivery_id
        )
    return await apply_delivery(service, delivery_id) if released else None


async def finish_applying(service: Service) -> None:
    """Finish what a crash left half applied, once."""
    rows = await service.pool.fetch("SELECT delivery_id FROM delivery WHERE state = 'applying' ORDER BY business_date, sequence")
    for row in rows:
        await apply_delivery(service, row["delivery_id"])


@asynccontextmanager
async def spooled(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[IO[bytes], str]]:
    """A stream kept aside (in memory while small, on disk beyond) with the hash of its bytes, by which a repeat is known."""
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY_BYTES) as spool:
        async for chunk in chunks:
            digest.update(chunk)
            spool.write(chunk)
        spool.seek(0)
        yield spool, digest.hexdigest()


def text_lines(name: str, spool: IO[bytes]) -> Iterator[str]:
    """The lines of a UTF-8 file, one at a time.  Raises BadInput naming the line that is not UTF-8."""
    for number, raw in enumerate(spool, start=1):
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(name, number, None, f"not UTF-8 at byte {error.start}", "Send the file as UTF-8") from error
