"""Why a verdict is as it is, in sentences for a person: what each of its rules does here, and what keeps a rule from being followed."""

from typing import get_args

from msgspec import Struct

from libs.common.schemas.account import WishKind
from libs.common.schemas.screen import RuleRef, Verdict
from services.restrictions.core.precedence import EFFECT_OF_KIND, MARKET_BLOCK, MARKET_LEVEL, Effect

_KINDS: dict[str, WishKind] = {kind: kind for kind in get_args(WishKind)}

_DOES: dict[WishKind, str] = {
    "hold": "is held as it is: neither bought nor sold",
    "never_sell": "is not sold",
    "must_sell": "is sold in full",
    "never_buy": "is not bought",
    "never_add": "is not added to, since it is owned elsewhere; what is held may be kept or sold",
    "max_weight": "has a bounded weight",
}


class Reason(Struct, frozen=True):
    """One rule of a verdict, what it says, and whether another one, standing before it, keeps it from being followed."""

    rule: RuleRef
    says: str
    overruled_by: RuleRef | None


def explain(verdict: Verdict) -> list[Reason]:
    """The reasons of a verdict, the deciding rule first."""
    forbids_sale = next((rule for rule in verdict.rules if _effect(rule).forbids_sell), None)
    return [Reason(rule, _says(verdict.security_id, rule), forbids_sale if _effect(rule).asks_sale else None) for rule in verdict.rules]


def _effect(rule: RuleRef) -> Effect:
    return MARKET_BLOCK if rule.level == MARKET_LEVEL else EFFECT_OF_KIND[_KINDS[rule.kind]]


def _says(security_id: str, rule: RuleRef) -> str:
    if rule.level == MARKET_LEVEL:
        return f"{security_id} is neither bought nor sold, since the market's snapshot says {rule.kind}"
    named = security_id if rule.by == "security" else f"{security_id}, being of {rule.by} {rule.target},"
    return f"{named} {_DOES[_KINDS[rule.kind]]}"
