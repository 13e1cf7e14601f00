"""What wash_sale does with accounts, trades, market snapshots and runs.  Gather, decide, apply."""

from collections.abc import Callable, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from libs.common import topics
from libs.common.consumer import Gather, Subscription
from libs.common.db import Connection, Pool
from libs.common.errors import CannotApply
from libs.common.events import Event, encode_payload
from libs.common.ids import bytes_id
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.ledger import LotTold
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import TradeBooked
from libs.common.unit import Batch, Unit
from services.wash_sale import identity_store, store
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS, SecurityFacts, security_facts
from services.wash_sale.core.told_lots import take_told
from services.wash_sale.core.transitions import apply_account, apply_trade, leave
from services.wash_sale.metrics import LedgerMetrics
from services.wash_sale.store import Household

SNAPSHOTS_KEPT = 4
IN_HAND = "wash_sale households"


class SecurityTables:
    """Identity groups, splits and reorganizations by market snapshot, made anew when any snapshot has come since."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, date, int], SecurityFacts] = {}
        self._in_batch: tuple[Batch, SecurityFacts] | None = None

    async def in_batch(self, unit: Unit) -> SecurityFacts:
        """The facts of the newest snapshot, looked up once a batch."""
        if self._in_batch is None or self._in_batch[0] is not unit.batch:
            self._in_batch = (unit.batch, await self.newest(unit.connection))
        return self._in_batch[1]

    async def newest(self, connection: Connection | Pool) -> SecurityFacts:
        """The facts of the newest snapshot; before the first every security is a group by itself."""
        newest = await store.newest_market(connection)
        return NO_SECURITY_FACTS if newest is None else await self._of(connection, newest.market_id, newest.as_of, newest.arrival)

    async def of_run(self, connection: Connection | Pool, market_id: str, as_of: date) -> SecurityFacts:
        """The facts of a run's snapshot, which has come, with the splits up to the run's date."""
        newest = await store.newest_market(connection)
        assert newest is not None, "the run's market has come"
        return await self._of(connection, market_id, as_of, newest.arrival)

    async def _of(self, connection: Connection | Pool, market_id: str, as_of: date, arrival: int) -> SecurityFacts:
        key = (market_id, as_of, arrival)
        if key not in self._kept:
            splits = await store.load_splits(connection)
            entries = await identity_store.changed_identities(connection)
            actions = await store.load_reorganizations(connection)
            self._kept[key] = security_facts(await store.load_groups(connection, market_id), splits, as_of, entries, actions)
            while len(self._kept) > SNAPSHOTS_KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[key]


class _InHand(Struct, frozen=True):
    """A household that events of the batch have changed, and the accounts that they touched."""

    household: Household
    touched: frozenset[str]


def _household_of(payload: Struct) -> str | None:
    """The household whose facts an event changes."""
    match payload:
        case AccountChanged() | TradeBooked():
            return payload.household_id
        case AccountMoved():
            return payload.from_household_id
        case _:
            return None


class LedgerKeeper:
    """The handlers, with what they keep between events.

    Handlers change facts; the ledgers that follow are said afterwards (`saying.py`).
    """

    def __init__(self, metrics: LedgerMetrics) -> None:
        self.securities = SecurityTables()
        self.households = store.Households()
        self._metrics = metrics

    def subscription(self) -> Subscription:
        """What the service takes from the bus."""
        return Subscription(
            topics=(topics.ACCOUNTS, topics.TRADES, topics.MARKET),
            handlers={
                AccountChanged: self.on_account_changed,
                AccountMoved: self.on_account_moved,
                TradeBooked: self.on_trade_booked,
                MarketPublished: self.on_market_published,
                RunOpened: self.on_run_opened,
            },
            gather=Gather(topics.TRADES),
            prepare=self.prepare,
        )

    async def prepare(self, unit: Unit, payloads: Sequence[Struct]) -> None:
        """Lock and load a batch's households together."""
        names = sorted({name for name in map(_household_of, payloads) if name is not None})
        if names:
            unit.batch.prepared[IN_HAND] = dict.fromkeys(names, await self.households.lock(unit.connection, names))

    async def on_account_changed(self, unit: Unit, event: Event, changed: AccountChanged) -> None:
        """Compare the account with the ledger."""
        securities = await self.securities.in_batch(unit)
        household = await self._in_hand(unit, changed.household_id)

        facts = self._allowed(apply_account(household.facts, changed, securities))

        self._hold(unit, household, facts, changed.business_date, changed.account_id)

    async def on_account_moved(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
        """Let the account go; what it did stays in the household's windows and years."""
        household = await self._in_hand(unit, moved.from_household_id)

        facts = leave(household.facts, moved.account_id)

        self._hold(unit, household, facts, household.as_of, moved.account_id)

    async def on_trade_booked(self, unit: Unit, event: Event, trade: TradeBooked) -> None:
        """Book the trade."""
        securities = await self.securities.in_batch(unit)
        household = await self._in_hand(unit, trade.household_id)

        facts = self._allowed(apply_trade(household.facts, trade, securities))

        self._hold(unit, household, facts, trade.trade_date, trade.account_id)

    async def on_market_published(self, unit: Unit, event: Event, market: MarketPublished) -> None:
        """Keep identity groups, splits and reorganizations; ledgers follow with the next event or run."""
        await store.save_market(unit.connection, market)
        await identity_store.save_identities(unit.connection, market)

    async def on_run_opened(self, unit: Unit, event: Event, run: RunOpened) -> None:
        """Note which households the run asks for; they are answered as they become ready."""
        included = [account for account in run.accounts if account.excluded is None]
        await store.save_run(unit.connection, run, included, event.correlationid, unit.now)

    def _allowed(self, outcome: HouseholdLedger | Refusal) -> HouseholdLedger:
        if isinstance(outcome, Refusal):
            self._metrics.refusals.labels(outcome.code.value).inc()
            raise CannotApply(outcome.text())
        return outcome

    async def _in_hand(self, unit: Unit, household_id: str) -> Household:
        """The household as an earlier event of the batch left it, or from its table."""
        in_hand: dict[str, _InHand] = unit.held(IN_HAND) or {}
        held = in_hand.get(household_id)
        if held:
            return held.household
        prepared: dict[str, Callable[[str], Household]] = unit.batch.prepared.get(IN_HAND, {})
        read = prepared.pop(household_id, None)
        return await self.households.load(unit.connection, household_id) if read is None else read(household_id)

    def _hold(self, unit: Unit, household: Household, facts: HouseholdLedger, day: date, account_id: str) -> None:
        """Keep changed facts in hand; the batch's households are saved together, at its end."""
        if facts is household.facts:
            return
        in_hand: dict[str, _InHand] = unit.held(IN_HAND) or {}
        held = in_hand.get(facts.household_id)
        touched = (held.touched if held else frozenset()) | {account_id}
        in_hand[facts.household_id] = _InHand(replace(household, facts=facts, as_of=max(household.as_of, day)), touched)
        unit.hold(IN_HAND, in_hand, self._save)

    async def _save(self, unit: Unit, in_hand: dict[str, _InHand]) -> None:
        changed = [store.Changed(held.household.facts, held.household.as_of, held.touched) for held in in_hand.values()]
        await self.households.save(unit.connection, changed)

    async def take_told(self, unit: Unit, told: LotTold) -> Refusal | None:
        """Take what a person says of a lot, and say that it was told; what follows is said in its turn."""
        securities = await self.securities.newest(unit.connection)
        household = await self.households.load(unit.connection, told.household_id)

        facts = take_told(household.facts, told, securities)

        if isinstance(facts, Refusal):
            self._metrics.refusals.labels(facts.code.value).inc()
            return facts
        if facts is not household.facts:
            await self.households.save(unit.connection, [store.Changed(facts, household.as_of, frozenset({told.account_id}))])
            unit.emit(told, told.account_id, bytes_id(encode_payload(told)), told.household_id)
        return None
