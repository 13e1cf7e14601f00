"""The tables of ingest as typed calls; SQL lives here and nowhere else in the service."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import msgspec

from libs.common.db import Connection
from libs.common.packing import pack, unpack
from libs.common.schemas.market import CorporateAction, MarketPublished, RunOpened
from services.ingest.core.book import AccountBook, why_unusable
from services.ingest.core.intake import AccountIntake
from services.ingest.core.run import Candidate
from services.ingest.core.share_actions import Merger, ShareAction

_book_decoder = msgspec.json.Decoder(AccountBook)


def decode_book(body: bytes) -> AccountBook:
    """The book in a row's body."""
    return _book_decoder.decode(unpack(body))


async def load_book(connection: Connection, account_id: str) -> AccountBook | None:
    """The book of an account, its row locked until the transaction ends; None when there is no master record."""
    return (await load_books(connection, [account_id])).get(account_id)


async def load_books(connection: Connection, account_ids: Collection[str]) -> dict[str, AccountBook]:
    """The books of those accounts that have a master record, their rows locked until the transaction ends."""
    rows = await connection.fetch(
        "SELECT account_id, book FROM account WHERE account_id = ANY($1) ORDER BY account_id FOR UPDATE", list(account_ids)
    )
    return {row["account_id"]: decode_book(row["book"]) for row in rows}


async def load_books_that_said(connection: Connection) -> list[AccountBook]:
    """The books that lack what they held before a restore, by account."""
    rows = await connection.fetch("SELECT book FROM account WHERE quarantine IS NOT NULL ORDER BY account_id")
    return [book for book in (decode_book(row["book"]) for row in rows) if book.said_before is not None]


async def save_book(connection: Connection, book: AccountBook) -> None:
    """Write one book."""
    await save_books(connection, [book])


async def save_books(connection: Connection, books: Sequence[AccountBook]) -> None:
    """Write books of different accounts, and the columns that queries and runs need."""
    await connection.execute(
        "INSERT INTO account (account_id, household_id, custodian, business_date, version, trade_seq, quarantine, breaks, book) "
        "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::int[], $6::int[], $7::text[], $8::int[], $9::bytea[]) "
        "ON CONFLICT (account_id) DO UPDATE SET household_id = EXCLUDED.household_id, custodian = EXCLUDED.custodian, "
        "business_date = EXCLUDED.business_date, version = EXCLUDED.version, trade_seq = EXCLUDED.trade_seq, "
        "quarantine = EXCLUDED.quarantine, breaks = EXCLUDED.breaks, book = EXCLUDED.book",
        [book.intake.account_id for book in books],
        [book.intake.household_id for book in books],
        [book.intake.custodian for book in books],
        [book.newest.business_date if book.newest else None for book in books],
        [book.version for book in books],
        [book.trade_seq for book in books],
        [why_unusable(book) for book in books],
        [len(book.breaks) for book in books],
        [pack(book) for book in books],
    )


async def record_edit(connection: Connection, intake: AccountIntake, actor: str, at: datetime) -> None:
    """Keep who gave which master record when."""
    await connection.execute(
        "INSERT INTO account_edit (account_id, actor, edited_at, intake) VALUES ($1, $2, $3, $4)",
        intake.account_id,
        actor,
        at,
        pack(intake),
    )


async def load_splits(connection: Connection) -> list[ShareAction]:
    """Every split and merger known, by security and date."""
    rows = await connection.fetch("SELECT security_id, ex_date, kind, ratio, new_security_id FROM corporate_action ORDER BY 1, 2")
    return [
        CorporateAction(row["security_id"], row["ex_date"], "split", row["ratio"])
        if row["kind"] == "split"
        else Merger(row["security_id"], row["ex_date"], row["new_security_id"], row["ratio"])
        for row in rows
    ]


async def unknown_securities(connection: Connection, security_ids: Collection[str]) -> list[str]:
    """Those of the given ids that the security master lacks; none as long as no market was published at all."""
    rows = await connection.fetch(
        "SELECT id FROM unnest($1::text[]) AS id WHERE NOT EXISTS (SELECT 1 FROM security WHERE security_id = id) "
        "AND EXISTS (SELECT 1 FROM security) ORDER BY id",
        list(security_ids),
    )
    return [row["id"] for row in rows]


async def save_market(connection: Connection, market: MarketPublished, at: datetime) -> bool:
    """Add to the security master and the corporate actions; False when this snapshot was published before."""
    fresh = await connection.fetchval(
        "INSERT INTO market (market_id, as_of, published_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1",
        market.market_id,
        market.as_of,
        at,
    )
    if fresh is None:
        return False
    await connection.execute(
        "INSERT INTO security (security_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", market.securities.security_id
    )
    await connection.executemany(
        "INSERT INTO corporate_action (security_id, ex_date, kind, ratio) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(action.security_id, action.ex_date, action.kind, action.ratio) for action in market.corporate_actions],
    )
    await connection.executemany(
        "INSERT INTO corporate_action (security_id, ex_date, kind, ratio, new_security_id) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (security_id, ex_date, kind) DO UPDATE SET ratio = EXCLUDED.ratio, new_security_id = EXCLUDED.new_security_id",
        [
            (one.security_id, one.ex_date, one.kind, one.ratio or 0, one.new_security_id)
            for one in market.reorganizations
            if one.kind in ("merger", "cash_merger")
        ],
    )
    return True


async def newest_market(connection: Connection, as_of: date) -> str | None:
    """The last published market of a date."""
    found: str | None = await connection.fetchval(
        "SELECT market_id FROM market WHERE as_of = $1 ORDER BY published_at DESC, market_id LIMIT 1", as_of
    )
    return found


async def account_rows(connection: Connection) -> list[Candidate]:
    """Every account with a master record, by household and id."""
    rows = await connection.fetch(
        "SELECT account_id, household_id, business_date, version, trade_seq, quarantine, "
        "(household_id IN (SELECT key FROM parked) OR account_id IN (SELECT key FROM parked)) AS household_parked "
        "FROM account ORDER BY household_id, account_id"
    )
    return [Candidate(**dict(row)) for row in rows]


async def run_of_date(connection: Connection, as_of: date) -> bool:
    """Whether a run of the date was opened."""
    return bool(await connection.fetchval("SELECT 1 FROM run WHERE as_of = $1 LIMIT 1", as_of))


async def save_run(connection: Connection, run: RunOpened) -> bool:
    """Keep a run; False when it was opened before."""
    fresh = await connection.fetchval(
        "INSERT INTO run (run_id, as_of, market_id, opened_at, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1",
        run.run_id,
        run.as_of,
        run.market_id,
        run.opened_at,
        pack(run),
    )
    return fresh is not None


async def load_run(connection: Connection, run_id: str) -> RunOpened:
    """A run as it was opened."""
    body = await connection.fetchval("SELECT body FROM run WHERE run_id = $1", run_id)
    return msgspec.json.decode(unpack(body), type=RunOpened)
