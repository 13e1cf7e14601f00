"""A household's accounts, rules and screens, and what an event or an edit makes of them.

Invariants
1. An account's event that is not newer than the account changes nothing.
2. A screen follows from the account, the rules of the account and of its present household, and one market; nothing else.
3. After an edit of a household's rule every account of the household is screened; after an edit of an account's, that account.
4. A run is answered for a household when every account that the run lists of it, excluded ones too, is known at its listed version
   or a newer one: an account's screen may rest on a wish that its spouse's event brings.  One that has left is not waited for.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.screen import ScreenUpdated
from services.restrictions.core.edits import RuleEdit, RuleRecord, commanded_delete, commanded_put
from services.restrictions.core.rules import Owner, Rule
from services.restrictions.core.screen import Universe, next_version, screen_account
from services.restrictions.core.wishes import AppliedWish, RefusedWish, WishCommands, wish_commands


class AccountState(Struct, frozen=True):
    """What screens need of an account: the securities it holds, sorted, and the wishes that made rules already.

    `wishes_version` is the account's version whose wishes were taken last; after a catch-up it may be beyond `version`.
    """

    account_id: str
    household_id: str
    version: int
    held: list[str]
    wishes: dict[str, AppliedWish]
    wishes_version: int = 0


RuleKey = tuple[Owner, str]
NO_COMMANDS = WishCommands([], [], [])


class HouseholdState(Struct, frozen=True):
    """A household as it stands: its accounts and their last screens by account_id, and every rule of the household and its accounts."""

    household_id: str
    accounts: Mapping[str, AccountState]
    rules: Mapping[RuleKey, RuleRecord]
    screens: Mapping[str, ScreenUpdated]

    def rules_of(self, account_id: str) -> list[Rule]:
        """The rules in force for an account: its own and the household's."""
        owners = (Owner("account", account_id), Owner("household", self.household_id))
        return [record.rule for record in self.rules.values() if record.in_force and record.owner in owners]

    def members(self) -> list[str]:
        """The accounts that belong to the household now, sorted; `accounts` may also have one that comes or has left."""
        return sorted(account.account_id for account in self.accounts.values() if account.household_id == self.household_id)

    def held(self) -> set[str]:
        """Everything that the household's accounts hold."""
        return {security_id for account_id in self.members() for security_id in self.accounts[account_id].held}


class AccountTaken(Struct, frozen=True):
    """An account's event applied: the household afterwards, the edits that its wishes made, and the accounts to screen.

    `commanded` if any wish was new, changed or gone, also where its rule stood already.
    """

    state: HouseholdState
    edits: list[RuleEdit]
    to_screen: list[str]
    commanded: bool


class WaitingAccount(Struct, frozen=True):
    """An account that a run lists, at the version it is decided on; an excluded one is waited for but gets no answer."""

    run_id: str
    household_id: str
    account_id: str
    market_id: str
    account_version: int
    included: bool


def take_account(state: HouseholdState, changed: AccountChanged) -> AccountTaken | list[RefusedWish] | None:
    """Apply an account's event to its household: None if it is not news, the refused wishes if any can't be a rule."""
    before = state.accounts.get(changed.account_id)
    if before is not None and before.version >= changed.version:
        return None
    applied = before.wishes if before is not None else {}
    taken_before = before is not None and before.wishes_version >= changed.version
    commands = NO_COMMANDS if taken_before else wish_commands(changed.account_id, changed.household_id, changed.wishes, applied)
    if commands.refused:
        return commands.refused
    made = [commanded_delete(state.rules.get((gone.owner, gone.rule_id))) for gone in commands.withdraw]
    made += [commanded_put(state.rules.get((put.applied.owner, put.rule.rule_id)), put.applied.owner, put.rule) for put in commands.put]
    edits = [edit for edit in made if edit is not None]
    gone_ids = {gone.wish_id for gone in commands.withdraw}
    wishes = {wish_id: one for wish_id, one in applied.items() if wish_id not in gone_ids}
    wishes.update((put.wish_id, put.applied) for put in commands.put)
    held = sorted(set(changed.lots.security_id))
    wishes_version = before.wishes_version if before is not None and taken_before else changed.version
    account = AccountState(changed.account_id, changed.household_id, changed.version, held, wishes, wishes_version)
    after = replace(state, accounts={**state.accounts, changed.account_id: account})
    owners = {edit.after.owner for edit in edits} | {Owner("account", changed.account_id)}
    commanded = bool(commands.withdraw or commands.put)
    return AccountTaken(with_edits(after, edits), edits, accounts_under(after, owners), commanded)


def with_edits(state: HouseholdState, edits: Iterable[RuleEdit]) -> HouseholdState:
    """The household once these edits are made."""
    made = {(edit.after.owner, edit.after.rule.rule_id): edit.after for edit in edits}
    return replace(state, rules={**state.rules, **made})


def with_screens(state: HouseholdState, screens: Iterable[ScreenUpdated]) -> HouseholdState:
    """The household once these screens are its accounts' last ones."""
    return replace(state, screens={**state.screens, **{screen.account_id: screen for screen in screens}})


def accounts_under(state: HouseholdState, owners: Collection[Owner]) -> list[str]:
    """The household's accounts that rules of these owners are for, sorted."""
    whole = Owner("household", state.household_id) in owners
    return [account_id for account_id in state.members() if whole or Owner("account", account_id) in owners]


def screen_of(state: HouseholdState, account_id: str, universe: Universe, run_id: str | None = None) -> ScreenUpdated:
    """An account's screen now, for a run if one is named."""
    account = state.accounts[account_id]
    verdicts = screen_account(account.held, state.rules_of(account_id), universe)
    return ScreenUpdated(
        account_id=account_id,
        household_id=state.household_id,
        version=next_version(state.screens.get(account_id), verdicts),
        account_version=account.version,
        market_id=universe.market_id,
        run_id=run_id,
        as_of=universe.as_of,
        verdicts=verdicts,
    )


def changed_screens(state: HouseholdState, account_ids: Iterable[str], universe: Universe) -> list[ScreenUpdated]:
    """The screens of these accounts whose verdicts are not the last ones."""
    screens = [screen_of(state, account_id, universe) for account_id in account_ids]
    return [screen for screen in screens if _version(state, screen.account_id) != screen.version]


def _version(state: HouseholdState, account_id: str) -> int:
    last = state.screens.get(account_id)
    return 0 if last is None else last.version


def moved_account(account: AccountState, moved: AccountMoved) -> AccountState | None:
    """The account on its way to its new household, of which its next event will tell more; None where that event came first."""
    if account.household_id != moved.from_household_id or account.version > moved.version:
        return None
    return replace(account, household_id=moved.to_household_id)


def is_ready(listed: Sequence[WaitingAccount], accounts: Mapping[str, AccountState]) -> bool:
    """Whether a run's accounts of one household are all known as the run lists them, or have left the household meanwhile."""
    return all(_is_known(one, accounts.get(one.account_id)) for one in listed)


def _is_known(listed: WaitingAccount, account: AccountState | None) -> bool:
    if account is None:
        return listed.account_version == 0
    return account.version >= listed.account_version or account.household_id != listed.household_id


def run_answers(state: HouseholdState, listed: Sequence[WaitingAccount], universe: Universe) -> list[ScreenUpdated]:
    """One screen, changed or not, for each included account that is still in the household and known."""
    return [screen_of(state, one.account_id, universe, one.run_id) for one in listed if one.included and one.account_id in state.members()]
