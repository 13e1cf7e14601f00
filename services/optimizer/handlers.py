"""What optimizer does with what it hears: keep the newest of each input, and let households go on whose inputs have met."""

from libs.common import topics
from libs.common.consumer import Subscription
from libs.common.events import Event
from libs.common.packing import body_of
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import OrderEnded, OrderPlaced
from libs.common.schemas.screen import ScreenUpdated
from libs.common.unit import Unit
from services.optimizer import store
from services.optimizer.store import Heard

HEARD = "heard"


def _heard(unit: Unit) -> Heard:
    """What the batch has brought so far; it is written at its end, all together."""
    heard: Heard = unit.held(HEARD) or Heard()
    unit.hold(HEARD, heard, _keep)
    return heard


async def _keep(unit: Unit, heard: Heard) -> None:
    await store.share(unit.connection)
    await store.save_heard(unit.connection, heard)


async def on_account_changed(unit: Unit, event: Event, account: AccountChanged) -> None:
    """Keep the newest version."""
    _heard(unit).account(account, body_of(event))


async def on_screen_updated(unit: Unit, event: Event, screen: ScreenUpdated) -> None:
    """Keep the newest version, and note which run was answered, also by an older one."""
    _heard(unit).screen(screen, body_of(event))


async def on_ledger_updated(unit: Unit, event: Event, ledger: LedgerUpdated) -> None:
    """Keep the newest version, and note which run was answered, also by an older one."""
    _heard(unit).ledger(ledger, body_of(event))


async def on_market_published(unit: Unit, event: Event, market: MarketPublished) -> None:
    """Keep the snapshot."""
    await store.alone(unit.connection)
    await store.save_market(unit.connection, market, body_of(event))
    await store.mark_ready(unit.connection, None)


async def on_run_opened(unit: Unit, event: Event, run: RunOpened) -> None:
    """Decide these accounts as soon as their inputs have met."""
    await store.alone(unit.connection)
    await store.save_run(unit.connection, run, body_of(event), event.correlationid, unit.now)
    await store.mark_ready(unit.connection, None)


async def on_order_placed(unit: Unit, event: Event, order: OrderPlaced) -> None:
    """The accounts of the block get no new proposal until it ends (decision 6)."""
    await store.save_order(unit.connection, order)


async def on_order_ended(unit: Unit, event: Event, order: OrderEnded) -> None:
    """The accounts of the block are free again."""
    await store.end_order(unit.connection, order)


SUBSCRIPTION = Subscription(
    topics=(topics.ACCOUNTS, topics.MARKET, topics.SCREENS, topics.LEDGERS, topics.ORDERS),
    handlers={
        AccountChanged: on_account_changed,
        ScreenUpdated: on_screen_updated,
        LedgerUpdated: on_ledger_updated,
        MarketPublished: on_market_published,
        RunOpened: on_run_opened,
        OrderPlaced: on_order_placed,
        OrderEnded: on_order_ended,
    },
)
