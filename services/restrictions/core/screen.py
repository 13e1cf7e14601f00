"""An account's screen: the verdicts on every security that some rule names, in the market or in the account.

Invariants
1. Verdicts are for the securities of the universe (the market's, and what the account holds) that a rule or the market's block
   touches, and for all of those.
2. They are sorted by security_id, one a security; the order of rules, holdings and securities changes nothing.
3. What is held but not in the market's snapshot is blocked: it has no price, and rules by issuer, industry, sector or category
   can't see it.
4. The version rises by one exactly if the verdicts differ from the last ones; the first screen is version 1.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from msgspec import Struct

from libs.common.schemas.account import WishBy
from libs.common.schemas.market import SecurityColumns
from libs.common.schemas.screen import ScreenUpdated, Verdict
from services.restrictions.core.precedence import Said, decide
from services.restrictions.core.rules import Rule

NOT_IN_MARKET = "not_in_market"


class Universe(Struct, frozen=True):
    """What rules can name in one market snapshot: `named[by][target]` lists securities, `blocked` gives the market's reasons."""

    market_id: str
    as_of: date
    securities: frozenset[str]
    blocked: Mapping[str, str]
    named: Mapping[WishBy, Mapping[str, list[str]]]


def universe_of(market_id: str, as_of: date, columns: SecurityColumns) -> Universe:
    """Index a snapshot's securities by everything that a rule can name."""
    named: dict[WishBy, dict[str, list[str]]] = {
        "security": {security_id: [security_id] for security_id in columns.security_id},
        "issuer": _inverted(columns.security_id, ([issuer] for issuer in columns.issuer_id)),
        "industry": _inverted(columns.security_id, ([industry] for industry in columns.industry)),
        "sector": _inverted(columns.security_id, ([sector] for sector in columns.sector)),
        "category": _inverted(columns.security_id, columns.categories),
    }
    blocked = {name: reason for name, reason in zip(columns.security_id, columns.blocked, strict=True) if reason is not None}
    return Universe(market_id, as_of, frozenset(columns.security_id), blocked, named)


def _inverted(security_ids: list[str], groups: Iterable[Iterable[str]]) -> dict[str, list[str]]:
    members: defaultdict[str, list[str]] = defaultdict(list)
    for security_id, names in zip(security_ids, groups, strict=True):
        for name in names:
            members[name].append(security_id)
    return dict(members)


def screen_account(held: Collection[str], rules: Iterable[Rule], universe: Universe) -> list[Verdict]:
    """Decide what may be traded in an account that holds the securities `held`, under its own and its household's `rules`.

    A security without a verdict is free to be bought and sold.
    """
    unpriced = set(held) - universe.securities
    said: defaultdict[str, list[Said]] = defaultdict(list)
    for rule in rules:
        for target in rule.targets:
            for security_id in _named_by(rule.by, target, unpriced, universe):
                said[security_id].append(Said(rule.rule_id, rule.kind, rule.by, target, rule.level, rule.limit_frac))
    blocked = {**universe.blocked, **dict.fromkeys(unpriced, NOT_IN_MARKET)}
    verdicts = (decide(name, said.get(name, []), blocked.get(name)) for name in sorted(said.keys() | blocked.keys()))
    return [verdict for verdict in verdicts if verdict is not None]


def _named_by(by: WishBy, target: str, unpriced: Collection[str], universe: Universe) -> list[str]:
    if by == "security" and target in unpriced:
        return [target]
    return universe.named[by].get(target, [])


class Reach(Struct, frozen=True):
    """How far a rule reaches: the securities that it names, and those of its targets that name none."""

    securities: list[str]
    unmatched_targets: list[str]


def reach_of(rule: Rule, held: Collection[str], universe: Universe) -> Reach:
    """What `rule` names among the market's securities and those `held`, sorted.  A rule that names nothing is kept, and says so."""
    unpriced = set(held) - universe.securities
    by_target = {target: _named_by(rule.by, target, unpriced, universe) for target in rule.targets}
    securities = sorted({name for names in by_target.values() for name in names})
    return Reach(securities, [target for target, names in by_target.items() if not names])


def next_version(last: ScreenUpdated | None, verdicts: list[Verdict]) -> int:
    """The version of `verdicts` that follow the screen `last`: the same one if nothing changed."""
    if last is None:
        return 1
    return last.version if last.verdicts == verdicts else last.version + 1
