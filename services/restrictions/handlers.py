"""What restrictions does with accounts, market snapshots, runs and people's edits.  Gather, decide, apply."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal

from msgspec import Struct

from libs.common import topics
from libs.common.consumer import Subscription
from libs.common.db import Connection, Pool
from libs.common.errors import CannotApply
from libs.common.events import Event
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.rule import RulesEdited
from libs.common.schemas.screen import ScreenUpdated
from libs.common.unit import Unit
from services.restrictions import once_a_batch, store
from services.restrictions.core.edits import EditRefused, RuleEdit, RuleRecord
from services.restrictions.core.household import (
    AccountTaken,
    HouseholdState,
    WaitingAccount,
    accounts_under,
    changed_screens,
    is_ready,
    moved_account,
    run_answers,
    take_account,
    with_edits,
)
from services.restrictions.core.rules import Owner
from services.restrictions.core.screen import Reach, Universe, reach_of
from services.restrictions.metrics import ScreenMetrics
from services.restrictions.record import wishes_taken, written

UNIVERSES_KEPT = 4
ACCOUNTS_AT_ONCE = 200

Cause = Literal["account", "rules", "run"]


class Universes:
    """Market snapshots, indexed once each; a snapshot never changes, so those at hand are always right."""

    def __init__(self) -> None:
        self._kept: dict[str, Universe] = {}

    async def of(self, connection: Connection | Pool, market_id: str) -> Universe | None:
        """The universe of a snapshot; None if it has not come."""
        if market_id not in self._kept:
            universe = await store.load_universe(connection, market_id)
            if universe is None:
                return None
            self._kept[market_id] = universe
            while len(self._kept) > UNIVERSES_KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[market_id]

    async def newest(self, connection: Connection | Pool) -> Universe | None:
        """The universe of the newest snapshot; None before the first."""
        market_id = await store.newest_market_id(connection)
        return None if market_id is None else await self.of(connection, market_id)


class Edited(Struct, frozen=True):
    """An edit that was made: the rule as it stands, how far it reaches (None before the first market), and the screens it changed."""

    record: RuleRecord
    reach: Reach | None
    screens_changed: int


class Standing(Struct, frozen=True):
    """A rule in force, and how far it reaches (None before the first market)."""

    row: store.RuleRow
    reach: Reach | None


class Screener:
    """The handlers, with what they keep between events."""

    def __init__(self, metrics: ScreenMetrics) -> None:
        self.universes = Universes()
        self.metrics = metrics
        self.silent = False  # while it catches up with what it said before: it takes everything and says nothing

    def subscription(self) -> Subscription:
        """What the service takes from the bus."""
        return Subscription(
            topics=(topics.ACCOUNTS, topics.MARKET),
            handlers={
                AccountChanged: self.on_account_changed,
                AccountMoved: self.on_account_moved,
                MarketPublished: self.on_market_published,
                RunOpened: self.on_run_opened,
            },
            prepare=once_a_batch.load_households,
        )

    async def on_account_changed(self, unit: Unit, event: Event, changed: AccountChanged) -> None:
        """Take the account and its wishes; say the screens that changed; answer a run that waited for it."""
        await once_a_batch.share(unit)
        household = await once_a_batch.household_with(unit, changed)

        taken = take_account(household, changed)
        if taken is None:
            return
        if not isinstance(taken, AccountTaken):
            for wish in taken:
                self.metrics.refusals.labels(wish.refused.reason).inc()
            raise CannotApply("; ".join(f"wish {wish.wish_id}, field {wish.refused.field}: {wish.refused.message}" for wish in taken))

        await store.save_account(unit.connection, taken.state.accounts[changed.account_id])
        await self._save_edits(unit, taken.edits, actor=event.source, cause=event.id)
        if taken.commanded:
            said = wishes_taken(taken.state.accounts[changed.account_id], taken.edits, event.source, unit.now, event.id)
            unit.emit(said, changed.account_id, f"wishes {changed.version}", changed.household_id)
        await self.say_changed(unit, taken.state, taken.to_screen, "rules" if taken.edits else "account")
        await self._answer_household(unit, changed.household_id)

    async def on_account_moved(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
        """Let the account go from its household, where a run need not wait for it any more."""
        await once_a_batch.share(unit)
        once_a_batch.forget_households(unit)
        account = await store.load_account(unit.connection, moved.account_id)

        going = None if account is None else moved_account(account, moved)

        if going is not None:
            await store.save_account(unit.connection, going)
        await self._answer_household(unit, moved.from_household_id)

    async def on_market_published(self, unit: Unit, event: Event, market: MarketPublished) -> None:
        """Keep the snapshot; the runs that stand on it follow, and seldom one came before it."""
        await store.alone(unit.connection)
        await store.save_market(unit.connection, market)
        once_a_batch.forget(unit)
        await self.answer_ready(unit, await store.load_waiting(unit.connection, market_id=market.market_id))

    async def on_run_opened(self, unit: Unit, event: Event, run: RunOpened) -> None:
        """Answer the households whose accounts are known as the run lists them, and wait for the others."""
        await store.alone(unit.connection)
        once_a_batch.forget(unit)
        with_answer = {one.household_id for one in run.accounts if one.excluded is None}
        listed = [
            WaitingAccount(run.run_id, one.household_id, one.account_id, run.market_id, one.account_version, one.excluded is None)
            for one in sorted(run.accounts, key=lambda one: (one.household_id, one.account_id))
            if one.household_id in with_answer
        ]

        for some in households_at_once(listed):
            await store.save_waiting(unit.connection, await self.answer_ready(unit, some), unit.now)

    async def edit_rule(
        self, unit: Unit, owner: Owner, rule_id: str, decide: Callable[[RuleRecord | None], RuleEdit | EditRefused | None]
    ) -> Edited | EditRefused | None:
        """Make a person's edit of one rule, which `decide` derives from the rule as it stands.

        None if the owner is unknown.  An edit that changes nothing answers with the rule as it is.
        """
        await store.alone(unit.connection)
        state = await self._household_of(unit.connection, owner)
        if state is None:
            return None
        current = state.rules.get((owner, rule_id))

        edit = decide(current)
        if isinstance(edit, EditRefused):
            self.metrics.refusals.labels(edit.reason).inc()
            return edit

        screens = 0
        if edit is not None:
            await self._save_edits(unit, [edit], actor=unit.actor, cause=None)
            said = RulesEdited(state.household_id, [written(edit)], unit.actor, unit.now)
            unit.emit(said, f"{owner.level} {owner.owner_id} {rule_id}", edit.after.revision, state.household_id)
            state = with_edits(state, [edit])
            screens = await self.say_changed(unit, state, accounts_under(state, [owner]), "rules")
        record = state.rules[owner, rule_id]
        universe = await self.universes.newest(unit.connection)
        return Edited(record, None if universe is None else reach_of(record.rule, held_under(state, owner), universe), screens)

    async def standing_rules(self, pool: Pool, owner: Owner) -> list[Standing] | None:
        """The rules in force for an owner, an account's household's too, with their reach; None if the owner is unknown."""
        async with pool.acquire() as connection:
            state = await self._household_of(connection, owner)
            if state is None:
                return None
            owners = [owner] if owner.level == "household" else [Owner("household", state.household_id), owner]
            universe = await self.universes.newest(connection)
            rows = await store.load_rule_rows(connection, owners)
        held = held_under(state, owner)
        return [Standing(row, None if universe is None else reach_of(row.record.rule, held, universe)) for row in rows]

    async def _household_of(self, connection: Connection, owner: Owner) -> HouseholdState | None:
        household_id = owner.owner_id
        if owner.level == "account":
            account = await store.load_account(connection, owner.owner_id)
            if account is None:
                return None
            household_id = account.household_id
        state = (await store.load_households(connection, {household_id: []}))[household_id]
        return state if state.accounts else None

    async def _save_edits(self, unit: Unit, edits: Sequence[RuleEdit], actor: str, cause: str | None) -> None:
        await store.save_edits(unit.connection, edits, actor, unit.now, cause)
        for edit in edits:
            self.metrics.edits.labels(edit.action, edit.after.owner.level).inc()

    async def say_changed(self, unit: Unit, state: HouseholdState, account_ids: Sequence[str], cause: Cause) -> int:
        """Say the screens that changed, on the newest market; before the first there is nothing to say."""
        market_id = None if self.silent else await once_a_batch.newest_market_id(unit)
        universe = None if market_id is None else await self.universes.of(unit.connection, market_id)
        if universe is None:
            return 0
        screens = changed_screens(state, account_ids, universe)
        await self._say(unit, screens, cause)
        return len(screens)

    async def _say(self, unit: Unit, screens: Sequence[ScreenUpdated], cause: Cause) -> None:
        if not screens:
            return
        await store.save_screens(unit.connection, screens)
        for screen in screens:
            version = f"{screen.version}" if screen.run_id is None else f"{screen.version}:{screen.run_id}"
            unit.emit(screen, screen.account_id, version, screen.household_id)
        self.metrics.screens.labels(cause).inc(len(screens))

    async def _answer_household(self, unit: Unit, household_id: str) -> None:
        if await once_a_batch.somebody_waits(unit):
            await self.answer_ready(unit, await store.load_waiting(unit.connection, household_id=household_id))

    async def answer_ready(self, unit: Unit, listed: Sequence[WaitingAccount]) -> list[WaitingAccount]:
        """Answer the runs' households that are ready; returns those that go on waiting.  `listed` comes run by run."""
        if self.silent:
            return list(listed)
        waiting: list[WaitingAccount] = []
        for run_id, of_run in groupby(listed, key=lambda one: one.run_id):
            accounts = list(of_run)
            universe = await self.universes.of(unit.connection, accounts[0].market_id)
            if universe is None:
                waiting += accounts
                continue
            named = {household: {one.account_id for one in ones} for household, ones in groupby(accounts, key=lambda one: one.household_id)}
            states = await store.load_households(unit.connection, named)
            ready, not_ready = split_ready(accounts, states)
            answers = [screen for household, ones in ready.items() for screen in run_answers(states[household], ones, universe)]
            await self._say(unit, answers, "run")
            await store.end_waiting(unit.connection, run_id, ready)
            waiting += not_ready
        return waiting


def households_at_once(listed: Sequence[WaitingAccount]) -> Iterator[list[WaitingAccount]]:
    """A run's accounts in parts of whole households: what they hold is not kept in hand for all of them at once."""
    part: list[WaitingAccount] = []
    for _, of_household in groupby(listed, key=lambda one: one.household_id):
        part += of_household
        if len(part) >= ACCOUNTS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def held_under(state: HouseholdState, owner: Owner) -> set[str]:
    """What the accounts hold that rules of this owner are for."""
    return {security_id for account_id in accounts_under(state, [owner]) for security_id in state.accounts[account_id].held}


def split_ready(
    listed: Sequence[WaitingAccount], states: Mapping[str, HouseholdState]
) -> tuple[dict[str, list[WaitingAccount]], list[WaitingAccount]]:
    """A run's accounts by household where all are known, and the others."""
    ready: dict[str, list[WaitingAccount]] = {}
    waiting: list[WaitingAccount] = []
    for household_id, of_household in groupby(listed, key=lambda one: one.household_id):
        accounts = list(of_household)
        if is_ready(accounts, states[household_id].accounts):
            ready[household_id] = accounts
        else:
            waiting += accounts
    return ready, waiting
