"""Intake's wishes as commands.  Each account's event repeats every wish; a wish is a command once, when it is new, changed or gone.

Between two commands the rule that it made is ours: what a person edits here stays, until intake says something else.

Invariants
1. A wish that was applied as it is gives no command, so a repeated event changes nothing.
2. After the commands, every wish that is not refused has been applied, under the account or its present household.
3. Nothing is withdrawn but rules of wishes that are gone or now stand elsewhere, and never in a household that the account has
   left: there the rule outlives the one who asked for it, until a person deletes it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from libs.common.ids import content_id
from libs.common.money import plain
from libs.common.schemas.account import Wish
from services.restrictions.core.rules import Owner, RefusalReason, Rule, RuleRefused, check_rule


class AppliedWish(Struct, frozen=True):
    """What a wish last commanded: the digest of its content, and where its rule stands."""

    digest: str
    owner: Owner


class PutWish(Struct, frozen=True):
    """Put `rule`, as wish `wish_id` asks, under the owner in `applied`."""

    wish_id: str
    rule: Rule
    applied: AppliedWish


class WithdrawWish(Struct, frozen=True):
    """Take away the rule that wish `wish_id` made under `owner`; `gone` if the wish is no more, rather than standing elsewhere."""

    wish_id: str
    rule_id: str
    owner: Owner
    gone: bool


class RefusedWish(Struct, frozen=True):
    """A wish that can't be a rule: the account must not trade as if it had not been made."""

    wish_id: str
    refused: RuleRefused


class WishCommands(Struct, frozen=True):
    """What an account's wishes ask to be done to the rules now; withdrawals come first."""

    withdraw: list[WithdrawWish]
    put: list[PutWish]
    refused: list[RefusedWish]


def wish_commands(account_id: str, household_id: str, wishes: Sequence[Wish], applied: Mapping[str, AppliedWish]) -> WishCommands:
    """Compare an account's wishes with those applied before (by wish_id)."""
    commands = WishCommands([], [], [_repeated(wish_id) for wish_id, times in Counter(w.wish_id for w in wishes).items() if times > 1])
    standing = {wish.wish_id: _owner_of(wish, account_id, household_id) for wish in wishes}
    for wish_id, before in sorted(applied.items()):
        left_household = before.owner.level == "household" and before.owner.owner_id != household_id
        if standing.get(wish_id) != before.owner and not left_household:
            commands.withdraw.append(WithdrawWish(wish_id, wish_rule_id(account_id, wish_id), before.owner, wish_id not in standing))
    for wish in wishes:
        now = AppliedWish(_digest(wish), standing[wish.wish_id])
        if applied.get(wish.wish_id) == now:
            continue
        rule_id = wish_rule_id(account_id, wish.wish_id)
        rule = check_rule(rule_id, wish.kind, wish.by, [wish.target], level=now.owner.level, limit_frac=wish.limit_frac)
        if isinstance(rule, RuleRefused):
            commands.refused.append(RefusedWish(wish.wish_id, rule))
        else:
            commands.put.append(PutWish(wish.wish_id, rule, now))
    return commands


def wish_rule_id(account_id: str, wish_id: str) -> str:
    """The id of the rule that a wish makes.  Ids chosen by people hold no colon, so the two never meet."""
    return f"wish:{account_id}:{wish_id}"


def _owner_of(wish: Wish, account_id: str, household_id: str) -> Owner:
    return Owner("household", household_id) if wish.scope == "household" else Owner("account", account_id)


def _repeated(wish_id: str) -> RefusedWish:
    message = f"wish_id {wish_id!r} is given to more than one wish, so one of them would be lost"
    return RefusedWish(wish_id, RuleRefused(RefusalReason.REPEATED_WISH_ID, "wish_id", message))


def _digest(wish: Wish) -> str:
    limit = "" if wish.limit_frac is None else plain(wish.limit_frac)
    return content_id(wish.kind, wish.by, wish.target, limit)
