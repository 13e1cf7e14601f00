"""What ingest does with a plan that a client chose: the account follows it, and is taken on if it was unknown.  And what ingest takes."""

from msgspec.structs import replace

from libs.common import topics
from libs.common.consumer import Gather, Subscription
from libs.common.events import Event
from libs.common.schemas.custody import CustodyHoldings
from libs.common.schemas.order import TradeBooked
from libs.common.schemas.plan import PlanChosen, PlanWithdrawn
from libs.common.unit import Unit
from services.ingest import delivery_store, store
from services.ingest.core.book import AccountBook
from services.ingest.core.plans import record_of
from services.ingest.deliveries import take_on
from services.ingest.handlers import on_custody_holdings, on_trade_booked, save_and_publish


async def on_plan_chosen(unit: Unit, event: Event, chosen: PlanChosen) -> None:
    """Follow the plan from now on; an account without a master record gets its first from it."""
    await delivery_store.share_records(unit.connection)
    book = await store.load_book(unit.connection, chosen.account_id)
    if book is None:
        record = record_of(chosen)
        await store.record_edit(unit.connection, record, chosen.chosen_by, unit.now)
        await take_on(unit, AccountBook(record, plan=chosen.plan))
    elif book.plan != chosen.plan:
        await save_and_publish(unit, replace(book, plan=chosen.plan))


async def on_plan_withdrawn(unit: Unit, event: Event, withdrawn: PlanWithdrawn) -> None:
    """Follow it no longer, unless another one has taken its place."""
    book = await store.load_book(unit.connection, withdrawn.account_id)
    if book is not None and book.plan is not None and book.plan.plan_id == withdrawn.plan_id:
        await save_and_publish(unit, replace(book, plan=None))


SUBSCRIPTION = Subscription(
    topics=(topics.CUSTODY_HOLDINGS, topics.TRADES, topics.PLANS),
    handlers={
        TradeBooked: on_trade_booked,
        CustodyHoldings: on_custody_holdings,
        PlanChosen: on_plan_chosen,
        PlanWithdrawn: on_plan_withdrawn,
    },
    gather=Gather(topics.TRADES),
)
