"""HTTP: the rules of accounts and households, their edits, an account's screen, and why one security stands as it does."""

import re
from decimal import Decimal
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Header, Query, Response

from libs.common.app import Problem, require_token
from libs.common.money import parse_decimal
from libs.common.schemas.screen import ScreenUpdated
from libs.common.service import Service
from services.restrictions import store
from services.restrictions.core.edits import EditRefusal, EditRefused, Expected, RuleEdit, RuleRecord, delete_rule, put_rule
from services.restrictions.core.rules import Level, Owner, RuleRefused, check_rule
from services.restrictions.handlers import Edited, Screener
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.shapes import (
    EditedRule,
    RuleEditRecord,
    RuleIn,
    ScreenView,
    StandingRule,
    Why,
    edit_record,
    edited_rule,
    screen_view,
    standing_rule,
    why,
)

NEW_RULE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
ETAG = re.compile(r'"([0-9]{1,9})"')
EDITS_SHOWN = 100
EDITS_AT_MOST = 1_000


def routes(service: Service, settings: RestrictionsSettings, screener: Screener) -> APIRouter:
    """The routes of restrictions."""
    router = APIRouter()
    for level in get_args(Level):
        router.include_router(_rule_reads(service, screener, level), tags=[f"{level} rules"])
        router.include_router(_rule_edits(service, settings, screener, level), tags=[f"{level} rules"])
    router.include_router(_screen_reads(service, screener), tags=["screens"])
    return router


def _rule_reads(service: Service, screener: Screener, level: Level) -> APIRouter:
    router = APIRouter()

    @router.get(f"/v1/{level}s/{{owner_id}}/rules", name=f"list_{level}_rules")
    async def list_rules(owner_id: str) -> list[StandingRule]:
        """Every rule in force: for an account, its household's too."""
        standing = await screener.standing_rules(service.pool, Owner(level, owner_id))
        if standing is None:
            raise _unknown(Owner(level, owner_id))
        return [standing_rule(one.row, one.reach) for one in standing]

    @router.get(f"/v1/{level}s/{{owner_id}}/rules/{{rule_id}}", name=f"get_{level}_rule")
    async def get_rule(owner_id: str, rule_id: str, response: Response) -> StandingRule:
        """One rule of this owner, with its revision as the ETag."""
        owner = Owner(level, owner_id)
        for one in await screener.standing_rules(service.pool, owner) or ():
            record = one.row.record
            if (record.owner, record.rule.rule_id) == (owner, rule_id):
                response.headers["ETag"] = _etag(record)
                return standing_rule(one.row, one.reach)
        raise _no_rule(owner, rule_id)

    @router.get(f"/v1/{level}s/{{owner_id}}/rule-edits", name=f"list_{level}_rule_edits")
    async def list_edits(
        owner_id: str,
        before: Annotated[int | None, Query(description="the edit_id to go on from, towards older edits")] = None,
        limit: Annotated[int, Query(ge=1, le=EDITS_AT_MOST)] = EDITS_SHOWN,
    ) -> list[RuleEditRecord]:
        """Who changed which rule of this owner, newest first."""
        return [edit_record(row) for row in await store.load_edits(service.pool, Owner(level, owner_id), before, limit)]

    return router


