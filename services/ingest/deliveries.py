"""Taking a custodian's file: read it as a stream, stage it whole or not at all, then apply it account by account.

Staging is one transaction: a file that is refused leaves nothing behind.  Applying goes in small transactions and can be repeated: a
snapshot that a book stands on already changes nothing.  What a crash left half applied is finished by `finish_applying`.
"""

import contextlib
import hashlib
import io
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO

from msgspec.structs import replace

from libs.common.db import Connection, transaction
from libs.common.errors import BadInput, CannotApply
from libs.common.ids import content_id
from libs.common.schemas.account import AccountChanged
from libs.common.service import Service
from libs.common.unit import Unit
from services.ingest import delivery_store, store
from services.ingest.core.book import AccountBook, apply_snapshot, publishable, quarantine
from services.ingest.core.delivery import DeliveryState, FileOutcome, judge_complete
from services.ingest.core.holdings_csv import AccountHoldings, HoldingsReader
from services.ingest.core.share_actions import ShareAction
from services.ingest.delivery_store import Acknowledgement, StagedAccount
from services.ingest.handlers import save_all, save_and_publish
from services.ingest.metrics import IngestMetrics

APPLY_BATCH = 50
SPOOL_IN_MEMORY_BYTES = 8 * 1024 * 1024
LONGEST_LINE_BYTES = 4096
BLOCK_BYTES = 128 * 1024
LATE_OR_HELD = {DeliveryState.HELD: FileOutcome.HELD, DeliveryState.LATE: FileOutcome.LATE}


@dataclass(frozen=True)
class Applied:
    """What applying a delivery did: accounts taken, those whose published content changed, and those that have no master record yet."""

    accounts: int
    changed: int
    without_master: list[str]


async def take_file(
    service: Service,
    metrics: IngestMetrics,
    name: str,
    content_hash: str,
    lines: Iterable[str],
    actor: str,
    fewest_accounts_frac: float,
) -> Acknowledgement:
    """Take one file; the acknowledgement says what became of it.  Raises BadInput for a file that is refused whole."""
    try:
        async with transaction(service.pool) as connection:
            await delivery_store.one_at_a_time(connection, content_hash)
            said, state = await _repeated(connection, name, content_hash)
            if said is None:
                said, state = await _stage(connection, service, name, content_hash, lines, actor, fewest_accounts_frac)
    except BadInput:
        metrics.files.labels(FileOutcome.REJECTED).inc()
        raise
    metrics.files.labels(said.outcome).inc()
    metrics.lines_refused.inc(len(said.refused_lines))
    if state is DeliveryState.APPLYING:
        applied = await apply_delivery(service, said.delivery_id)
        return replace(
            said, applied_accounts=applied.accounts, changed_accounts=applied.changed, accounts_without_master=applied.without_master
        )
    return said


async def _repeated(connection: Connection, name: str, content_hash: str) -> tuple[Acknowledgement | None, DeliveryState]:
    """What to say of bytes that came before, and where their delivery stands: what was cut short while applying goes on."""
    before = await delivery_store.acknowledgement_of(connection, content_hash)
    if before is None:
        return None, DeliveryState.RECEIVING
    detail = f"the same content came before as {before.file}"
    said = Acknowledgement(
        name, content_hash, before.delivery_id, FileOutcome.DUPLICATE, detail, before.accounts, before.lots, before.quarantined, []
    )
    return said, await delivery_store.state_of(connection, before.delivery_id)


