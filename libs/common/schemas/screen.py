"""pma.screens.v1: what an account may trade and which rule says so, decided by restrictions."""

from datetime import date
from decimal import Decimal

from msgspec import Struct


class RuleRef(Struct, frozen=True):
    """A rule that shaped a verdict: its id, its kind, what it named, and whether it stands on account, household or market level."""

    rule_id: str
    kind: str
    by: str
    target: str
    level: str


class Verdict(Struct, frozen=True):
    """What may be done in one security.  Only securities that some rule touches have a verdict; the others are free.

    `min_weight_frac` / `max_weight_frac` bound the weight after trading; `rules` lists the deciding rule first.
    """

    security_id: str
    may_buy: bool
    may_sell: bool
    must_sell: bool
    max_weight_frac: Decimal | None
    min_weight_frac: Decimal | None
    rules: list[RuleRef]


class ScreenUpdated(Struct, frozen=True):
    """pma.screen.updated: the whole screen of one account.  `version` rises only when a verdict changed."""

    account_id: str
    household_id: str
    version: int
    account_version: int
    market_id: str
    run_id: str | None
    as_of: date
    verdicts: list[Verdict]
