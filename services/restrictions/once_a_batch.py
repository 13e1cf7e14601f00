"""What the units of one transaction ask PostgreSQL for once: the lock, and what stands still while it is held."""

from collections.abc import Sequence

from msgspec import Struct

from libs.common.schemas.account import AccountChanged
from libs.common.unit import Unit
from services.restrictions import store
from services.restrictions.core.household import HouseholdState

SHARED = "restrictions shared"
SOMEBODY_WAITS = "restrictions somebody waits"
NEWEST_MARKET = "restrictions newest market"
HOUSEHOLDS = "restrictions households"


async def share(unit: Unit) -> None:
    """Share the lock until the transaction ends."""
    if unit.held(SHARED) is None:
        await store.share(unit.connection)
        unit.hold(SHARED, True, _nothing_to_save)


async def somebody_waits(unit: Unit) -> bool:
    """Whether any run waits for anything; the caller holds the lock, which keeps other runs out."""
    waits: bool | None = unit.held(SOMEBODY_WAITS)
    if waits is None:
        waits = await store.somebody_waits(unit.connection)
        unit.hold(SOMEBODY_WAITS, waits, _nothing_to_save)
    return waits


async def newest_market_id(unit: Unit) -> str | None:
    """The newest snapshot; the caller holds the lock, which keeps other snapshots out."""
    market_id: str | None = unit.held(NEWEST_MARKET) or await store.newest_market_id(unit.connection)
    unit.hold(NEWEST_MARKET, market_id, _nothing_to_save)
    return market_id


def forget(unit: Unit) -> None:
    """A snapshot or a run has come in this very transaction."""
    for key in (SOMEBODY_WAITS, NEWEST_MARKET):
        unit.hold(key, None, _nothing_to_save)


async def _nothing_to_save(unit: Unit, held: object) -> None:
    """A lock and what was asked for end by themselves."""


async def load_households(unit: Unit, payloads: Sequence[Struct]) -> None:
    """Load the households of a batch's accounts together, each with the account of it that comes first."""
    first: dict[str, list[str]] = {}
    for payload in payloads:
        if isinstance(payload, AccountChanged):
            first.setdefault(payload.household_id, [payload.account_id])
    if first:
        await share(unit)
        unit.batch.prepared[HOUSEHOLDS] = await store.load_households(unit.connection, first)


async def household_with(unit: Unit, changed: AccountChanged) -> HouseholdState:
    """The account's household as it stands; as it was loaded with the others where no event of the batch can have changed it since."""
    loaded: dict[str, HouseholdState] = unit.batch.prepared.get(HOUSEHOLDS, {})
    state = loaded.pop(changed.household_id, None)
    if state is None:
        state = (await store.load_households(unit.connection, {changed.household_id: [changed.account_id]}))[changed.household_id]
    known = state.accounts.get(changed.account_id)
    if known is not None and known.household_id != changed.household_id:
        forget_households(unit)  # it leaves another one, which may be among them
    return state


def forget_households(unit: Unit) -> None:
    """What was loaded together may have changed."""
    unit.batch.prepared.pop(HOUSEHOLDS, None)