def _rule_edits(service: Service, settings: RestrictionsSettings, screener: Screener, level: Level) -> APIRouter:
    router = APIRouter()
    actor_of = require_token(settings)

    @router.put(f"/v1/{level}s/{{owner_id}}/rules/{{rule_id}}", name=f"put_{level}_rule")
    async def put(
        owner_id: str,
        rule_id: str,
        body: RuleIn,
        response: Response,
        actor: Annotated[str, Depends(actor_of)],
        if_match: Annotated[str | None, Header()] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> EditedRule:
        """Create a rule under an id of your choice, or replace the one whose revision If-Match names."""
        owner, expected = Owner(level, owner_id), _expected(if_match, if_none_match)
        rule = check_rule(rule_id, body.kind, body.by, body.targets, level=level, limit_frac=_limit(body.limit_frac))
        if isinstance(rule, RuleRefused):
            screener.metrics.refusals.labels(rule.reason).inc()
            raise _bad_field(rule.field, rule.message, reason=rule.reason, limit=rule.limit, actual=rule.actual)

        def decide(current: RuleRecord | None) -> RuleEdit | EditRefused | None:
            if current is None and not NEW_RULE_ID.fullmatch(rule_id):
                raise _bad_field("rule_id", "the id of a new rule is 1 to 64 letters, digits, '_', '.' and '-'")
            return put_rule(current, owner, rule, expected)

        async with service.unit("http", actor) as unit:
            edited = _made(await screener.edit_rule(unit, owner, rule_id, decide), owner, rule_id)
        response.headers["ETag"] = _etag(edited.record)
        return edited_rule(edited)

    @router.delete(f"/v1/{level}s/{{owner_id}}/rules/{{rule_id}}", name=f"delete_{level}_rule")
    async def delete(
        owner_id: str, rule_id: str, actor: Annotated[str, Depends(actor_of)], if_match: Annotated[str | None, Header()] = None
    ) -> EditedRule:
        """Take the rule whose revision If-Match names out of force."""
        owner, expected = Owner(level, owner_id), _expected(if_match, None)
        async with service.unit("http", actor) as unit:
            outcome = await screener.edit_rule(unit, owner, rule_id, lambda current: delete_rule(current, expected))
            edited = _made(outcome, owner, rule_id)
        return edited_rule(edited)

    return router


def _screen_reads(service: Service, screener: Screener) -> APIRouter:
    router = APIRouter()

    async def screen_of(account_id: str) -> ScreenUpdated:
        screen = await store.load_screen(service.pool, account_id)
        if screen is None:
            raise Problem(404, "No screen", f"account {account_id} has no screen yet: it needs an account event and a market snapshot")
        return screen

    @router.get("/v1/accounts/{account_id}/screen")
    async def get_screen(account_id: str) -> ScreenView:
        """The account's last screen."""
        return screen_view(await screen_of(account_id))

    @router.get("/v1/accounts/{account_id}/screen/{security_id}")
    async def get_why(account_id: str, security_id: str) -> Why:
        """Why one security stands as it does."""
        screen = await screen_of(account_id)
        verdict = next((one for one in screen.verdicts if one.security_id == security_id), None)
        if verdict is None:
            universe = await screener.universes.of(service.pool, screen.market_id)
            if universe is None or security_id not in universe.securities:
                raise Problem(404, "No such security", f"{security_id} is not in market snapshot {screen.market_id}, and no rule names it")
        return why(screen, verdict)

    return router


def _expected(if_match: str | None, if_none_match: str | None) -> Expected:
    """What the request says of the rule as it stands.  Raises Problem for a header that says nothing that could hold here."""
    if if_match is not None:
        found = ETAG.fullmatch(if_match.strip())
        if not found:
            raise _bad_field("If-Match", f'{if_match} is not an ETag of this service, such as "3"')
        return int(found[1])
    if if_none_match is None:
        return "unstated"
    if if_none_match.strip() != "*":
        raise _bad_field("If-None-Match", "only * is known here: put the rule if there is none")
    return "absent"


def _limit(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise _bad_field("limit_frac", f"{error}; 0.05 is a twentieth of the account") from error


def _made(outcome: Edited | EditRefused | None, owner: Owner, rule_id: str) -> Edited:
    """The edit, if it was made; else the Problem that says why not."""
    if outcome is None:
        raise _unknown(owner)
    if isinstance(outcome, Edited):
        return outcome
    match outcome.reason:
        case EditRefusal.NOT_FOUND:
            raise _no_rule(owner, rule_id)
        case EditRefusal.REVISION_UNSTATED:
            detail = f'rule {rule_id} stands at revision {outcome.actual}: name it with If-Match: "{outcome.actual}" after reading it'
            raise Problem(428, "Revision not stated", detail, reason=outcome.reason, revision=outcome.actual)
        case EditRefusal.STALE:
            now = "is not in force" if outcome.actual is None else f"stands at revision {outcome.actual}"
            raise Problem(412, "Stale revision", f"rule {rule_id} {now}: read it again", reason=outcome.reason, revision=outcome.actual)


def _bad_field(field: str, problem: str, **members: Any) -> Problem:
    return Problem(422, "Bad input", f"{field}: {problem}", errors=[{"field": field, "problem": problem}], **members)


def _unknown(owner: Owner) -> Problem:
    return Problem(404, f"No such {owner.level}", f"no event has told of {owner.level} {owner.owner_id}")


def _no_rule(owner: Owner, rule_id: str) -> Problem:
    return Problem(404, "No such rule", f"{owner.level} {owner.owner_id} has no rule {rule_id} in force")


def _etag(record: RuleRecord) -> str:
    return f'"{record.revision}"'
