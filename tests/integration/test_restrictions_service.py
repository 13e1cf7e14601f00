"""restrictions as a service, on a real PostgreSQL and the in-process bus: accounts, markets and runs in, screens and rules out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import asyncpg
import httpx
import pytest
from msgspec import Struct
from msgspec.structs import replace
from pydantic import SecretStr

from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.events import from_record, make_event, payload_of, to_record
from libs.common.schemas.account import AccountChanged, AccountMoved, Wish
from libs.common.schemas.market import MarketPublished, RunAccount, RunOpened
from libs.common.schemas.screen import ScreenUpdated
from libs.common.service import Service
from libs.common.topics import SCREENS
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.wiring import build
from tests.unit.restrictions.samples import account_changed, market
from tests.waiting import eventually

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
TOKEN = "a-token-for-tests"
NO_ALCOHOL = Wish("w1", "never_buy", "category", "alcohol")
NO_ALCOHOL_AT_HOME = Wish("w1", "never_buy", "category", "alcohol", scope="household")


@dataclass
class Stage:
    """The running service, its bus and its HTTP client."""

    service: Service
    bus: MemoryBus
    http: httpx.AsyncClient

    async def say(self, *payloads: Struct) -> None:
        """Publish as ingest does; what follows a market finds it kept, though it comes on another topic."""
        for payload in payloads:
            match payload:
                case AccountChanged():
                    place = (payload.account_id, payload.version, payload.household_id)
                case AccountMoved():
                    place = (payload.account_id, payload.version, payload.from_household_id)
                case MarketPublished():
                    place = (payload.market_id, 1, payload.market_id)
                case RunOpened():
                    place = (payload.run_id, 1, payload.run_id)
                case _:
                    raise TypeError(payload)
            await self.bus.publish([to_record(make_event("ingest", payload, *place, NOW, "c1"))])
            if isinstance(payload, MarketPublished):
                await self.kept(payload.market_id)

    async def kept(self, market_id: str) -> None:
        """Wait until the service has the snapshot."""
        query = "SELECT count(*) FROM market WHERE market_id = $1"
        await eventually(lambda: self._count(query, market_id), what=f"market {market_id} kept")

    def screens(self, account_id: str | None = None) -> list[ScreenUpdated]:
        """The screens said so far, of one account in their order."""
        events = [from_record(record.key, record.value, record.headers) for record in self.bus.log(SCREENS)]
        said = [payload_of(event, ScreenUpdated) for event in events]
        assert len({event.id for event in events}) == len(events)
        assert [event.partitionkey for event in events] == [screen.household_id for screen in said]
        return [screen for screen in said if account_id in (None, screen.account_id)]

    async def screen(self, account_id: str, version: int, run_id: str | None = None) -> ScreenUpdated:
        """The account's screen of this version (for this run), once it was said."""

        def find() -> ScreenUpdated | None:
            return next((one for one in self.screens(account_id) if (one.version, one.run_id) == (version, run_id)), None)

        found = await eventually(find, what=f"screen {version} of {account_id} for run {run_id}")
        assert found is not None
        return found

    async def taken(self, topic_records: int) -> None:
        """Wait until the service has taken so many records of ingest's topics."""
        query = "SELECT sum(next_offset) >= $1 FROM consumed"
        await eventually(lambda: self._count(query, topic_records), what=f"{topic_records} records taken")

    async def marked(self) -> None:
        """Wait until the service has noted that all it said is on the bus; what was not noted the next one says again."""
        await eventually(lambda: self._count("SELECT count(*) = 0 FROM outbox"), what="the outbox is empty")

    async def _count(self, query: str, *values: object) -> int:
        return int(await self.service.pool.fetchval(query, *values) or 0)