async def _stage(
    connection: Connection,
    service: Service,
    name: str,
    content_hash: str,
    lines: Iterable[str],
    actor: str,
    fewest_accounts_frac: float,
) -> tuple[Acknowledgement, DeliveryState]:
    """Read and stage the file, and decide on its delivery once all parts are in."""
    now = service.clock.now()
    reader = HoldingsReader(name, lines)
    header = reader.header
    delivery_id = content_id("delivery", header.custodian, header.business_date.isoformat(), header.sequence)
    opened = await delivery_store.open_delivery(connection, delivery_id, header, now)
    place = f"of {header.business_date}, sequence {header.sequence}"
    if opened != (header.parts, header.basis):
        raise BadInput(name, 1, "parts", f"the first part {place} said {opened[0]} parts, {opened[1]}", "Give each part the same header")
    if await delivery_store.part_taken(connection, delivery_id, header.part):
        problem = f"part {header.part} {place} came before with other content"
        raise BadInput(name, 1, "sequence", problem, "Send a correction with the next sequence")
    quarantined = 0
    for accounts in _batches(reader.accounts(), APPLY_BATCH):
        quarantined += sum(account.quarantine is not None for account in accounts)
        kept = await delivery_store.stage(connection, delivery_id, accounts)
        twice = next((account.account_id for account in accounts if account.account_id not in kept), None)
        if twice is not None:
            problem = f"{twice} came before in another part {place}"
            raise BadInput(name, None, "account_id", problem, "Keep all lines of an account together, in one part")
    outcome, state, detail = FileOutcome.ACCEPTED, DeliveryState.RECEIVING, None
    parts, in_all = await delivery_store.parts_in(connection, delivery_id)
    if parts + 1 == header.parts:
        earlier = await delivery_store.earlier_delivery(connection, header.custodian)
        state, detail = judge_complete(header.business_date, header.sequence, in_all, earlier, fewest_accounts_frac)
        await delivery_store.set_state(connection, delivery_id, state, detail)
        outcome = LATE_OR_HELD.get(state, outcome)
    said = Acknowledgement(
        name, content_hash, delivery_id, outcome, detail, reader.account_lines, reader.lot_lines, quarantined, reader.refused
    )
    await delivery_store.save_part(connection, header.part, said, actor, now)
    return said, state


async def apply_delivery(service: Service, delivery_id: str) -> Applied:
    """Put every staged account into its book, in small transactions."""
    accounts = changed = 0
    without_master: list[str] = []
    after = ""
    while True:
        async with service.unit("http", "ingest", delivery_id) as unit:
            batch = await delivery_store.take_staged(unit.connection, delivery_id, after, APPLY_BATCH)
            books = await store.load_books(unit.connection, [staged.holdings.account_id for staged in batch])
            known = [staged for staged in batch if staged.holdings.account_id in books]
            without_master += [staged.holdings.account_id for staged in batch if staged.holdings.account_id not in books]
            await stand_on(unit, [(books[staged.holdings.account_id], staged) for staged in known])
            accounts += len(known)
            changed += len(unit.emitted)
            if batch:
                after = batch[-1].holdings.account_id
                continue
            late = await _end(unit, delivery_id, without_master)
            return Applied(accounts + len(late), changed + len(unit.emitted), [name for name in without_master if name not in late])


async def _end(unit: Unit, delivery_id: str, without_master: Sequence[str]) -> set[str]:
    """The delivery is applied; accounts whose record came meanwhile stand on it too.  Returns those."""
    await delivery_store.records_alone(unit.connection)
    await delivery_store.set_state(unit.connection, delivery_id, DeliveryState.APPLIED)
    books = await store.load_books(unit.connection, without_master)
    staged = await delivery_store.staged_of(unit.connection, delivery_id, list(books))
    await stand_on(unit, [(books[one.holdings.account_id], one) for one in staged])
    return set(books)


async def take_on(unit: Unit, book: AccountBook) -> None:
    """Save a book whose record is new; holdings that came before the record are its first.  Begin with `share_records`."""
    staged = None if book.newest else await delivery_store.newest_staged(unit.connection, book.intake.account_id, book.intake.custodian)
    if staged is None:
        await save_and_publish(unit, book)
    else:
        await stand_on(unit, [(book, staged)])


async def stand_on(unit: Unit, staged: Sequence[tuple[AccountBook, StagedAccount]]) -> None:
    """Stand books on what a delivery says of their accounts; what a book can't take quarantines it."""
    newer = [(book, one) for book, one in staged if book.newest is None or one.order >= book.newest.order]
    snapshots = [one.holdings.snapshot for _, one in newer if one.holdings.snapshot is not None]
    named = {security_id for snapshot in snapshots for security_id in snapshot.lots.security_id}
    unknown = await store.unknown_securities(unit.connection, sorted(named))
    splits = await store.load_splits(unit.connection)
    await save_all(unit.connection, [(unit, *standing_on(book, one.holdings, unknown, splits)) for book, one in newer])


