"""pma.rules.v1: every edit of a rule, by a person or by an owner's wish, decided by restrictions.

restrictions itself reads it, when its database comes from a backup; others may, for the record of who ruled what.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.schemas.account import WishBy, WishKind

RuleLevel = Literal["account", "household"]


class RuleWritten(Struct, frozen=True):
    """A rule as one edit left it: `revision` rises with every edit of the rule, `in_force` is false once it is deleted."""

    level: RuleLevel
    owner_id: str
    rule_id: str
    revision: int
    action: Literal["put", "delete"]
    in_force: bool
    kind: WishKind
    by: WishBy
    targets: list[str]
    limit_frac: Decimal | None


class WishTaken(Struct, frozen=True):
    """What a wish last commanded: the digest of its content, and where its rule stands."""

    digest: str
    level: RuleLevel
    owner_id: str


class RulesEdited(Struct, frozen=True):
    """pma.rules.edited: the rules that one edit wrote, who made it and when.

    Edits that an owner's wishes commanded name the account and its version, and all wishes (by wish_id) as they are taken since;
    then `cause` is the account's event, and a command that found its rule standing already wrote nothing.
    """

    household_id: str
    edits: list[RuleWritten]
    actor: str
    edited_at: datetime
    cause: str | None = None
    account_id: str | None = None
    account_version: int | None = None
    wishes: dict[str, WishTaken] | None = None
