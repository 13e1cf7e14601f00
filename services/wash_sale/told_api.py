"""HTTP of wash_sale for what a person knows better than the file: the basis and origin of a lot."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.common.app import Problem, require_token
from libs.common.money import ZERO
from libs.common.schemas.ledger import LotTold, ToldDeparture, ToldOrigin
from libs.common.service import Service
from services.wash_sale import store
from services.wash_sale.api import unknown_household
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.told_lots import (
    ToldLot,
    bought,
    from_spouse,
    given,
    inherited,
    security_of_lot,
)
from services.wash_sale.handlers import LedgerKeeper
from services.wash_sale.settings import WashSaleSettings

Dollars = Annotated[Decimal, Field(ge=0, max_digits=17, decimal_places=2)]


class Purchase(BaseModel):
    """It was bought: cost with commissions, in dollars of the whole lot."""

    model_config = ConfigDict(extra="forbid")
    how: Literal["purchase"]
    acquired: date
    cost: Dollars

    def told(self, account_id: str, lot_id: str) -> ToldLot:
        return bought(account_id, lot_id, self.acquired, self.cost)


class Gift(BaseModel):
    """It was given: the donor's basis and date, and the value on the day of the gift."""

    model_config = ConfigDict(extra="forbid")
    how: Literal["gift"]
    received: date
    donor_basis: Dollars
    donor_acquired: date
    fmv: Dollars
    gift_tax_on_appreciation: Dollars = ZERO

    def told(self, account_id: str, lot_id: str) -> ToldLot:
        donor = self.donor_basis, self.donor_acquired
        return given(account_id, lot_id, self.received, *donor, self.fmv, self.gift_tax_on_appreciation)


class Inheritance(BaseModel):
    """It was inherited: the value at death, or on the alternate date where that was chosen."""

    model_config = ConfigDict(extra="forbid")
    how: Literal["inheritance"]
    died_on: date
    fmv: Dollars

    def told(self, account_id: str, lot_id: str) -> ToldLot:
        return inherited(account_id, lot_id, self.died_on, self.fmv)


class CarriedOver(BaseModel):
    """It came from the spouse, or from another account of the household: basis and date carry over."""

    model_config = ConfigDict(extra="forbid")
    how: Literal["spouse", "transfer"]
    received: date
    donor_basis: Dollars
    donor_acquired: date

    def told(self, account_id: str, lot_id: str) -> ToldLot:
        return from_spouse(account_id, lot_id, self.received, self.donor_basis, self.donor_acquired)


Origin = Annotated[Purchase | Gift | Inheritance | CarriedOver, Field(discriminator="how")]


class Left(BaseModel):
    """Shares that left the lot without a trade, in the shares of that day; a gift to a public charity with its value and the donee."""

    model_config = ConfigDict(extra="forbid")
    day: date
    quantity: Annotated[Decimal, Field(gt=0, max_digits=21, decimal_places=6)]
    why: Literal["gift", "transfer"]
    fmv: Dollars | None = None
    donee: Literal["public_charity"] | None = None

    @model_validator(mode="after")
    def only_a_gift_has_a_donee(self) -> "Left":
        if self.why != "gift" and (self.fmv is not None or self.donee is not None):
            raise ValueError("only a gift has a value and a donee")
        return self


class LotAsTold(BaseModel):
    """The lot as it stands from now on."""

    account_id: str
    lot_id: str
    how: str
    cost: Decimal | None
    acquired: date
    held_since: date | None
    basis_for_loss: Decimal | None


def told_routes(service: Service, settings: WashSaleSettings, keeper: LedgerKeeper, wake: Callable[[], None]) -> APIRouter:
    """The writes of the service; `wake` lets the ledger that follows be said."""
    router = APIRouter(prefix="/v1/households/{household_id}/accounts/{account_id}/lots/{lot_id}", tags=["households"])
    actor_of = require_token(settings)

    async def facts_of(household_id: str) -> HouseholdLedger:
        facts = await store.load_facts(service.pool, household_id)
        if facts is None:
            raise unknown_household(household_id)
        return facts

    async def take(told: LotTold) -> None:
        async with service.unit("http", told.actor) as unit:
            refusal = await keeper.take_told(unit, told)
        if refusal is not None:
            raise _cannot(refusal)
        wake()

    @router.put("/origin")
    async def tell_origin(
        household_id: str, account_id: str, lot_id: str, origin: Origin, actor: Annotated[str, Depends(actor_of)]
    ) -> LotAsTold:
        """Say where a lot of the custodian's file came from and what its basis is; past sales and windows are derived again."""
        told = origin.told(account_id, lot_id)
        await facts_of(household_id)
        said = ToldOrigin(told.how, told.acquired, told.cost, told.held_since, told.loss_cost, told.loss_since)
        await take(LotTold(household_id, account_id, lot_id, actor, service.clock.now(), origin=said))
        return LotAsTold(
            account_id=account_id,
            lot_id=lot_id,
            how=told.how,
            cost=told.cost,
            acquired=told.acquired,
            held_since=told.held_since,
            basis_for_loss=told.loss_cost,
        )

    @router.post("/departures", status_code=201)
    async def tell_left(household_id: str, account_id: str, lot_id: str, left: Left, actor: Annotated[str, Depends(actor_of)]) -> Left:
        """Say that shares were given away or moved, which explains a lot that shrank; the same told again changes nothing."""
        securities = await keeper.securities.newest(service.pool)
        security_id = security_of_lot(await facts_of(household_id), account_id, lot_id, securities)
        if security_id is None:
            raise _cannot(Refusal(RefusalCode.UNKNOWN_LOT, account_id, "told departure", lot_id, field="lot_id"))
        gone = ToldDeparture(security_id, left.quantity, left.day, left.why, left.fmv, left.donee)
        await take(LotTold(household_id, account_id, lot_id, actor, service.clock.now(), departure=gone))
        return left

    return router


def _cannot(refusal: Refusal) -> Problem:
    return Problem(409, "The lot can't be as told", refusal.text(), code=refusal.code.value)
