"""The JSON of the HTTP edge: what a rule is put as, and how rules, edits, screens and reasons are shown."""

from datetime import date, datetime

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from libs.common.money import plain
from libs.common.schemas.account import WishBy, WishKind
from libs.common.schemas.screen import ScreenUpdated, Verdict
from services.restrictions.core.rules import MAX_TARGETS, Level, Rule
from services.restrictions.core.screen import Reach
from services.restrictions.core.why import explain
from services.restrictions.handlers import Edited
from services.restrictions.store import EditRow, RuleRow


class RuleIn(BaseModel):
    """A rule to put.  `limit_frac` for max_weight alone, as a decimal string: "0.05" is a twentieth of the account."""

    model_config = ConfigDict(extra="forbid")

    kind: WishKind
    by: WishBy
    targets: list[str] = Field(min_length=1, max_length=MAX_TARGETS)
    limit_frac: str | None = None


class RuleContent(BaseModel):
    """What a rule says."""

    rule_id: str
    kind: WishKind
    by: WishBy
    targets: list[str]
    limit_frac: str | None
    revision: int


class RuleReach(BaseModel):
    """How far a rule reaches in the newest market snapshot and in what is held; null before the first snapshot."""

    securities_matched: int | None
    unmatched_targets: list[str] | None
    note: str | None


class StandingRule(RuleReach, RuleContent):
    """A rule in force, with who made it what it is, and when."""

    level: Level
    owner_id: str
    actor: str
    edited_at: datetime


class EditedRule(RuleReach, RuleContent):
    """What an edit came to: the rule as it stands, and how many accounts' screens changed."""

    in_force: bool
    screens_changed: int


class RuleEditRecord(RuleContent):
    """One edit of one rule; `cause` is the event whose wish commanded it, null for a person's edit."""

    edit_id: int
    action: str
    actor: str
    edited_at: datetime
    cause: str | None


class RuleRefView(BaseModel):
    """A rule as a verdict names it."""

    rule_id: str
    kind: str
    by: str
    target: str
    level: str


class VerdictView(BaseModel):
    """What may be done in one security, and the rules that say so, the deciding one first."""

    security_id: str
    may_buy: bool
    may_sell: bool
    must_sell: bool
    max_weight_frac: str | None
    min_weight_frac: str | None
    rules: list[RuleRefView]


class ScreenView(BaseModel):
    """An account's whole screen; a security without a verdict is free."""

    account_id: str
    household_id: str
    version: int
    account_version: int
    market_id: str
    run_id: str | None
    as_of: date
    verdicts: list[VerdictView]


class ReasonView(BaseModel):
    """What one rule says of the security; where `overruled_by` names a rule, that one keeps it from being followed."""

    rule: RuleRefView
    says: str
    overruled_by: RuleRefView | None


class Why(BaseModel):
    """Why one security stands as it does in an account's screen; free means that no rule touches it."""

    account_id: str
    screen_version: int
    as_of: date
    free: bool
    verdict: VerdictView | None
    reasons: list[ReasonView]


def standing_rule(row: RuleRow, reach: Reach | None) -> StandingRule:
    """A rule in force, shown."""
    record = row.record
    content = _content(record.rule, record.revision) | _reach(record.rule, reach)
    return StandingRule(**content, level=record.owner.level, owner_id=record.owner.owner_id, actor=row.actor, edited_at=row.edited_at)


def edited_rule(edited: Edited) -> EditedRule:
    """What an edit came to, shown."""
    record = edited.record
    content = _content(record.rule, record.revision) | _reach(record.rule, edited.reach)
    return EditedRule(**content, in_force=record.in_force, screens_changed=edited.screens_changed)


def edit_record(row: EditRow) -> RuleEditRecord:
    """One recorded edit, shown."""
    content = _content(row.rule, row.revision)
    return RuleEditRecord(**content, edit_id=row.edit_id, action=row.action, actor=row.actor, edited_at=row.edited_at, cause=row.cause)


def screen_view(screen: ScreenUpdated) -> ScreenView:
    """A screen, shown."""
    return ScreenView.model_validate(msgspec.to_builtins(screen))


def why(screen: ScreenUpdated, verdict: Verdict | None) -> Why:
    """A security's verdict in a screen, explained; without a verdict it is free."""
    return Why(
        account_id=screen.account_id,
        screen_version=screen.version,
        as_of=screen.as_of,
        free=verdict is None,
        verdict=None if verdict is None else VerdictView.model_validate(msgspec.to_builtins(verdict)),
        reasons=[] if verdict is None else [ReasonView.model_validate(msgspec.to_builtins(reason)) for reason in explain(verdict)],
    )


def _content(rule: Rule, revision: int) -> dict[str, object]:
    return {
        "rule_id": rule.rule_id,
        "kind": rule.kind,
        "by": rule.by,
        "targets": list(rule.targets),
        "limit_frac": None if rule.limit_frac is None else plain(rule.limit_frac),
        "revision": revision,
    }


def _reach(rule: Rule, reach: Reach | None) -> dict[str, object]:
    if reach is None:
        return {"securities_matched": None, "unmatched_targets": None, "note": "no market snapshot has come yet"}
    matched, note = len(reach.securities), None
    if not matched:
        note = "the rule is kept, but it names no security of the market or of what is held"
    elif rule.by == "issuer" and rule.limit_frac is not None and matched > 1:
        note = f"the bound holds for each of the {matched} securities by itself"
    return {"securities_matched": matched, "unmatched_targets": reach.unmatched_targets, "note": note}
