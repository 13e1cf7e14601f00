"""The tables of restrictions as typed calls; SQL lives here and nowhere else in the service.

Whatever reads a household and decides from it holds one of two locks until its transaction ends.  Accounts' events `share` it: those
of one household come in one partition, one after the other.  A run, a market snapshot and a person's edit stand `alone`, since
they look across partitions: without that, a run could miss the very account that it begins to wait for.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.market import MarketPublished, SecurityColumns
from libs.common.schemas.screen import ScreenUpdated
from services.restrictions.core.edits import RuleEdit, RuleRecord
from services.restrictions.core.household import AccountState, HouseholdState, WaitingAccount
from services.restrictions.core.rules import Owner, Rule
from services.restrictions.core.screen import Universe, universe_of

LOCK = "hashtext('restrictions households')"

_account_decoder = msgspec.json.Decoder(AccountState)
_screen_decoder = msgspec.json.Decoder(ScreenUpdated)
_securities_decoder = msgspec.json.Decoder(SecurityColumns)


async def share(connection: Connection) -> None:
    """Let nothing that stands alone in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")


async def alone(connection: Connection) -> None:
    """Let nothing else in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")


async def load_households(connection: Connection, wanted: Mapping[str, Collection[str]]) -> dict[str, HouseholdState]:
    """Households as they stand, each with the accounts named for it besides its own: they may come, or have left."""
    household_ids, named = sorted(wanted), sorted({account_id for ids in wanted.values() for account_id in ids})
    rows = await connection.fetch("SELECT body FROM account WHERE household_id = ANY($1) OR account_id = ANY($2)", household_ids, named)
    accounts = [_account_decoder.decode(unpack(row["body"])) for row in rows]
    account_ids = sorted({account.account_id for account in accounts} | set(named))
    rows = await connection.fetch("SELECT body FROM screen WHERE account_id = ANY($1)", account_ids)
    screens = {screen.account_id: screen for screen in (_screen_decoder.decode(unpack(row["body"])) for row in rows)}
    rows = await connection.fetch(
        "SELECT * FROM rule WHERE (level = 'household' AND owner_id = ANY($1)) OR (level = 'account' AND owner_id = ANY($2))",
        household_ids,
        account_ids,
    )
    records: defaultdict[Owner, list[RuleRecord]] = defaultdict(list)
    for row in rows_in_order(rows):
        records[Owner(row["level"], row["owner_id"])].append(_record(row))
    states = {}
    for household_id, extra in wanted.items():
        inside = {one.account_id: one for one in accounts if one.household_id == household_id or one.account_id in extra}
        owners = [Owner("household", household_id), *(Owner("account", account_id) for account_id in sorted({*inside, *extra}))]
        states[household_id] = HouseholdState(
            household_id=household_id,
            accounts=inside,
            rules={(owner, record.rule.rule_id): record for owner in owners for record in records.get(owner, [])},
            screens={account_id: screens[account_id] for account_id in inside if account_id in screens},
        )
    return states


def rows_in_order(rows: Sequence[Any]) -> list[Any]:
    """Rules by owner and id, so that whatever is made of them has one order."""
    return sorted(rows, key=lambda row: (row["level"], row["owner_id"], row["rule_id"]))


def _record(row: Any) -> RuleRecord:
    rule = Rule(row["rule_id"], row["kind"], row["named_by"], tuple(row["targets"]), row["level"], row["limit_frac"])
    return RuleRecord(Owner(row["level"], row["owner_id"]), rule, row["revision"], row["in_force"])


async def load_account(connection: Connection | Pool, account_id: str) -> AccountState | None:
    """One account; None if no event told of it."""
    body = await connection.fetchval("SELECT body FROM account WHERE account_id = $1", account_id)
    return None if body is None else _account_decoder.decode(unpack(body))


async def save_account(connection: Connection, account: AccountState) -> None:
    """Write an account as it stands now."""
    await connection.execute(
        "INSERT INTO account (account_id, household_id, version, body) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (account_id) DO UPDATE SET household_id = $2, version = $3, body = $4",
        account.account_id,
        account.household_id,
        account.version,
        pack(account),
    )


async def save_edits(connection: Connection, edits: Iterable[RuleEdit], actor: str, at: datetime, cause: str | None) -> None:
    """Write rules as they stand now, and who made them so; `cause` is the event whose wish commanded it.  A revision counts once."""
    for edit in edits:
        record, rule = edit.after, edit.after.rule
        key = (record.owner.level, record.owner.owner_id, rule.rule_id, record.revision)
        content = (rule.kind, rule.by, list(rule.targets), rule.limit_frac, actor, at)
        await connection.execute(
            "INSERT INTO rule AS r (level, owner_id, rule_id, revision, in_force, kind, named_by, targets, limit_frac, actor, edited_at) "
            "VALUES ($1, $2, $3, $4, $11, $5, $6, $7, $8, $9, $10) ON CONFLICT (level, owner_id, rule_id) DO UPDATE SET "
            "revision = $4, in_force = $11, kind = $5, named_by = $6, targets = $7, limit_frac = $8, actor = $9, edited_at = $10 "
            "WHERE r.revision < $4",
            *key,
            *content,
            record.in_force,
        )
        await connection.execute(
            "INSERT INTO rule_edit "
            "(level, owner_id, rule_id, revision, kind, named_by, targets, limit_frac, actor, edited_at, action, cause) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (level, owner_id, rule_id, revision) DO NOTHING",
            *key,
            *content,
            edit.action,
            cause,
        )


async def save_screens(connection: Connection, screens: Sequence[ScreenUpdated]) -> None:
    """Write accounts' last screens."""
    await connection.execute(
        "INSERT INTO screen (account_id, version, body) SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[]) "
        "ON CONFLICT (account_id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body",
        [screen.account_id for screen in screens],
        [screen.version for screen in screens],
        [pack(screen) for screen in screens],
    )


