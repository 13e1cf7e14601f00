"""What was known when: every version of a ledger that was said, by household."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.ledger import AccountYear, LedgerAccount, LedgerUpdated, RealisedSale, TaxLotColumns, TaxpayerYear, Window


class _AccountAsWritten(Struct, frozen=True):
    """An account of a ledger, its lots not decoded."""

    account_id: str
    account_version: int
    trade_seq: int
    lots: Raw
    disagreements: list[str]


class _LedgerAsWritten(Struct, frozen=True):
    """A ledger whose accounts' lots are not decoded."""

    household_id: str
    version: int
    as_of: date
    run_id: str | None
    accounts: list[_AccountAsWritten]
    blocked_buys: list[Window]
    blocked_loss_sales: list[Window]
    taxpayers: list[TaxpayerYear]
    account_years: list[AccountYear]
    sales: list[RealisedSale]


_decoder = msgspec.json.Decoder(LedgerUpdated)
_written_decoder = msgspec.json.Decoder(_LedgerAsWritten)
_lots_decoder = msgspec.json.Decoder(TaxLotColumns)


async def keep_said(connection: Connection, said: LedgerUpdated, known_at: datetime) -> None:
    """Keep a version that was said; the same version again (for another run) changes nothing."""
    await connection.execute(
        "INSERT INTO said_history (household_id, version, known_at, said) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        said.household_id,
        said.version,
        known_at,
        pack(said),
    )


async def said_at(pool: Pool, household_id: str, known_at: datetime) -> LedgerUpdated | None:
    """The ledger as it was known at a time (that moment included); None where nothing was."""
    body = await pool.fetchval(
        "SELECT said FROM said_history WHERE household_id = $1 AND known_at <= $2 ORDER BY version DESC LIMIT 1", household_id, known_at
    )
    return None if body is None else _decoder.decode(unpack(body))


async def said_before(connection: Connection, household_id: str, version: int) -> LedgerUpdated | None:
    """The last ledger said before a version; None before the first."""
    body = await connection.fetchval(
        "SELECT said FROM said_history WHERE household_id = $1 AND version < $2 ORDER BY version DESC LIMIT 1", household_id, version
    )
    return None if body is None else _decoder.decode(unpack(body))


async def load_last_said(connection: Connection, household_ids: Sequence[str]) -> dict[str, bytes]:
    """The ledgers last said of households, packed."""
    rows = await connection.fetch(
        "SELECT n.household_id, last.said FROM unnest($1::text[]) AS n (household_id), LATERAL "
        "(SELECT said FROM said_history h WHERE h.household_id = n.household_id ORDER BY h.version DESC LIMIT 1) last",
        household_ids,
    )
    return dict(rows)


def said_beside(body: bytes, after: LedgerUpdated) -> LedgerUpdated:
    """A packed ledger; the lots of an account that are written in it as in `after` are those of `after`, without being decoded."""
    written = _written_decoder.decode(unpack(body))
    now = {account.account_id: account.lots for account in after.accounts}

    def lots_of(account: _AccountAsWritten) -> TaxLotColumns:
        lots = now.get(account.account_id)
        same = lots is not None and msgspec.json.encode(lots) == bytes(account.lots)
        return lots if lots is not None and same else _lots_decoder.decode(account.lots)

    accounts = [LedgerAccount(a.account_id, a.account_version, a.trade_seq, lots_of(a), a.disagreements) for a in written.accounts]
    return LedgerUpdated(**{**asdict(written), "accounts": accounts})


async def said_version(pool: Pool, household_id: str, version: int) -> LedgerUpdated | None:
    """One version of a ledger."""
    body = await pool.fetchval("SELECT said FROM said_history WHERE household_id = $1 AND version = $2", household_id, version)
    return None if body is None else _decoder.decode(unpack(body))
