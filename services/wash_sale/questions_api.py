"""HTTP of wash_sale for who asks before or after: intended trades, what changed since a version, the custodian's basis."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from libs.common.app import Problem
from libs.common.service import Service
from services.wash_sale import history_store, store
from services.wash_sale.api import json_answer, unknown_household
from services.wash_sale.core.books import books_of
from services.wash_sale.core.custodian_basis import BasisDifference
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.household_questions import custodian_differences, meaning_of
from services.wash_sale.core.intended import IntendedTrade, Meaning
from services.wash_sale.core.ledger_changes import changes_between
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.tax_events import LotPart
from services.wash_sale.handlers import LedgerKeeper

MOST_TRADES = 500
Name = Annotated[str, Field(min_length=1, max_length=200)]
Shares = Annotated[Decimal, Field(gt=0, max_digits=21, decimal_places=6)]


class PartOfLot(BaseModel):
    """Shares of a lot to be sold."""

    model_config = ConfigDict(extra="forbid")

    lot_id: Name
    quantity: Shares


class Intended(BaseModel):
    """A trade that somebody thinks of: `price` in dollars a share; without `lots` a sale takes the oldest of the account."""

    model_config = ConfigDict(extra="forbid")

    account_id: Name
    security_id: Name
    side: Literal["buy", "sell"]
    quantity: Shares
    price: Annotated[Decimal, Field(ge=0, max_digits=21, decimal_places=6)]
    lots: list[PartOfLot] | None = None

    def as_trade(self, number: int) -> IntendedTrade:
        """For the core, named by its place in the list."""
        lots = None if self.lots is None else tuple(LotPart(part.lot_id, part.quantity) for part in self.lots)
        return IntendedTrade(f"intended-{number}", self.account_id, self.security_id, self.side, self.quantity, self.price, lots)


class IntendedList(BaseModel):
    """Trades made on one day (default: the ledger's), judged together."""

    model_config = ConfigDict(extra="forbid")

    trades: Annotated[list[Intended], Field(min_length=1, max_length=MOST_TRADES)]
    as_of: date | None = None


class Meanings(Struct, frozen=True):
    """What each trade of the list would mean, in its order; by the ledger of `version`."""

    household_id: str
    version: int
    as_of: date
    trades: list[Meaning]


class CustodianBasis(Struct, frozen=True):
    """By account, the lots whose basis or shares are others at the custodian than here, each with its cause; or every lot."""

    household_id: str
    version: int
    accounts: dict[str, list[BasisDifference]]


def question_routes(service: Service, keeper: LedgerKeeper) -> APIRouter:
    """Routes that ask the ledger; none of them changes it."""
    router = APIRouter(prefix="/v1/households/{household_id}", tags=["households"])

    async def facts_of(household_id: str) -> HouseholdLedger:
        facts = await store.load_facts(service.pool, household_id)
        if facts is None:
            raise unknown_household(household_id)
        return facts

    @router.post("/intended-trades")
    async def intended_trades(household_id: str, asked: IntendedList) -> Response:
        """The loss that each trade would deny, why, by which lot, and the first day on which it would not; nothing is booked."""
        said, facts = await store.load_said(service.pool, household_id), await facts_of(household_id)
        if said is None:
            raise unknown_household(household_id)
        as_of = max(said.as_of, asked.as_of or said.as_of)
        trades = [each.as_trade(number) for number, each in enumerate(asked.trades, start=1)]
        found = meaning_of(facts, await keeper.securities.newest(service.pool), trades, as_of)
        if isinstance(found, Refusal):
            raise _contradiction(found)
        return json_answer(Meanings(household_id, said.version, as_of, found))

    @router.get("/changes")
    async def changes(household_id: str, since_version: int) -> Response:
        """What the ledger says otherwise now than in a version that a proposal pinned."""
        said = await store.load_said(service.pool, household_id)
        before = await history_store.said_version(service.pool, household_id, since_version)
        if said is None or before is None:
            raise Problem(404, "Unknown version", f"household {household_id} has no ledger of version {since_version}")
        return json_answer(changes_between(before, said))

    @router.get("/custodian-basis")
    async def custodian_basis(household_id: str, every_lot: bool = False) -> Response:
        """Where the custodian's basis and the household's differ, and why (or every lot, side by side); neither is overwritten."""
        facts, securities = await facts_of(household_id), await keeper.securities.newest(service.pool)
        said = await store.load_said(service.pool, household_id)
        books = books_of(facts, securities, facts.accounts)
        if isinstance(books, Refusal):
            raise _contradiction(books)
        version = 0 if said is None else said.version
        return json_answer(CustodianBasis(household_id, version, custodian_differences(facts, securities, books, every_lot)))

    return router


def _contradiction(refusal: Refusal) -> Problem:
    return Problem(409, "The facts contradict each other", refusal.text(), code=refusal.code.value)
