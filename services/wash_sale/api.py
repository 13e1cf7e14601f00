"""HTTP of wash_sale: a household's ledger, its open windows, its sales with what washed them, and what waits."""

from datetime import date

import msgspec
from fastapi import APIRouter, Response
from msgspec import Struct
from pydantic import AwareDatetime

from libs.common.app import Problem
from libs.common.schemas.ledger import RealisedSale, Window
from libs.common.service import Service
from services.wash_sale import history_store, store
from services.wash_sale.core.books import books_of
from services.wash_sale.core.certainty import CONFIRMED, NOT_COVERED, Certainty, Judgement, Why, certainty_of
from services.wash_sale.core.household_questions import all_covered
from services.wash_sale.core.matching import Wash
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.handlers import LedgerKeeper


class OpenWindows(Struct, frozen=True):
    """What the household may not do, as of a date; `until` of a window is inclusive.

    `certain`: unknowable where the household has an account that no feed covers, for it may have opened further windows.
    """

    household_id: str
    version: int
    as_of: str
    blocked_buys: list[Window]
    blocked_loss_sales: list[Window]
    certain: Judgement


class SaleCertainty(Struct, frozen=True):
    """How certain a sale's figure is on the ledger's day, the last day on which it is provisional, and why it is not confirmed."""

    trade_id: str
    lot_id: str
    certainty: Certainty
    until: date | None
    why: Why


class SalesAndWashes(Struct, frozen=True):
    """Sales of this year and the last, and every wash sale the ledger knows: which lot replaced which loss, and what it denied.

    `certainties` stand in the order of `sales`.
    """

    household_id: str
    version: int
    sales: list[RealisedSale]
    certainties: list[SaleCertainty]
    washes: list[Wash]


class Waiting(Struct, frozen=True):
    """What came early, by account: sequence numbers of trades, and versions that hold trades which have not come.

    `held_back`: why no ledger can be said as the facts stand (they contradict each other).
    """

    household_id: str
    held_back: str | None
    trades: dict[str, list[int]]
    account_versions: dict[str, list[int]]


def json_answer(value: object) -> Response:
    """A msgspec value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def routes(service: Service, keeper: LedgerKeeper) -> APIRouter:
    """The routes of the service; all of them read."""
    router = APIRouter(prefix="/v1/households/{household_id}", tags=["households"])

    @router.get("/ledger")
    async def ledger(household_id: str, known_at: AwareDatetime | None = None) -> Response:
        """The ledger as last said, or as it was known at a time: the payload of pma.ledger.updated."""
        if known_at is not None:
            then = await history_store.said_at(service.pool, household_id, known_at)
            if then is None:
                raise Problem(404, "Nothing was known", f"no ledger of household {household_id} had been said by {known_at.isoformat()}")
            return json_answer(then)
        body = await store.load_said_json(service.pool, household_id)
        if body is None:
            raise unknown_household(household_id)
        return Response(body, media_type="application/json")

    @router.get("/windows")
    async def windows(household_id: str) -> Response:
        """What may not be bought, and what may not be sold at a loss, and until when."""
        said, facts = await store.load_said(service.pool, household_id), await store.load_facts(service.pool, household_id)
        if said is None or facts is None:
            raise unknown_household(household_id)
        certain = CONFIRMED if all_covered(facts) else NOT_COVERED
        windows = said.blocked_buys, said.blocked_loss_sales
        return json_answer(OpenWindows(household_id, said.version, said.as_of.isoformat(), *windows, certain))

    @router.get("/sales")
    async def sales(household_id: str) -> Response:
        """Booked sales as the ledger judges them, and the wash sales behind."""
        said, facts = await store.load_said(service.pool, household_id), await store.load_facts(service.pool, household_id)
        if said is None or facts is None:
            raise unknown_household(household_id)
        books = books_of(facts, await keeper.securities.newest(service.pool), ())
        if isinstance(books, Refusal):
            raise Problem(409, "The facts contradict each other", books.text(), code=books.code.value)
        washes = [wash for book in books.groups.values() for wash in book.washes]
        covered = all_covered(facts)
        judged = [(sale, certainty_of(sale, said.as_of, covered)) for sale in said.sales]
        certainties = [SaleCertainty(sale.trade_id, sale.lot_id, each.certainty, each.until, each.why) for sale, each in judged]
        return json_answer(SalesAndWashes(household_id, said.version, said.sales, certainties, washes))

    @router.get("/waiting")
    async def waiting(household_id: str) -> Response:
        """What came before what it needs."""
        facts = await store.load_facts(service.pool, household_id)
        if facts is None:
            raise unknown_household(household_id)
        trades = {account_id: [trade.trade_seq for trade in early] for account_id, early in sorted(facts.waiting.items())}
        versions = {
            name: [p.version for p in account.pending.values()] for name, account in sorted(facts.accounts.items()) if account.pending
        }
        return json_answer(Waiting(household_id, await store.load_held_back(service.pool, household_id), trades, versions))

    return router


def unknown_household(household_id: str) -> Problem:
    return Problem(404, "Unknown household", f"no account of household {household_id} has come")
