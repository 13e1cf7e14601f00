"""HTTP of the tax year: a household's Form 8949, Schedule D, carryovers, estimate and gift candidates, as JSON or as CSV tables; and
calculations on given figures and histories.

Nothing that is sent is kept: a body only adds what the ledger can't know (filing status, income, prices) to this one answer.
"""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Request, Response

from libs.common.app import Problem
from libs.common.service import Service
from services.wash_sale import store
from services.wash_sale.core.books import books_of
from services.wash_sale.core.calculations import BadInputs, calculate
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.tax_year.household import HouseholdYear, household_year
from services.wash_sale.core.tax_year.ledger_books import books_for_tax
from services.wash_sale.core.tax_year.stated import BadStatement, StatedTax, read_stated
from services.wash_sale.handlers import LedgerKeeper
from services.wash_sale.history_json import UnreadableFile, entries_of
from services.wash_sale.replay_command import answer, as_json
from services.wash_sale.tax_year_files import table_csv, tables

Year = Annotated[int, Path(ge=1900, le=9999)]
Table = Literal["form_8949", "schedule_d", "gift_candidates", "broker_1099b"]
UNPROCESSABLE, TOO_LARGE, CONFLICT, NOT_FOUND = 422, 413, 409, 404
MOST_EVENTS = 2000
"""Of the histories of one request: a small part of a second, for which the service does nothing else."""


def tax_year_routes(service: Service, keeper: LedgerKeeper) -> APIRouter:
    """The routes; none of them changes anything."""
    router = APIRouter(prefix="/v1/households/{household_id}/tax-years/{year}", tags=["tax year"])

    async def answer(household_id: str, year: int, stated: StatedTax) -> HouseholdYear:
        said, facts = await store.load_said(service.pool, household_id), await store.load_facts(service.pool, household_id)
        if said is None or facts is None:
            raise Problem(NOT_FOUND, "Unknown household", f"no account of household {household_id} has come")
        securities = await keeper.securities.newest(service.pool)
        books = books_of(facts, securities, facts.accounts)
        if isinstance(books, Refusal):
            raise Problem(CONFLICT, "The facts contradict each other", books.text(), code=books.code.value)
        found = household_year(books_for_tax(facts, books, securities), stated, year, said.as_of)
        if isinstance(found, BadStatement):
            raise _bad(found)
        return found

    @router.get("")
    async def tax_year(household_id: str, year: Year) -> Response:
        """The year as the ledger knows it: no estimate, for it knows no one's income."""
        return _json(await answer(household_id, year, StatedTax()))

    @router.post("")
    async def tax_year_with(household_id: str, year: Year, request: Request) -> Response:
        """The year with what the body says: returns with status, income and carryovers, prices, the broker's forms."""
        return _json(await answer(household_id, year, await _stated(request)))

    @router.get("/{table}.csv")
    async def table_of(household_id: str, year: Year, table: Table) -> Response:
        """One table of the year as CSV."""
        return _csv(table, await answer(household_id, year, StatedTax()))

    @router.post("/{table}.csv")
    async def table_with(household_id: str, year: Year, table: Table, request: Request) -> Response:
        """One table of the year as CSV with what the body says, as above: gift candidates need prices, the brokers' table their forms."""
        return _csv(table, await answer(household_id, year, await _stated(request)))

    return router


async def _stated(request: Request) -> StatedTax:
    try:
        stated = read_stated(msgspec.json.decode(await request.body()))
    except msgspec.DecodeError as error:
        raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from None
    if isinstance(stated, BadStatement):
        raise _bad(stated)
    return stated


def _csv(table: Table, year: HouseholdYear) -> Response:
    return Response(table_csv(table, tables([year])[table]), media_type="text/csv")


def calculation_routes() -> APIRouter:
    """Calculations on given figures and histories, without a household."""
    router = APIRouter(prefix="/v1/calculations", tags=["tax year"])

    @router.post("")
    async def calculation(request: Request) -> Response:
        """The figures that follow from the body: netting, rates, gifts, corporate actions."""
        try:
            found = calculate(msgspec.json.decode(await request.body()))
        except msgspec.DecodeError as error:
            raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from None
        if isinstance(found, BadInputs):
            raise Problem(UNPROCESSABLE, "A figure can't be taken", f"{found.field}: {found.detail}", field=found.field)
        return Response(msgspec.json.encode(found), media_type="application/json")

    @router.post("/histories")
    async def histories(request: Request) -> Response:
        """Histories in the shape of the cases file: each with its sales, lots and washes, or its error, as the command `replay` answers."""
        try:
            entries = entries_of((await request.body()).decode("utf-8-sig"), "the body")
        except (UnicodeDecodeError, UnreadableFile) as error:
            raise Problem(UNPROCESSABLE, "The body is not JSON", str(error)) from None
        events = sum(len(each["transactions"]) for each in entries if isinstance(each, dict) and isinstance(each.get("transactions"), list))
        if events > MOST_EVENTS:
            raise Problem(
                TOO_LARGE, "Too many events", f"{events} transactions, {MOST_EVENTS} at most: the command replay takes any number"
            )
        return Response(as_json([answer(each, number) for number, each in enumerate(entries)]), media_type="application/json")

    return router


def _json(found: HouseholdYear) -> Response:
    return Response(msgspec.json.encode(found), media_type="application/json")


def _bad(statement: BadStatement) -> Problem:
    return Problem(UNPROCESSABLE, "A figure can't be taken", f"{statement.field}: {statement.problem}", field=statement.field)