@asynccontextmanager
async def running(dsn: str, bus: MemoryBus | None = None, token: str | None = None) -> AsyncIterator[Stage]:
    bus = bus or MemoryBus()
    settings = RestrictionsSettings(
        postgres_dsn=dsn, kafka_bootstrap="unused:1", bearer_token=None if token is None else SecretStr(token), _env_file=None
    )
    service, app = build(settings, bus, ManualClock(NOW))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://restrictions") as client,
    ):
        yield Stage(service, bus, client)
        assert service.failure is None


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


def run_opened(*accounts: RunAccount, run_id: str = "R1", market_id: str = "market-1") -> RunOpened:
    return RunOpened(run_id, date(2026, 1, 5), market_id, NOW, NOW, 200, list(accounts))


def buys_forbidden(screen: ScreenUpdated) -> set[str]:
    return {verdict.security_id for verdict in screen.verdicts if not verdict.may_buy and verdict.rules[0].level != "market"}


async def waiting_joins(stage: Stage) -> float:
    text = (await stage.http.get("/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("pma_restrictions_waiting_joins "))


async def test_an_account_is_screened_on_the_newest_market_when_verdicts_change(stage: Stage) -> None:
    await stage.say(market(), account_changed(wishes=(NO_ALCOHOL,)))
    first = await stage.screen("A1", 1)
    assert buys_forbidden(first) == {"ALE"}
    await stage.say(account_changed(version=2, wishes=(NO_ALCOHOL,)), account_changed(version=3))
    second = await stage.screen("A1", 2)
    assert (second.account_version, buys_forbidden(second)) == (3, set())
    assert len(stage.screens()) == 2


async def test_without_a_market_there_is_no_screen_until_a_run_asks(stage: Stage) -> None:
    await stage.say(account_changed())
    await stage.taken(1)
    assert stage.screens() == []
    await stage.say(run_opened(RunAccount("A1", "H1", 1, 0)))
    await stage.taken(2)
    assert await eventually(lambda: waiting_joins(stage)) == 1
    await stage.say(market())
    screen = await stage.screen("A1", 1, "R1")
    assert (screen.market_id, screen.as_of) == ("market-1", date(2026, 1, 5))


async def test_a_run_is_answered_for_each_included_account_and_raises_no_version_by_itself(stage: Stage) -> None:
    await stage.say(market(), account_changed("A1"), account_changed("A2"), account_changed("A3", "H2"))
    for account_id in ("A1", "A2", "A3"):
        await stage.screen(account_id, 1)
    await stage.say(run_opened(RunAccount("A1", "H1", 1, 0), RunAccount("A2", "H1", 1, 0, "stale"), RunAccount("A3", "H2", 1, 0)))
    await stage.screen("A1", 1, "R1")
    await stage.screen("A3", 1, "R1")
    assert [screen.run_id for screen in stage.screens("A2")] == [None]


async def test_a_run_waits_for_the_whole_household_and_sees_the_spouses_wish(stage: Stage) -> None:
    await stage.say(market(), account_changed("A1"), account_changed("A2"))
    await stage.screen("A1", 1)
    await stage.screen("A2", 1)
    await stage.say(run_opened(RunAccount("A1", "H1", 1, 0), RunAccount("A2", "H1", 2, 0)))
    await stage.taken(4)
    assert all(screen.run_id is None for screen in stage.screens())
    assert await eventually(lambda: waiting_joins(stage)) == 1
    await stage.say(account_changed("A2", version=2, wishes=(NO_ALCOHOL_AT_HOME,)))
    answer = await stage.screen("A1", 2, "R1")
    assert buys_forbidden(answer) == {"ALE"}
    await stage.screen("A2", 2, "R1")
    await eventually(lambda: _none_waits(stage))


async def _none_waits(stage: Stage) -> bool:
    return await waiting_joins(stage) == 0


async def test_a_run_on_a_market_with_a_new_block_raises_the_version(stage: Stage) -> None:
    await stage.say(market(), account_changed())
    await stage.screen("A1", 1)
    tomorrow = replace(market(), market_id="market-2", as_of=date(2026, 1, 6))
    tomorrow = replace(tomorrow, securities=replace(tomorrow.securities, blocked=[None, "price_jump", *tomorrow.securities.blocked[2:]]))
    await stage.say(tomorrow, run_opened(RunAccount("A1", "H1", 1, 0), market_id="market-2"))
    screen = await stage.screen("A1", 2, "R1")
    assert [verdict.rules[0].kind for verdict in screen.verdicts if verdict.security_id == "BOLT"] == ["price_jump"]


async def test_a_wish_that_can_be_no_rule_parks_the_household(stage: Stage) -> None:
    await stage.say(market(), account_changed(wishes=(Wish("w1", "max_weight", "sector", "Energy"),)), account_changed("A9", "H9"))
    await stage.screen("A9", 1)
    parked = await eventually(lambda: _parked(stage))
    assert [one["key"] for one in parked] == ["H1"]
    assert "wish w1, field by" in parked[0]["reason"]
    assert stage.screens("A1") == []


async def _parked(stage: Stage) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await stage.http.get("/v1/parked")).json()
    return found


@pytest.mark.parametrize("moved_first", [True, False])
async def test_a_moved_account_takes_the_rules_of_its_new_household(stage: Stage, moved_first: bool) -> None:
    await stage.say(market(), account_changed("A1"), account_changed("A2", wishes=(NO_ALCOHOL_AT_HOME,)))
    await stage.screen("A1", 2)
    move, there = AccountMoved("A1", "H1", "H2", 2), account_changed("A1", "H2", version=2)
    await stage.say(*([move, there] if moved_first else [there, move]))
    screen = await stage.screen("A1", 3)
    assert (screen.household_id, buys_forbidden(screen)) == ("H2", set())
    await stage.taken(5)
    body = {"kind": "never_buy", "by": "security", "targets": ["EGG"]}
    assert (await stage.http.put("/v1/households/H1/rules/r1", json=body)).json()["screens_changed"] == 1
    assert (await stage.http.put("/v1/households/H2/rules/r1", json=body)).json()["screens_changed"] == 1


async def test_rules_and_screens_outlive_a_restart(fresh_database: str) -> None:
    bus = MemoryBus()
    async with running(fresh_database, bus) as before:
        await before.say(market(), account_changed())
        await before.screen("A1", 1)
        await before.http.put("/v1/accounts/A1/rules/eggs", json={"kind": "never_buy", "by": "security", "targets": ["EGG"]})
        await before.screen("A1", 2)
        await before.marked()
    async with running(fresh_database, bus) as after:
        assert (await after.http.get("/v1/accounts/A1/screen")).json()["version"] == 2
        await after.say(account_changed(version=2), run_opened(RunAccount("A1", "H1", 2, 0)))
        screen = await after.screen("A1", 2, "R1")
        assert buys_forbidden(screen) == {"EGG"}


async def test_a_rule_by_http_from_its_birth_to_its_end(stage: Stage) -> None:
    await stage.say(market(), account_changed("A1"), account_changed("A2"))
    await stage.screen("A2", 1)
    await stage.screen("A1", 1)
    body = {"kind": "never_buy", "by": "security", "targets": ["EGG", "TYPO"]}
    who = {"X-Actor": "pat"}

    made = await stage.http.put("/v1/accounts/A1/rules/food", json=body, headers=who)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    answer = made.json()
    assert (answer["securities_matched"], answer["unmatched_targets"], answer["screens_changed"]) == (1, ["TYPO"], 1)
    assert buys_forbidden(await stage.screen("A1", 2)) == {"EGG"}

    assert (await stage.http.put("/v1/accounts/A1/rules/food", json=body, headers=who)).status_code == 428
    bounded = {"kind": "max_weight", "by": "issuer", "targets": ["Duocorp"], "limit_frac": "0.050"}
    changed = await stage.http.put("/v1/accounts/A1/rules/food", json=bounded, headers={**who, "If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["limit_frac"]) == (200, '"2"', "0.05")
    assert changed.json()["note"] == "the bound holds for each of the 2 securities by itself"
    stale = await stage.http.delete("/v1/accounts/A1/rules/food", headers={**who, "If-Match": '"1"'})
    assert (stale.status_code, stale.headers["content-type"], stale.json()["revision"]) == (412, "application/problem+json", 2)

    gone = await stage.http.delete("/v1/accounts/A1/rules/food", headers={"X-Actor": "sam", "If-Match": '"2"'})
    assert (gone.status_code, gone.json()["in_force"], gone.json()["revision"]) == (200, False, 3)
    assert (await stage.http.get("/v1/accounts/A1/rules/food")).status_code == 404
    again = await stage.http.put("/v1/accounts/A1/rules/food", json=body, headers={"If-None-Match": "*"})
    assert again.headers["etag"] == '"4"'

    edits = (await stage.http.get("/v1/accounts/A1/rule-edits")).json()
    assert [(edit["revision"], edit["action"], edit["actor"], edit["kind"]) for edit in edits] == [
        (4, "put", "anonymous", "never_buy"),
        (3, "delete", "sam", "max_weight"),
        (2, "put", "pat", "max_weight"),
        (1, "put", "pat", "never_buy"),
    ]
    older = (await stage.http.get("/v1/accounts/A1/rule-edits", params={"before": edits[1]["edit_id"], "limit": 1})).json()
    assert [edit["revision"] for edit in older] == [2]
    assert [screen.version for screen in stage.screens("A2")] == [1]


async def test_a_household_rule_screens_every_account_and_shows_under_each(stage: Stage) -> None:
    await stage.say(market(), account_changed("A1"), account_changed("A2"))
    await stage.screen("A1", 1)
    await stage.screen("A2", 1)
    body = {"kind": "must_sell", "by": "category", "targets": ["weapons"]}
    answer = (await stage.http.put("/v1/households/H1/rules/arms", json=body)).json()
    assert (answer["securities_matched"], answer["screens_changed"]) == (2, 2)
    for account_id in ("A1", "A2"):
        verdicts = {verdict.security_id: verdict for verdict in (await stage.screen(account_id, 2)).verdicts}
        assert (verdicts["BOLT"].must_sell, verdicts["FIX"].must_sell) == (True, False)
    shown = (await stage.http.get("/v1/accounts/A2/rules")).json()
    assert [(rule["level"], rule["owner_id"], rule["rule_id"]) for rule in shown] == [("household", "H1", "arms")]
    why = (await stage.http.get("/v1/accounts/A2/screen/FIX")).json()
    assert [(reason["rule"]["kind"], reason["overruled_by"] and reason["overruled_by"]["kind"]) for reason in why["reasons"]] == [
        ("price_jump", None),
        ("must_sell", "price_jump"),
    ]


async def test_a_wishs_rule_can_be_edited_and_the_edit_outlives_the_repeated_wish(stage: Stage) -> None:
    await stage.say(market(), account_changed(wishes=(NO_ALCOHOL,)))
    await stage.screen("A1", 1)
    url = "/v1/accounts/A1/rules/wish:A1:w1"
    rule = await stage.http.get(url)
    assert (rule.json()["actor"], rule.headers["etag"]) == ("ingest", '"1"')
    assert (await stage.http.delete(url, headers={"If-Match": '"1"'})).status_code == 200
    await stage.screen("A1", 2)
    await stage.say(account_changed(version=2, wishes=(NO_ALCOHOL,)), run_opened(RunAccount("A1", "H1", 2, 0)))
    assert buys_forbidden(await stage.screen("A1", 2, "R1")) == set()
    causes = [edit["cause"] is None for edit in (await stage.http.get("/v1/accounts/A1/rule-edits")).json()]
    assert causes == [True, False]


REFUSED: list[tuple[str, str, dict[str, object], dict[str, str], int, str]] = [
    ("an unknown account", "/v1/accounts/A9/rules/r", {}, {}, 404, "no event has told of account A9"),
    ("an unknown household", "/v1/households/H9/rules/r", {}, {}, 404, "household H9"),
    ("a bound by sector", "/v1/accounts/A1/rules/r", {"kind": "max_weight", "by": "sector", "limit_frac": "0.1"}, {}, 422, "by:"),
    ("an unknown kind", "/v1/accounts/A1/rules/r", {"kind": "never"}, {}, 422, "kind"),
    ("an unknown member", "/v1/accounts/A1/rules/r", {"limit": "0.1"}, {}, 422, "limit"),
    ("no target", "/v1/accounts/A1/rules/r", {"targets": []}, {}, 422, "targets"),
    ("an exponent", "/v1/accounts/A1/rules/r", {"kind": "max_weight", "limit_frac": "5e-2"}, {}, 422, "limit_frac"),
    ("an id of intake's", "/v1/accounts/A1/rules/wish:A1:w9", {}, {}, 422, "rule_id"),
    ("a weak ETag", "/v1/accounts/A1/rules/r", {}, {"If-Match": 'W/"1"'}, 422, "If-Match"),
    ("a revision of nothing", "/v1/accounts/A1/rules/r", {}, {"If-Match": '"1"'}, 412, "not in force"),
]


async def test_refused_edits_say_the_field_and_change_nothing(stage: Stage) -> None:
    await stage.say(market(), account_changed())
    await stage.screen("A1", 1)
    for name, url, body, headers, status, says in REFUSED:
        full = {"kind": "never_buy", "by": "security", "targets": ["EGG"], **body}
        answer = await stage.http.put(url, json=full, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), name
        assert says in answer.json()["detail"], name
    assert (await stage.http.get("/v1/accounts/A1/rule-edits")).json() == []
    assert len(stage.screens()) == 1


async def test_writes_need_the_token_where_one_is_configured(fresh_database: str) -> None:
    async with running(fresh_database, token=TOKEN) as stage:
        await stage.say(market(), account_changed())
        await stage.screen("A1", 1)
        body = {"kind": "never_buy", "by": "security", "targets": ["EGG"]}
        url = "/v1/accounts/A1/rules/r"
        assert (await stage.http.put(url, json=body)).status_code == 401
        assert (await stage.http.put(url, json=body, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await stage.http.delete(url, headers={"If-Match": '"1"'})).status_code == 401
        assert (await stage.http.get("/v1/accounts/A1/rules")).status_code == 200


async def test_why_a_free_security_is_free_and_an_unknown_one_is_not_found(stage: Stage) -> None:
    await stage.say(market(), account_changed())
    await stage.screen("A1", 1)
    assert (await stage.http.get("/v1/accounts/A1/screen/EGG")).json()["free"] is True
    assert (await stage.http.get("/v1/accounts/A1/screen/NOWHERE")).status_code == 404
    assert (await stage.http.get("/v1/accounts/A9/screen")).status_code == 404


LOCKED_OUT: list[tuple[str, str, Struct]] = [
    ("an account's event by whatever stands alone", "pg_advisory_xact_lock", account_changed(version=2)),
    ("a run by accounts' events", "pg_advisory_xact_lock_shared", run_opened(RunAccount("A1", "H1", 2, 0))),
]


@pytest.mark.parametrize(("lock", "payload"), [row[1:] for row in LOCKED_OUT], ids=[row[0] for row in LOCKED_OUT])
async def test_who_is_locked_out(stage: Stage, fresh_database: str, lock: str, payload: Struct) -> None:
    await stage.say(market(), account_changed())
    await stage.screen("A1", 1)
    other = await asyncpg.connect(fresh_database, server_settings={"search_path": "restrictions"})
    try:
        async with other.transaction():
            await other.execute(f"SELECT {lock}(hashtext('restrictions households'))")
            await stage.say(payload)
            await eventually(lambda: _someone_waits(other), what="the handler waits for the lock")
        await stage.taken(3)
    finally:
        await other.close()


async def _someone_waits(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