async def load_screen(connection: Connection | Pool, account_id: str) -> ScreenUpdated | None:
    """An account's last screen."""
    body = await connection.fetchval("SELECT body FROM screen WHERE account_id = $1", account_id)
    return None if body is None else _screen_decoder.decode(unpack(body))


async def save_market(connection: Connection, market: MarketPublished) -> None:
    """Keep a snapshot's securities; one that came before is the same."""
    await connection.execute(
        "INSERT INTO market (market_id, as_of, securities) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        market.market_id,
        market.as_of,
        pack(market.securities),
    )


async def newest_market_id(connection: Connection | Pool) -> str | None:
    """The snapshot with the latest date; of one date, the last that came."""
    found: str | None = await connection.fetchval("SELECT market_id FROM market ORDER BY as_of DESC, arrival DESC LIMIT 1")
    return found


async def load_universe(connection: Connection | Pool, market_id: str) -> Universe | None:
    """A snapshot, indexed by what rules can name; None if it has not come."""
    row = await connection.fetchrow("SELECT as_of, securities FROM market WHERE market_id = $1", market_id)
    return None if row is None else universe_of(market_id, row["as_of"], _securities_decoder.decode(unpack(row["securities"])))


async def save_waiting(connection: Connection, listed: Iterable[WaitingAccount], since: datetime) -> None:
    """Keep what runs wait for."""
    await connection.executemany(
        "INSERT INTO run_waiting (run_id, household_id, account_id, market_id, account_version, included, since) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        [(one.run_id, one.household_id, one.account_id, one.market_id, one.account_version, one.included, since) for one in listed],
    )


async def load_waiting(connection: Connection, *, household_id: str | None = None, market_id: str | None = None) -> list[WaitingAccount]:
    """What runs wait for in a household, or on a market snapshot, household by household."""
    rows = await connection.fetch(
        "SELECT run_id, household_id, account_id, market_id, account_version, included FROM run_waiting "
        "WHERE household_id = $1 OR market_id = $2 ORDER BY run_id, household_id, account_id",
        household_id,
        market_id,
    )
    return [WaitingAccount(**dict(row)) for row in rows]


