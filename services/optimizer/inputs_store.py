"""Which households' inputs have met, and those inputs, as typed calls; many households in one question."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from libs.common.db import Connection, Pool
from libs.common.packing import unpack


class ReadyHousehold(msgspec.Struct, frozen=True):
    """A household of a run whose inputs have met."""

    run_id: str
    household_id: str


async def ready_households(pool: Pool) -> list[ReadyHousehold]:
    """What can be solved, the largest households first, so that no long one is left for the end."""
    rows = await pool.fetch(
        "SELECT h.run_id, h.household_id FROM household_run h JOIN run_account ra USING (run_id, household_id) "
        "WHERE h.state = 'ready' GROUP BY h.run_id, h.household_id ORDER BY count(*) DESC, h.household_id"
    )
    return [ReadyHousehold(row["run_id"], row["household_id"]) for row in rows]


class Waiting(msgspec.Struct, frozen=True):
    """How many households wait for their inputs, and since when the oldest does."""

    households: int
    oldest: datetime | None


async def count_waiting(pool: Pool) -> Waiting:
    """The joins that have not met."""
    row = await pool.fetchrow("SELECT count(*) AS n, min(since) AS oldest FROM household_run WHERE state = 'waiting'")
    return Waiting(row["n"], row["oldest"])


class AccountInputs(msgspec.Struct, frozen=True):
    """One account's packed inputs; `open_orders` counts its orders at the desk: with any it must not be decided now.

    `said` is its decision in this run, tagged as in pool.py, where that was said before a restore; `last` its packed decision in the run
    that was opened before this one: where the solve starts.
    """

    account_id: str
    account: bytes
    screen: bytes
    open_orders: int
    said: bytes | None = None
    last: bytes | None = None


Versions = list[tuple[str, int, int]]
"""What a household's decisions rest on: accounts with their screens, proposals at the desk with their orders, the ledger."""


class HouseholdInputs(msgspec.Struct, frozen=True):
    """Everything that a household's decisions rest on, read in one transaction; `versions` tells whether it is still so.

    `working` are the packed proposals of the household that still have open orders, `run` the run's own packed body.
    """

    of: ReadyHousehold
    market_id: str
    correlationid: str
    ledger: bytes
    accounts: list[AccountInputs]
    working: list[bytes]
    versions: Versions
    run: bytes = b""


WANTED = "unnest($1::text[], $2::text[]) AS w (run_id, household_id)"
ACCOUNTS = (
    f"FROM {WANTED} JOIN run_account ra USING (run_id, household_id) JOIN account a USING (account_id) JOIN screen s USING (account_id) "
)
AT_THE_DESK = (
    f"FROM {WANTED} JOIN open_order o USING (household_id) JOIN proposal p USING (proposal_id) "
    "GROUP BY w.run_id, w.household_id, p.proposal_id ORDER BY p.proposal_id"
)
IN_THE_RUN_BEFORE = (
    "LEFT JOIN proposal b ON b.account_id = a.account_id AND b.run_id = (SELECT o.run_id FROM run o WHERE o.opened_at < "
    "(SELECT n.opened_at FROM run n WHERE n.run_id = w.run_id) ORDER BY o.opened_at DESC, o.run_id LIMIT 1) "
)
IN_ORDER = 'ORDER BY NOT a.taxable, a.account_id COLLATE "C"'


def _columns(wanted: Sequence[ReadyHousehold]) -> tuple[list[str], list[str]]:
    return [one.run_id for one in wanted], [one.household_id for one in wanted]


def _by_household(rows: Sequence[Any]) -> dict[ReadyHousehold, list[Any]]:
    found: dict[ReadyHousehold, list[Any]] = {}
    for row in rows:
        found.setdefault(ReadyHousehold(row["run_id"], row["household_id"]), []).append(row)
    return found