def standing_on(
    book: AccountBook, holdings: AccountHoldings, unknown: Sequence[str], splits: Sequence[ShareAction]
) -> tuple[AccountBook, AccountChanged | None]:
    """The book on the account's new holdings, and what to say of it; quarantined where they can't be taken.

    `unknown` are securities that the security master lacks, sorted.
    """
    snapshot = holdings.snapshot
    if snapshot is None:
        return publishable(quarantine(book, holdings.quarantine or "bad line"), splits)
    lacking = [security_id for security_id in unknown if security_id in snapshot.lots.security_id]
    if lacking:
        return publishable(quarantine(book, f"security {', '.join(lacking)} is not in the security master"), splits)
    try:
        return publishable(apply_snapshot(book, snapshot, splits), splits)
    except CannotApply as reason:
        return publishable(quarantine(book, str(reason)), splits)


def _batches(accounts: Iterator[AccountHoldings], size: int) -> Iterator[list[AccountHoldings]]:
    while batch := list(islice(accounts, size)):
        yield batch


async def release(service: Service, delivery_id: str, actor: str) -> Applied | None:
    """A person lets a held delivery go on; None where it is not held."""
    async with service.unit("http", actor, delivery_id) as unit:
        released = await delivery_store.release(unit.connection, delivery_id, actor)
    return await apply_delivery(service, delivery_id) if released else None


async def finish_applying(service: Service) -> None:
    """Finish what a crash left half applied, once."""
    rows = await service.pool.fetch("SELECT delivery_id FROM delivery WHERE state = 'applying' ORDER BY business_date, sequence")
    for row in rows:
        await apply_delivery(service, row["delivery_id"])


@contextlib.asynccontextmanager
async def spooled(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[IO[bytes], str]]:
    """A stream kept aside (in memory while small, on disk beyond) with the hash of its bytes, by which a repeat is known."""
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY_BYTES) as spool:
        async for chunk in chunks:
            digest.update(chunk)
            spool.write(chunk)
        spool.seek(0)
        yield spool, digest.hexdigest()


def text_blocks(name: str, spool: IO[bytes]) -> Iterator[str]:
    """A UTF-8 file as texts of whole lines, a block at a time.  Raises BadInput naming the line that is too long or not UTF-8."""
    number, rest = 0, b""
    while block := spool.read(BLOCK_BYTES):
        whole, end, rest = (rest + block).rpartition(b"\n")
        yield from _lines_of(name, number, whole + end)
        number += whole.count(b"\n") + len(end)
        if len(rest) > LONGEST_LINE_BYTES:
            raise _too_long(name, number + 1)
    yield from _lines_of(name, number, rest)


def _lines_of(name: str, before: int, block: bytes) -> Iterable[str]:
    """Whole lines as one text; where one of them can't be taken, line by line up to that."""
    if _all_short(block):
        with contextlib.suppress(UnicodeDecodeError):
            return [block.decode("utf-8")] if block else []
    return _lines_one_by_one(name, before, block)


def _all_short(block: bytes) -> bool:
    """Whether each line is shorter than the longest: every stretch of that length that begins a line ends another."""
    begin = 0
    while len(block) - begin >= LONGEST_LINE_BYTES:
        if (end := block.rfind(b"\n", begin, begin + LONGEST_LINE_BYTES)) < 0:
            return False
        begin = end + 1
    return True


def _lines_one_by_one(name: str, before: int, block: bytes) -> Iterator[str]:
    for number, raw in enumerate(io.BytesIO(block), start=before + 1):
        if len(raw) > LONGEST_LINE_BYTES:
            raise _too_long(name, number)
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(name, number, None, f"not UTF-8 at byte {error.start}", "Send the file as UTF-8") from error


def _too_long(name: str, number: int) -> BadInput:
    return BadInput(name, number, None, f"longer than {LONGEST_LINE_BYTES} bytes", "Send one lot a line, lines ended by LF")
