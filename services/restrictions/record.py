"""Edits of rules as they are said on the bus, and back: so that none is lost with a database."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.schemas.rule import RulesEdited, RuleWritten, WishTaken
from services.restrictions.core.edits import RuleEdit, RuleRecord
from services.restrictions.core.household import AccountState
from services.restrictions.core.rules import Owner, Rule
from services.restrictions.core.wishes import AppliedWish


def written(edit: RuleEdit) -> RuleWritten:
    """An edit as it is said."""
    record, rule = edit.after, edit.after.rule
    owner, targets = record.owner, list(rule.targets)
    said = (edit.action, record.in_force, rule.kind, rule.by, targets, rule.limit_frac)
    return RuleWritten(owner.level, owner.owner_id, rule.rule_id, record.revision, *said)


def edit_of(said: RuleWritten) -> RuleEdit:
    """The inverse of `written`."""
    rule = Rule(said.rule_id, said.kind, said.by, tuple(said.targets), said.level, said.limit_frac)
    return RuleEdit(said.action, RuleRecord(Owner(said.level, said.owner_id), rule, said.revision, said.in_force))


def wishes_taken(account: AccountState, edits: Sequence[RuleEdit], actor: str, at: datetime, cause: str) -> RulesEdited:
    """What an account's wishes commanded, and how they stand since."""
    return RulesEdited(
        household_id=account.household_id,
        edits=[written(edit) for edit in edits],
        actor=actor,
        edited_at=at,
        cause=cause,
        account_id=account.account_id,
        account_version=account.wishes_version,
        wishes={wish_id: WishTaken(one.digest, one.owner.level, one.owner.owner_id) for wish_id, one in sorted(account.wishes.items())},
    )


def with_wishes(account: AccountState | None, said: RulesEdited) -> AccountState | None:
    """The account once its wishes are those that were said; None where they are not news.  An unknown account is known by them alone."""
    if said.account_id is None or said.account_version is None or said.wishes is None:
        return None
    if account is not None and account.wishes_version >= said.account_version:
        return None
    wishes = {wish_id: AppliedWish(one.digest, Owner(one.level, one.owner_id)) for wish_id, one in said.wishes.items()}
    known = account or AccountState(said.account_id, said.household_id, 0, [], {})
    return AccountState(known.account_id, known.household_id, known.version, known.held, wishes, said.account_version)