def _versions(accounts: Sequence[Any], working: Sequence[Any], ledger_version: int) -> Versions:
    return [
        *((row["account_id"], row["version"], row["screen_version"]) for row in accounts),
        *((row["proposal_id"], row["orders"], 0) for row in working),
        ("ledger", ledger_version, 0),
    ]


async def load_inputs(connection: Connection, wanted: Sequence[ReadyHousehold]) -> list[HouseholdInputs]:
    """The inputs of those households that are still ready, their accounts in the order in which they are decided."""
    columns = _columns(wanted)
    households = await connection.fetch(
        "SELECT h.run_id, h.household_id, r.market_id, r.correlationid, l.body AS ledger, l.version "
        f"FROM {WANTED} JOIN household_run h USING (run_id, household_id) JOIN run r USING (run_id) JOIN ledger l USING (household_id) "
        "WHERE h.state = 'ready'",
        *columns,
    )
    rows = await connection.fetch(
        "SELECT ra.run_id, ra.household_id, a.account_id, a.version, s.version AS screen_version, a.body AS account, s.body AS screen, "
        "(SELECT count(*) FROM open_order o WHERE o.account_id = a.account_id) AS open_orders, p.kind, p.body AS said, "
        f"b.body AS last {ACCOUNTS} LEFT JOIN proposal p USING (run_id, account_id) {IN_THE_RUN_BEFORE} {IN_ORDER}",
        *columns,
    )
    at_desk = await connection.fetch(f"SELECT w.run_id, w.household_id, p.proposal_id, p.body, count(*) AS orders {AT_THE_DESK}", *columns)
    accounts, working = _by_household(rows), _by_household(at_desk)
    found = {ReadyHousehold(row["run_id"], row["household_id"]): row for row in households}
    return [
        HouseholdInputs(
            one,
            found[one]["market_id"],
            found[one]["correlationid"],
            found[one]["ledger"],
            [_account_inputs(row) for row in accounts[one]],
            [row["body"] for row in working.get(one, [])],
            _versions(accounts[one], working.get(one, []), found[one]["version"]),
        )
        for one in wanted
        if one in found
    ]


def _account_inputs(row: Any) -> AccountInputs:
    kind, body = row["kind"], row["said"]
    said = None if kind is None or body is None else kind[:1].encode() + unpack(body)
    return AccountInputs(row["account_id"], row["account"], row["screen"], row["open_orders"], said, row["last"])


async def versions_now(connection: Connection, wanted: Sequence[ReadyHousehold]) -> dict[ReadyHousehold, Versions]:
    """What the inputs' `versions` would be now, of those households that are still ready; their rows are locked until the end."""
    columns = _columns(wanted)
    households = await connection.fetch(
        f"SELECT h.run_id, h.household_id, l.version FROM {WANTED} JOIN household_run h USING (run_id, household_id) "
        "JOIN ledger l USING (household_id) WHERE h.state = 'ready' ORDER BY h.run_id, h.household_id FOR UPDATE OF h",
        *columns,
    )
    rows = await connection.fetch(
        f"SELECT ra.run_id, ra.household_id, a.account_id, a.version, s.version AS screen_version {ACCOUNTS} {IN_ORDER}", *columns
    )
    at_desk = await connection.fetch(f"SELECT w.run_id, w.household_id, p.proposal_id, count(*) AS orders {AT_THE_DESK}", *columns)
    accounts, working = _by_household(rows), _by_household(at_desk)
    found = {ReadyHousehold(row["run_id"], row["household_id"]): row["version"] for row in households}
    return {one: _versions(accounts[one], working.get(one, []), version) for one, version in found.items()}


async def load_market(pool: Pool, market_id: str) -> bytes:
    """The packed body of a snapshot."""
    body: bytes = await pool.fetchval("SELECT body FROM market WHERE market_id = $1", market_id)
    return body


async def load_run(pool: Pool, run_id: str) -> bytes:
    """The packed body of a run."""
    body: bytes = await pool.fetchval("SELECT body FROM run WHERE run_id = $1", run_id)
    return body
