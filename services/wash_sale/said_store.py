"""What wash_sale had said before its database was restored, put back into its tables."""

from collections.abc import Iterable

from libs.common.db import Connection
from libs.common.ids import bytes_id
from libs.common.packing import pack
from libs.common.schemas.ledger import LedgerUpdated
from services.wash_sale.core.household import HouseholdLedger


async def adopt_ledger(connection: Connection, said: LedgerUpdated, digest: str) -> None:
    """Let a household stand behind a ledger that was said of it; one not newer than the last changes nothing.

    A household that is new has no facts yet; they come with its accounts and trades.
    """
    facts = pack(HouseholdLedger(said.household_id))
    await connection.execute(
        "INSERT INTO household AS h (household_id, facts, facts_digest, as_of, early_inputs, unsaid, version, said_digest, said) "
        "VALUES ($1, $2, $3, $4, 0, false, $5, $6, $7) ON CONFLICT (household_id) DO UPDATE SET version = $5, said_digest = $6, "
        "as_of = greatest(h.as_of, $4), said = $7 WHERE h.version <= $5",
        said.household_id,
        facts,
        bytes_id(facts),
        said.as_of,
        said.version,
        digest,
        pack(said),
    )


async def end_answered(connection: Connection, answered: Iterable[tuple[str, str]]) -> None:
    """The runs (first of each pair) wait for these households no more."""
    await connection.executemany("DELETE FROM run_household WHERE run_id = $1 AND household_id = $2", sorted(answered))
