"""HTTP of wash_sale for what a person knows better than the file: the basis and origin of a lot."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from libs.common.app import Problem, require_token
from libs.common.money import ZERO
from libs.common.service import Service
from services.wash_sale import store
from services.wash_sale.api import unknown_household
from services.wash_sale.core.household import Departure, HouseholdLedger
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.told_lots import (
    ToldLot,
    bought,
    from_spouse,
    given,
    inherited,
    security_of_lot,
    tell_departure,
    tell_lot,
)
from services.wash_sale.handlers import LedgerKeeper, Told
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
    """Shares that left the lot without a trade, in the shares of that day."""

    model_config = ConfigDict(extra="forbid")
    day: date
    quantity: Annotated[Decimal, Field(gt=0, max_digits=21, decimal_places=6)]
    why: Literal["gift", "transfer"]


class LotTold(BaseModel):
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

    async def take(household_id: str, account_id: str, actor: str, change: Told) -> None:
        if await store.load_facts(service.pool, household_id) is None:
            raise unknown_household(household_id)
        async with service.unit("http", actor) as unit:
            refusal = await keeper.take_told(unit, household_id, account_id, change)
        if refusal is not None:
            raise Problem(409, "The lot can't be as told", refusal.text(), code=refusal.code.value)
        wake()

    @router.put("/origin")
    async def tell_origin(
        household_id: str, account_id: str, lot_id: str, origin: Origin, actor: Annotated[str, Depends(actor_of)]
    ) -> LotTold:
        """Say where a lot of the custodian's file came from and what its basis is; past sales and windows are derived again."""
        told = origin.told(account_id, lot_id)
        now = service.clock.now()
        await take(household_id, account_id, actor, lambda ledger, securities: tell_lot(ledger, told, actor, now, securities))
        return LotTold(
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
        now = service.clock.now()

        def change(ledger: HouseholdLedger, securities: SecurityFacts) -> HouseholdLedger | Refusal:
            security_id = security_of_lot(ledger, account_id, lot_id, securities)
            if security_id is None:
                return Refusal(RefusalCode.UNKNOWN_LOT, account_id, "told departure", lot_id, field="lot_id")
            gone = Departure(lot_id, security_id, left.quantity, left.day, left.why, actor, now)
            return tell_departure(ledger, account_id, gone, securities)

        await take(household_id, account_id, actor, change)
        return left

    return router
