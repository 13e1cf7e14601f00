"""A plan chosen on the page, on a published market: two people, by the page's own forms."""

import asyncpg
import httpx

from libs.common.packing import pack
from libs.common.schemas.market import MarketPublished
from tests.integration.test_optimizer_service import WORLD
from tests.integration.test_transition_routes import done, http

__all__ = ["http"]  # the fixture

LOTS = "\n".join(f"N{i}, 2020-01-02, 100, {90 + i}" for i in range(10))
FIELDS = {"lots": LOTS, "cash": "2000", "short_rate": "37%", "long_rate": "20%", "strategy": "core", "client_name": "Wilhelmina"}
WHO = {"account_id": "A", "household_id": "H", "taxpayer_id": "T", "custodian": "C", "who": "ann", "second_person": "1"}


async def publish(dsn: str, market: MarketPublished) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "optimizer"})
    try:
        statement = "INSERT INTO market (market_id, as_of, body) VALUES ($1, $2, $3)"
        await connection.execute(statement, market.market_id, market.as_of, pack(market))
    finally:
        await connection.close()


async def test_one_chooses_and_another_approves(http: httpx.AsyncClient, fresh_database: str) -> None:
    await publish(fresh_database, WORLD.market)
    assert 'value="core"' in (await http.get("/transition")).text
    asked = await http.post("/transition", data=FIELDS)
    assert asked.status_code == 303, asked.text
    path = asked.headers["location"]
    found = await done(http, path.replace("/transition", "/v1/transitions"))
    assert found["market_id"] == WORLD.market.market_id
    chosen = await http.post(f"{path}/choose", data={**WHO, "approach_id": "immediate"})
    assert chosen.status_code == 303, chosen.text
    plan = chosen.headers["location"]
    assert "waits for a second person" in (await http.get(plan)).text
    same = await http.post(plan, data={"who": "ann", "verdict": "approve"})
    assert (same.status_code, "not the one who chose" in same.text) == (409, True)
    assert (await http.post(plan, data={"who": "bob", "verdict": "approve"})).status_code == 303
    followed = (await http.get(plan)).text
    assert "The account follows it." in followed
    assert "Wilhelmina" not in followed
    assert plan in (await http.get(path)).text
