"""Identity groups by date: the snapshots' word where it changed."""

from datetime import date

from libs.common.db import Connection, Pool
from libs.common.schemas.market import MarketPublished
from services.wash_sale.core.identity import IdentityEntry

FROM_THE_BEGINNING = date.min
"""The first group that is known of a security holds for all the time before."""


async def save_identities(connection: Connection, market: MarketPublished) -> None:
    """Note each security whose group is another than the last one before the snapshot's date."""
    await connection.execute(
        "INSERT INTO identity_since (security_id, since, identity_group) "
        "SELECT n.security_id, CASE WHEN EXISTS (SELECT 1 FROM identity_since e WHERE e.security_id = n.security_id) "
        "THEN $3::date ELSE $4::date END, n.identity_group FROM unnest($1::text[], $2::text[]) AS n(security_id, identity_group) "
        "WHERE n.identity_group IS DISTINCT FROM (SELECT e.identity_group FROM identity_since e "
        "WHERE e.security_id = n.security_id AND e.since <= $3 ORDER BY e.since DESC LIMIT 1) "
        "ON CONFLICT (security_id, since) DO UPDATE SET identity_group = EXCLUDED.identity_group",
        market.securities.security_id,
        market.securities.identity_group,
        market.as_of,
        FROM_THE_BEGINNING,
    )


async def changed_identities(connection: Connection | Pool) -> list[IdentityEntry]:
    """All entries of the securities whose group has changed."""
    rows = await connection.fetch(
        "SELECT security_id, identity_group, since FROM identity_since WHERE security_id IN "
        "(SELECT security_id FROM identity_since GROUP BY security_id HAVING count(*) > 1) ORDER BY security_id, since"
    )
    return [IdentityEntry(row["security_id"], row["identity_group"], row["since"]) for row in rows]
