"""What the units of one transaction ask PostgreSQL for once: the lock, and what stands still while it is held."""

from libs.common.unit import Unit
from services.restrictions import store

SHARED = "restrictions shared"
SOMEBODY_WAITS = "restrictions somebody waits"
NEWEST_MARKET = "restrictions newest market"


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
