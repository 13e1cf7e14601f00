"""wash_sale says the ledgers that follow from the facts: to the runs that ask, and when facts changed.

A burst of trades of a household becomes one word, and what is said of a household leaves in one order.  Many households are said in one
transaction.  Their locks are tried, not waited for: whoever holds one changes the household and will have it said.
"""

import asyncio
from collections.abc import Iterable
from datetime import date
from enum import Enum
from pathlib import Path

from msgspec.structs import replace

from libs.common.db import Connection
from libs.common.events import Event, encode_payload
from libs.common.ids import bytes_id
from libs.common.observe import log
from libs.common.packing import body_of, pack
from libs.common.schemas.ledger import LedgerRestated, LedgerUpdated
from libs.common.unit import Unit
from services.wash_sale import core, history_store, said_store
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.restated import restatement, was_decided_otherwise
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.view import ledger_content
from services.wash_sale.handlers import SecurityTables
from services.wash_sale.metrics import LedgerMetrics
from services.wash_sale.said_store import Asked, Said, Silent
from services.wash_sale.store import Household, Households

HOUSEHOLDS_AT_ONCE = 25  # so many wait for each other's ledgers at most, and share their statements


RULES_DIGEST = bytes_id(b"".join(path.read_bytes() for path in sorted(Path(core.__file__).parent.rglob("*.py"))))
"""Of the texts of the rules: what an earlier release said is worked out again."""


class Spoken(Enum):
    """What became of a turn: somebody was said (look again), nobody is left, or who is left was just being changed (look again soon)."""

    SOME = "some"
    NOBODY = "nobody"
    BUSY = "busy"


