"""One rule: what it forbids, asks or bounds (`kind`), over what it names (`by` and `targets`), and where it stands (`level`).

Invariants
1. `check_rule` returns a Rule only if every field makes sense for its kind; otherwise it says which field does not, and why.
2. A rule's targets are unique, sorted and not empty, so that two rules with the same meaning are equal.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from libs.common.schemas.account import WishBy, WishKind

Level = Literal["account", "household"]

MAX_TARGETS = 5_000
MAX_TARGET_CHARS = 120
LIMITED_BY: tuple[WishBy, ...] = ("security", "issuer")


class Owner(Struct, frozen=True):
    """Whose rule it is: an account or a household."""

    level: Level
    owner_id: str


class Rule(Struct, frozen=True):
    """A rule in force.  `limit_frac` is the weight bound of max_weight, as a fraction of the account's value, else None.

    `rule_id` is unique among the rules of one owner: the account, or the household, that `level` says.
    """

    rule_id: str
    kind: WishKind
    by: WishBy
    targets: tuple[str, ...]
    level: Level
    limit_frac: Decimal | None = None


class RefusalReason(StrEnum):
    """Every reason for which a rule is not taken in."""

    NO_TARGETS = "no_targets"
    TOO_MANY_TARGETS = "too_many_targets"
    BAD_TARGET = "bad_target"
    LIMIT_MISSING = "limit_missing"
    LIMIT_NOT_FOR_KIND = "limit_not_for_kind"
    LIMIT_OUT_OF_RANGE = "limit_out_of_range"
    LIMIT_BY_GROUP = "limit_by_group"
    REPEATED_WISH_ID = "repeated_wish_id"


class RuleRefused(Struct, frozen=True):
    """A rule that is not taken in: the `field` at fault, what is wrong with it, and the numbers where there are any."""

    reason: RefusalReason
    field: str
    message: str
    limit: Decimal | None = None
    actual: Decimal | None = None


def check_rule(
    rule_id: str, kind: WishKind, by: WishBy, targets: Iterable[str], *, level: Level, limit_frac: Decimal | None = None
) -> Rule | RuleRefused:
    """Decide whether these fields are a rule.  The targets come in any order, and repeated ones count once."""
    unique = tuple(sorted(set(targets)))
    refused = _refused_targets(unique) or _refused_limit(kind, by, limit_frac)
    return refused or Rule(rule_id, kind, by, unique, level, limit_frac)


def _refused_targets(targets: tuple[str, ...]) -> RuleRefused | None:
    if not targets:
        return RuleRefused(RefusalReason.NO_TARGETS, "targets", "a rule must name at least one target")
    if len(targets) > MAX_TARGETS:
        message = f"a rule may name at most {MAX_TARGETS} targets, this one names {len(targets)}"
        return RuleRefused(RefusalReason.TOO_MANY_TARGETS, "targets", message, Decimal(MAX_TARGETS), Decimal(len(targets)))
    for target in targets:
        if target != target.strip() or not 0 < len(target) <= MAX_TARGET_CHARS or not target.isprintable():
            message = (
                f"a target is 1 to {MAX_TARGET_CHARS} printable characters without spaces around them, not {target[:MAX_TARGET_CHARS]!r}"
            )
            return RuleRefused(RefusalReason.BAD_TARGET, "targets", message)
    return None


def _refused_limit(kind: WishKind, by: WishBy, limit_frac: Decimal | None) -> RuleRefused | None:
    if kind != "max_weight":
        if limit_frac is None:
            return None
        message = f"only max_weight has a limit, {kind} has none"
        return RuleRefused(RefusalReason.LIMIT_NOT_FOR_KIND, "limit_frac", message)
    if by not in LIMITED_BY:
        message = f"{by!r} can't bound a weight yet: max_weight is by security or issuer"
        return RuleRefused(RefusalReason.LIMIT_BY_GROUP, "by", message)
    if limit_frac is None:
        message = "max_weight needs a fraction of the account's value, such as 0.05"
        return RuleRefused(RefusalReason.LIMIT_MISSING, "limit_frac", message)
    if not limit_frac.is_finite() or not 0 <= limit_frac <= 1:
        message = f"a limit is from 0 to 1 (0.05 is a twentieth of the account), not {limit_frac}"
        actual = limit_frac if limit_frac.is_finite() else None
        return RuleRefused(RefusalReason.LIMIT_OUT_OF_RANGE, "limit_frac", message, Decimal(1), actual)
    return None
