"""How the rules that name one security become one verdict.

The table below is the whole of it: every rule keeps what it forbids, a request to sell gives way to whatever forbids the sale,
and among several weight bounds the smallest holds.  Rank only orders the rules on the verdict, the deciding one first.

    rank  kind                 may buy   may sell   must sell                 weight bound
    0     market block         no        no         -                         -
    1     hold                 no        no         -                         -
    2     never_sell           -         no         -                         -
    3     must_sell            no        -          yes, unless rank 0 to 2   -
    4     never_buy/never_add  no        -          -                         -
    5     max_weight           -         -          -                         at most limit_frac

Account and household combine by taking all rules of both: a rule on one level never lifts one on the other.  Within a rank the
household's rule stands before the account's, a tighter limit before a looser, a narrower `by` before a wider, then the rule's id.

Invariants
1. Adding a rule never turns may_buy or may_sell from no to yes, and never removes or raises the weight bound.
2. The order of the rules, and a rule given twice, change nothing.
3. A name blocked by the market is neither bought nor sold, nor must it be, and the market's reference comes first.
4. must_sell holds exactly if a must_sell rule names the security and nothing forbids the sale; it forbids buying in any case.
5. Each verdict names at least one rule, and each thing it forbids, asks or bounds is said by one of them.
6. Moving a rule between account and household level changes no permission.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from libs.common.schemas.account import WishBy, WishKind
from libs.common.schemas.screen import RuleRef, Verdict
from services.restrictions.core.rules import Level

MARKET_LEVEL = "market"
MARKET_RANK = 0


class Effect(Struct, frozen=True):
    """What a kind does to a security that it names; `rank` orders kinds on a verdict, the deciding one (lowest) first."""

    rank: int
    forbids_buy: bool = False
    forbids_sell: bool = False
    asks_sale: bool = False


MARKET_BLOCK = Effect(MARKET_RANK, forbids_buy=True, forbids_sell=True)

EFFECT_OF_KIND: dict[WishKind, Effect] = {
    "hold": Effect(1, forbids_buy=True, forbids_sell=True),
    "never_sell": Effect(2, forbids_sell=True),
    "must_sell": Effect(3, forbids_buy=True, asks_sale=True),
    "never_buy": Effect(4, forbids_buy=True),
    "never_add": Effect(4, forbids_buy=True),
    "max_weight": Effect(5),
}

_LEVEL_ORDER: dict[Level, int] = {"household": 0, "account": 1}
_BY_ORDER: dict[WishBy, int] = {"security": 0, "issuer": 1, "industry": 2, "sector": 3, "category": 4}


class Said(Struct, frozen=True):
    """One rule as it speaks about one security: `target` is the one of its targets that names the security."""

    rule_id: str
    kind: WishKind
    by: WishBy
    target: str
    level: Level
    limit_frac: Decimal | None = None

    def reference(self) -> RuleRef:
        """What the verdict carries of it."""
        return RuleRef(self.rule_id, self.kind, self.by, self.target, self.level)


def market_reference(security_id: str, reason: str) -> RuleRef:
    """The reference of a market block: its kind is the reason, e.g. 'price_jump'."""
    return RuleRef(f"{MARKET_LEVEL}:{reason}", reason, "security", security_id, MARKET_LEVEL)


def decide(security_id: str, said: Iterable[Said], block_reason: str | None) -> Verdict | None:
    """The verdict on one security from everything said about it; None where nothing is said, so that it is free.

    `block_reason` is the market's reason for which nothing may trade in it, else None.
    """
    spoken = sorted(set(said), key=_deciding_first)
    if not spoken and block_reason is None:
        return None
    effects = [EFFECT_OF_KIND[one.kind] for one in spoken]
    references = [one.reference() for one in spoken]
    if block_reason is not None:
        effects.insert(0, MARKET_BLOCK)
        references.insert(0, market_reference(security_id, block_reason))
    may_sell = not any(effect.forbids_sell for effect in effects)
    return Verdict(
        security_id=security_id,
        may_buy=not any(effect.forbids_buy for effect in effects),
        may_sell=may_sell,
        must_sell=may_sell and any(effect.asks_sale for effect in effects),
        max_weight_frac=min((one.limit_frac for one in spoken if one.limit_frac is not None), default=None),
        min_weight_frac=None,
        rules=references,
    )


def _deciding_first(one: Said) -> tuple[int, Decimal, int, int, str, str, str]:
    limit = Decimal(1) if one.limit_frac is None else one.limit_frac
    return (EFFECT_OF_KIND[one.kind].rank, limit, _LEVEL_ORDER[one.level], _BY_ORDER[one.by], one.rule_id, one.target, one.kind)