async def somebody_waits(connection: Connection) -> bool:
    """Whether any run waits for anything."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM run_waiting)"))


async def load_all_waiting(connection: Connection) -> list[WaitingAccount]:
    """What every run waits for, run by run, household by household."""
    rows = await connection.fetch(
        "SELECT run_id, household_id, account_id, market_id, account_version, included FROM run_waiting "
        "ORDER BY run_id, household_id, account_id"
    )
    return [WaitingAccount(**dict(row)) for row in rows]


async def expect_no_answer(connection: Connection, run_id: str, account_ids: Sequence[str]) -> None:
    """These accounts of a run have their answer: they are still waited for, but get none again."""
    await connection.execute("UPDATE run_waiting SET included = false WHERE run_id = $1 AND account_id = ANY($2)", run_id, account_ids)


async def end_answered(connection: Connection) -> None:
    """Forget what runs waited for in households of which no account is to be answered any more."""
    await connection.execute(
        "DELETE FROM run_waiting w WHERE NOT EXISTS (SELECT 1 FROM run_waiting o "
        "WHERE o.run_id = w.run_id AND o.household_id = w.household_id AND o.included)"
    )


async def behind_their_accounts(connection: Connection) -> dict[str, list[str]]:
    """Accounts, by household, that are newer than their last screen, or have none."""
    rows = await connection.fetch(
        "SELECT a.account_id, a.household_id, a.version, s.body FROM account a LEFT JOIN screen s USING (account_id) WHERE a.version > 0"
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["body"] is None or _screen_decoder.decode(unpack(row["body"])).account_version < row["version"]:
            found[row["household_id"]].append(row["account_id"])
    return {household_id: sorted(found[household_id]) for household_id in sorted(found)}


async def end_waiting(connection: Connection, run_id: str, household_ids: Iterable[str]) -> None:
    """Forget what a run waited for in these households."""
    await connection.execute("DELETE FROM run_waiting WHERE run_id = $1 AND household_id = ANY($2)", run_id, list(household_ids))


class Waits(Struct, frozen=True):
    """How many households runs wait for, and since when the first."""

    households: int
    oldest: datetime | None


async def count_waits(pool: Pool) -> Waits:
    """The waits there are now."""
    row = await pool.fetchrow("SELECT count(DISTINCT (run_id, household_id)) AS households, min(since) AS oldest FROM run_waiting")
    return Waits(row["households"], row["oldest"])


class RuleRow(Struct, frozen=True):
    """A rule with who made it what it is, and when."""

    record: RuleRecord
    actor: str
    edited_at: datetime


async def load_rule_rows(connection: Connection | Pool, owners: Iterable[Owner]) -> list[RuleRow]:
    """The rules in force of these owners, by owner and id."""
    rows = await connection.fetch(
        "SELECT r.* FROM rule r JOIN unnest($1::text[], $2::text[]) AS o (level, owner_id) USING (level, owner_id) WHERE in_force",
        [owner.level for owner in owners],
        [owner.owner_id for owner in owners],
    )
    return [RuleRow(_record(row), row["actor"], row["edited_at"]) for row in rows_in_order(rows)]


class EditRow(Struct, frozen=True):
    """An edit as it was recorded."""

    edit_id: int
    action: str
    rule: Rule
    revision: int
    actor: str
    edited_at: datetime
    cause: str | None


async def load_edits(pool: Pool, owner: Owner, before: int | None, limit: int) -> list[EditRow]:
    """The edits of an owner's rules, newest first, from before edit `before` if one is given."""
    rows = await pool.fetch(
        "SELECT * FROM rule_edit WHERE level = $1 AND owner_id = $2 AND ($3::bigint IS NULL OR edit_id < $3) "
        "ORDER BY edit_id DESC LIMIT $4",
        owner.level,
        owner.owner_id,
        before,
        limit,
    )
    return [
        EditRow(
            row["edit_id"],
            row["action"],
            Rule(row["rule_id"], row["kind"], row["named_by"], tuple(row["targets"]), row["level"], row["limit_frac"]),
            row["revision"],
            row["actor"],
            row["edited_at"],
            row["cause"],
        )
        for row in rows
    ]
