"""Reorganizations in the running service: custodian's files, markets with actions, trades and runs in, ledgers out."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, Reorganization, RunAccount
from tests.integration.test_wash_sale_service import OLD, Stage, market, run, running
from tests.unit.wash_sale.samples import account, buy, day, lot, merger, paid, sell, spin_off
from tests.waiting import eventually

D = Decimal
E = day(2)


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


BEFORE = market("M1", day(0))


def told(market_id: str, *actions: Reorganization) -> MarketPublished:
    return replace(market(market_id, E), reorganizations=list(actions))


async def answer(stage: Stage, run_id: str) -> LedgerUpdated:
    found = await eventually(lambda: [one for one in stage.answers("H1") if one.run_id == run_id], what=f"{run_id} answered")
    return found[0]


async def test_a_merger_with_cash_reaches_lots_sales_and_windows(stage: Stage) -> None:
    acted = told("M2", merger("XA", E, "YA", "0.5", "3", "60"), paid("YA", E, "cash_in_lieu", "60"))
    bought = buy("t", 1, day(1), "41", "2050", security_id="XA")
    first = account(lots=[OLD, lot("P-t", "XA", "41", "2050", day(1))], version=2, trade_seq=1)
    await stage.say(BEFORE, account(lots=[OLD]), bought, first, acted)

    await stage.say(run(RunAccount("A1", "H1", 2, 1), market_id="M2", as_of=E))
    waiting = (await answer(stage, "R1")).accounts[0]
    assert (waiting.lots.security_id, waiting.lots.quantity) == (["YA"] * 3, ["49.5", "0.5", "20"])  # 70.5 came: a half is sold
    assert [(row.trade_id, row.raw_gain, row.disallowed) for row in (await answer(stage, "R1")).sales] == [
        (f"cash_in_lieu/YA/{E}", D(-17), D(17))  # and replaced by what was bought the day before
    ]
    assert waiting.disagreements == ["L1", "P-t"]  # until the custodian's file shows it

    shown = [lot("N1", "YA", "49.5", "4700", OLD.acquired), lot("N2", "YA", "20.5", "1900", day(1))]
    await stage.say(account(lots=shown, version=3, trade_seq=1, business_date=E))
    await stage.say(run(RunAccount("A1", "H1", 3, 1), run_id="R2", market_id="M2", as_of=E))
    ledger = await answer(stage, "R2")
    assert ledger.accounts[0].disagreements == []
    assert (ledger.accounts[0].lots.lot_id, ledger.accounts[0].lots.quantity) == (["N1", "N2", "N2"], ["49.5", "0.5", "20"])
    assert [(window.security_ids, window.lot_ids) for window in ledger.blocked_loss_sales] == [(["YA"], ["N2"])]

    await stage.say(sell("s", 2, day(3), "900", {"N1": "19.5"}, security_id="YA"))
    last = stage.ledgers()[-1]
    assert last.accounts[0].lots.quantity == ["30", "0.5", "19.5", "0.5"]
    loss = next(row for row in last.sales if row.trade_id == "s")
    assert (loss.security_id, loss.raw_gain, loss.disallowed) == ("YA", D(-933), D(933))  # replaced by what was bought as XA


async def test_a_file_that_comes_before_the_market_gives_the_same_ledger(stage: Stage) -> None:
    acted = told("M2", spin_off("XA", E, "YA", "0.5", "20", "40"))
    shown = account(lots=[OLD, lot("N1", "YA", "50", "0", OLD.acquired)], version=2, business_date=E)
    await stage.say(BEFORE, account(lots=[OLD]), shown)
    before = stage.ledgers()[-1].accounts[0]
    assert (before.lots.tax_basis, before.disagreements) == (["5000", "0"], [])
    await stage.say(acted, run(RunAccount("A1", "H1", 2, 0), market_id="M2", as_of=E))
    after = (await answer(stage, "R1")).accounts[0]
    assert (after.lots.lot_id, after.lots.tax_basis, after.disagreements) == (["L1", "N1"], ["4000", "1000"], [])
    differences = await stage.get("H1/custodian-basis")
    assert differences["accounts"]


async def test_a_return_of_capital_that_becomes_known_after_a_sale_restates_it(stage: Stage) -> None:
    start = [BEFORE, account(lots=[OLD]), sell("s", 1, day(3), "5100", {"L1": "100"}, security_id="XA")]
    await stage.say(*start)
    assert [row.raw_gain for row in stage.ledgers()[-1].sales] == [D(100)]
    late = replace(told("M2", paid("XA", day(1), "return_of_capital", "2")), as_of=day(5))
    await stage.say(late, run(RunAccount("A1", "H1", 1, 1), market_id="M2", as_of=day(5)))
    assert [row.raw_gain for row in (await answer(stage, "R1")).sales] == [D(300)]
    [restated] = stage.restated()
    assert [(row.before and row.before.raw_gain, row.after and row.after.raw_gain) for row in restated.sales] == [(D(100), D(300))]


async def test_what_reorganized_survives_a_restart(fresh_database: str) -> None:
    async with running(fresh_database) as first:
        await first.say(told("M2", paid("XA", E, "cash_merger", "60")), account(lots=[OLD]))
        assert [row.raw_gain for row in first.ledgers()[-1].sales] == [D(1000)]
        bus = first.bus
    async with running(fresh_database, bus) as second:
        await second.say(account("A2"))
        assert [(row.trade_id, row.raw_gain) for row in second.ledgers()[-1].sales] == [(f"cash_merger/XA/{E}", D(1000))]
