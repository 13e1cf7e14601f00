"""Taking account master records: each is taken or refused by itself, and every edit is kept with its actor."""

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from libs.common.clock import trade_date_of
from libs.common.errors import BadInput
from libs.common.service import Service
from libs.common.unit import Unit
from services.ingest import delivery_store, store
from services.ingest.core.book import AccountBook
from services.ingest.core.intake import AccountIntake, problems_of
from services.ingest.core.intake_problem import IntakeProblem
from services.ingest.deliveries import take_on
from services.ingest.handlers import move_household

MASTER = "account master"
SAVE_BATCH = 50


class _Document(Struct):
    accounts: list[Raw]


class RefusedRecord(Struct, frozen=True):
    """A record that was not taken: its place in the list (from 0) and what is wrong."""

    index: int
    account_id: str | None
    problems: list[IntakeProblem]


class MasterAnswer(Struct, frozen=True):
    """How many records were taken, and those that were not."""

    accepted: int
    refused: list[RefusedRecord]


async def take_master(service: Service, document: bytes, actor: str) -> MasterAnswer:
    """Save each good record; an account that holds something, or whose holdings came before its record, is published if that changed it."""
    try:
        records = msgspec.json.decode(document, type=_Document).accounts
    except msgspec.MsgspecError as error:
        raise BadInput(MASTER, None, "accounts", str(error), 'Send {"accounts": [...]} as in docs/file-formats.md') from error
    today = trade_date_of(service.clock.now())
    good: list[AccountIntake] = []
    refused: list[RefusedRecord] = []
    for index, raw in enumerate(records):
        try:
            intake = msgspec.json.decode(raw, type=AccountIntake)
        except msgspec.MsgspecError as error:
            remedy = "See docs/file-formats.md for the members"
            refused.append(RefusedRecord(index, None, [IntakeProblem("record", str(error), remedy)]))
            continue
        problems = problems_of(intake, today)
        if problems:
            refused.append(RefusedRecord(index, intake.account_id, problems))
        else:
            good.append(intake)
    for start in range(0, len(good), SAVE_BATCH):
        async with service.unit("http", actor) as unit:
            await delivery_store.share_records(unit.connection)
            for intake in good[start : start + SAVE_BATCH]:
                await _save(unit, intake, actor)
    return MasterAnswer(len(good), refused)


async def _save(unit: Unit, intake: AccountIntake, actor: str) -> None:
    book = await store.load_book(unit.connection, intake.account_id)
    await store.record_edit(unit.connection, intake, actor, unit.now)
    if book is not None and book.version and book.intake.household_id != intake.household_id:
        await move_household(unit, book, intake.household_id)
        book = replace(book, version=book.version + 1)
    await take_on(unit, AccountBook(intake) if book is None else replace(book, intake=intake))