class LedgerSpeaker:
    """Says ledgers, many in one transaction."""

    def __init__(self, metrics: LedgerMetrics, households: Households, securities: SecurityTables) -> None:
        self._metrics = metrics
        self._households = households
        self._securities = securities

    async def say_next(self, unit: Unit) -> Spoken:
        """Answer households that runs ask for, or else say some that changed."""
        asked = await said_store.take_ready(unit.connection, HOUSEHOLDS_AT_ONCE)
        if free := _once_each(one for one in asked if one.locked):
            await self._answer(unit, free)
            return Spoken.SOME
        changed = await said_store.take_unsaid(unit.connection, HOUSEHOLDS_AT_ONCE)
        if names := [one.household_id for one in changed if one.locked]:
            await self._say_changed(unit, names)
            return Spoken.SOME
        return Spoken.BUSY if asked or changed else Spoken.NOBODY

    async def _answer(self, unit: Unit, asked: list[Asked]) -> None:
        tables = await self._tables_of(unit.connection, asked)
        origins = {one.household_id: _origin(tables[one.market_id, one.as_of], one.as_of) for one in asked}
        standing = await said_store.load_standing(unit.connection, origins)
        others = [one for one in asked if one.household_id not in standing]
        names = [one.household_id for one in others]
        households = await self._households.load_locked(unit.connection, names)
        before = await history_store.load_last_said(unit.connection, names)
        answered = [one for one in asked if one.household_id in standing]
        said, silent = [self._say_again(unit, standing[one.household_id], one) for one in answered], []

        for one, household in zip(others, households, strict=True):
            securities = tables[one.market_id, one.as_of]
            content = ledger_content(household.facts, securities, one.as_of)
            if isinstance(content, Refusal):
                silent.append(self._held_back(household, content))
                continue
            last = before.pop(content.household_id, None)
            said.append(await self._say(unit, household, content, _digest(content), last, securities, one))
            answered.append(one)
            await asyncio.sleep(0)  # others of the process have their turn

        await said_store.save_said(unit.connection, said, unit.now)
        await said_store.save_silent(unit.connection, silent)
        await said_store.answered(unit.connection, answered)

    def _say_again(self, unit: Unit, standing: Said, asked: Asked) -> Said:
        """Answer a run with the ledger last said, which nothing has changed since."""
        assert standing.body is not None, "a ledger that was said"
        self._emit(unit, said_store.said_of(standing.body), asked)
        return replace(standing, body=None)

    async def _tables_of(self, connection: Connection, asked: list[Asked]) -> dict[tuple[str, date], SecurityFacts]:
        wanted = {(one.market_id, one.as_of) for one in asked}
        return {of: await self._securities.of_run(connection, *of) for of in sorted(wanted)}

    async def _say_changed(self, unit: Unit, household_ids: list[str]) -> None:
        households = await self._households.load_locked(unit.connection, household_ids)
        before = await history_store.load_last_said(unit.connection, household_ids)
        securities = await self._securities.newest(unit.connection)
        said, silent = [], []

        for household in households:
            if not household.unsaid:
                continue
            content = ledger_content(household.facts, securities, household.as_of)
            if isinstance(content, Refusal):
                silent.append(self._held_back(household, content))
            elif (digest := _digest(content)) == household.said_digest:
                silent.append(Silent(content.household_id, None, _origin(securities, household.as_of)))
            elif household.facts.accounts:
                last = before.pop(content.household_id, None)
                said.append(await self._say(unit, household, content, digest, last, securities, None))
            else:
                silent.append(Silent(content.household_id, None))
            await asyncio.sleep(0)

        await said_store.save_said(unit.connection, said, unit.now)
        await said_store.save_silent(unit.connection, silent)

    def _held_back(self, household: Household, refusal: Refusal) -> Silent:
        """The facts contradict each other: no ledger is better than a wrong one, until a later fact mends it."""
        self._metrics.refusals.labels(refusal.code.value).inc()
        household_id, reason = household.facts.household_id, refusal.text()
        log().error("ledger_held_back", household=household_id, reason=reason)
        return Silent(household_id, reason)

    async def _say(
        self,
        unit: Unit,
        household: Household,
        content: LedgerUpdated,
        digest: str,
        last: bytes | None,
        securities: SecurityFacts,
        asked: Asked | None,
    ) -> Said:
        """Say the content under its version, which rises only when it changed; a run is answered in any case.

        `last` is the ledger last said, packed.
        """
        changed = digest != household.said_digest
        said = replace(content, version=household.version + changed)
        before = history_store.said_beside(last, said) if changed and last is not None else None
        if changed:
            self._metrics.denied_sales.inc(len(_denied(said) - (_denied(before) if before is not None else set())))
        restated = await self._restated(unit, before, said, securities) if before is not None else None
        event = self._emit(unit, said, asked)
        if restated is not None:
            unit.emit(restated, said.household_id, f"{said.version}", said.household_id)
        body = body_of(event) if asked is None else pack(said) if changed else None
        as_of = max(household.as_of, content.as_of)
        return Said(said.household_id, said.version, digest, as_of, body, _origin(securities, content.as_of))

    async def _restated(self, unit: Unit, before: LedgerUpdated, said: LedgerUpdated, securities: SecurityFacts) -> LedgerRestated | None:
        """What is said otherwise of the past, and since which version it had been said so."""
        restated = restatement(before, said, securities)
        while restated is not None:
            older = await history_store.said_before(unit.connection, said.household_id, restated.first_version)
            if older is None or not was_decided_otherwise(older, said, restated, securities):
                break
            restated = replace(restated, first_version=older.version)
        return restated

    def _emit(self, unit: Unit, said: LedgerUpdated, asked: Asked | None) -> Event:
        self._metrics.ledgers.labels("run" if asked else "change").inc()
        if asked is None:
            return unit.emit(said, said.household_id, f"{said.version}", said.household_id)
        unit.correlationid = asked.correlationid
        return unit.emit(replace(said, run_id=asked.run_id), said.household_id, f"{said.version}:{asked.run_id}", said.household_id)


def _origin(securities: SecurityFacts, as_of: date) -> str:
    """What a ledger follows from besides the household's facts: the securities', the day, and the rules of this release."""
    return f"{securities.digest} {as_of.isoformat()} {RULES_DIGEST}"


def _digest(content: LedgerUpdated) -> str:
    return bytes_id(encode_payload(content))


def _denied(ledger: LedgerUpdated) -> set[tuple[str, str]]:
    """(trade id, lot id) of the sales whose loss is denied, in whole or part."""
    return {(sale.trade_id, sale.lot_id) for sale in ledger.sales if sale.disallowed}


def _once_each(asked: Iterable[Asked]) -> list[Asked]:
    """The first that is asked of each household; what else is asked of it has another turn, after this answer."""
    found: dict[str, Asked] = {}
    for one in asked:
        found.setdefault(one.household_id, one)
    return list(found.values())
