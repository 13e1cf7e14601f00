"""What wash_sale does with accounts, trades, market snapshots and runs.  Gather, decide, apply."""

from datetime import date
from typing import Literal

from msgspec.structs import replace

from libs.common import topics
from libs.common.consumer import Subscription
from libs.common.db import Connection, Pool
from libs.common.errors import CannotApply
from libs.common.events import Event, encode_payload
from libs.common.ids import bytes_id
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import CorporateAction, MarketPublished, RunOpened
from libs.common.schemas.order import TradeBooked
from libs.common.unit import Unit
from services.wash_sale import store
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS, SecurityFacts, security_facts
from services.wash_sale.core.transitions import apply_account, apply_trade, leave
from services.wash_sale.core.view import ledger_content
from services.wash_sale.metrics import LedgerMetrics
from services.wash_sale.store import Household

SNAPSHOTS_KEPT = 4

Cause = Literal["account", "trade", "run"]


class SecurityTables:
    """Identity groups and splits by market snapshot, made once for each snapshot and state of the split table."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, date, tuple[CorporateAction, ...]], SecurityFacts] = {}

    async def of(self, connection: Connection | Pool, market_id: str, as_of: date) -> SecurityFacts:
        """The facts of a snapshot that has come, with the splits up to a date."""
        splits = await store.load_splits(connection)
        key = (market_id, as_of, splits)
        if key not in self._kept:
            self._kept[key] = security_facts(await store.load_groups(connection, market_id), splits, as_of)
            while len(self._kept) > SNAPSHOTS_KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[key]

    async def newest(self, connection: Connection | Pool) -> SecurityFacts:
        """The facts of the newest snapshot; before the first every security is a group by itself."""
        newest = await store.newest_market(connection)
        return NO_SECURITY_FACTS if newest is None else await self.of(connection, *newest)


class LedgerKeeper:
    """The handlers, with what they keep between events."""

    def __init__(self, metrics: LedgerMetrics) -> None:
        self.securities = SecurityTables()
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
        )

    async def on_account_changed(self, unit: Unit, event: Event, changed: AccountChanged) -> None:
        """Compare the account with the ledger; say the ledger if it changed."""
        securities = await self.securities.newest(unit.connection)
        household = await store.load_household(unit.connection, changed.household_id)

        facts = self._allowed(apply_account(household.facts, changed, securities))

        await self._save_and_say(unit, household, facts, securities, changed.business_date, "account")

    async def on_account_moved(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
        """Let the account go; what it did stays in the household's windows and years."""
        securities = await self.securities.newest(unit.connection)
        household = await store.load_household(unit.connection, moved.from_household_id)

        facts = leave(household.facts, moved.account_id)

        await self._save_and_say(unit, household, facts, securities, household.as_of, "account")

    async def on_trade_booked(self, unit: Unit, event: Event, trade: TradeBooked) -> None:
        """Book the trade; say the ledger that follows."""
        securities = await self.securities.newest(unit.connection)
        household = await store.load_household(unit.connection, trade.household_id)

        facts = self._allowed(apply_trade(household.facts, trade, securities))

        await self._save_and_say(unit, household, facts, securities, trade.trade_date, "trade")

    async def on_market_published(self, unit: Unit, event: Event, market: MarketPublished) -> None:
        """Keep identity groups and splits; ledgers follow with the next event or run."""
        await store.save_market(unit.connection, market)

    async def on_run_opened(self, unit: Unit, event: Event, run: RunOpened) -> None:
        """Note which households the run asks for; `answer_next` answers them as they become ready."""
        included = [account for account in run.accounts if account.excluded is None]
        await store.save_run(unit.connection, run, included, event.correlationid, unit.now)

    async def answer_next(self, unit: Unit) -> bool:
        """Answer one household that a run asks for and that is ready; False when none is."""
        asked = await store.take_ready(unit.connection)
        if asked is None:
            return False
        securities = await self.securities.of(unit.connection, asked.market_id, asked.as_of)
        household = await store.load_household(unit.connection, asked.household_id)

        content = ledger_content(household.facts, securities, asked.as_of)

        if isinstance(content, Refusal):
            self._metrics.refusals.labels(content.code.value).inc()
            await store.refused(unit.connection, asked, content.text())
            return True
        unit.correlationid = asked.correlationid
        await self._say(unit, household, household.facts, content, asked.run_id)
        await store.answered(unit.connection, asked)
        return True

    def _allowed(self, outcome: HouseholdLedger | Refusal) -> HouseholdLedger:
        if isinstance(outcome, Refusal):
            self._metrics.refusals.labels(outcome.code.value).inc()
            raise CannotApply(outcome.text())
        return outcome

    async def _save_and_say(
        self, unit: Unit, household: Household, facts: HouseholdLedger, securities: SecurityFacts, day: date, cause: Cause
    ) -> None:
        """Save changed facts; say the ledger, as of the latest day known here, if its content changed."""
        if facts is household.facts:
            return
        content = ledger_content(facts, securities, max(household.as_of, day))
        if isinstance(content, Refusal):
            self._metrics.refusals.labels(content.code.value).inc()
            raise CannotApply(content.text())
        await self._say(unit, household, facts, content, None, cause)

    async def _say(
        self,
        unit: Unit,
        household: Household,
        facts: HouseholdLedger,
        content: LedgerUpdated,
        run_id: str | None,
        cause: Cause = "run",
    ) -> None:
        """Say the content under its version, which rises only when it changed; a run is answered in any case.

        As long as only early inputs have come, there is nothing to say.
        """
        digest = bytes_id(encode_payload(content)) if facts.accounts else household.digest
        changed = digest != household.digest
        version = household.version + changed
        said = replace(content, version=version)
        as_of = max(household.as_of, content.as_of)
        await store.save_household(unit.connection, Household(facts, version, digest, as_of), said)
        if run_id is not None:
            unit.emit(replace(said, run_id=run_id), content.household_id, f"{version}:{run_id}", content.household_id)
        elif changed:
            unit.emit(said, content.household_id, f"{version}", content.household_id)
        if changed or run_id is not None:
            self._metrics.ledgers.labels(cause).inc()
