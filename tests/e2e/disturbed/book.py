"""The small book that disturbed runs are played with: stories of the sample on a market of 160 names, each account with few names.

Simulated throughout, the same on each call, made by the generators of `demo/sample`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from demo.sample import Sample, sample_of
from demo.sample.book import book_of
from demo.sample.custodian import Custodian
from demo.sample.days import DEMO_DAYS, DemoDay, business_days
from demo.sample.files import BY_MESSAGE, SampleFile, day_files, holdings_file
from demo.sample.market import SampleMarket
from demo.sample.picks import make_picks
from demo.sample.plans import Plan
from demo.sample.prices import simulate_prices
from demo.sample.stories import story_plans
from demo.sample.universe import make_universe

SECURITIES = 160
NAMES = 36
HOUSEHOLDS = frozenset(f"H{number:03d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 17, 18, 22))
"""Twenty-two accounts: families, windows across accounts, budgets, wishes, approvals, a split, a correction, a fraction, one that parks."""
APPROVED, DOUBTFUL = "A0018", "A0019"
"""Accounts whose proposals wait for a person: the first are approved, the other's left to expire, or rejected on the second day."""


async def answer_approvals(ask: Callable[..., Awaitable[Any]], day: DemoDay) -> None:
    """What a person says of the proposals that wait; `ask` takes service, method, path and content, and gives the answer's JSON."""
    for waiting in await ask("orders", "GET", "/v1/approvals"):
        path = f"/v1/proposals/{waiting['proposal_id']}"
        if waiting["account_id"] == APPROVED:
            await ask("orders", "POST", f"{path}/approve")
        elif waiting["account_id"] == DOUBTFUL and day.number == 2:
            await ask("orders", "POST", f"{path}/reject", json={"reason": "not now"})


def make_small_book() -> Sample:
    """Market, accounts and custodian."""
    universe = make_universe()[:SECURITIES]
    market = SampleMarket(universe, simulate_prices(universe, business_days()))
    plans = [_small(plan) for plan in story_plans(market, make_picks(market)) if plan.household_id in HOUSEHOLDS]
    return sample_of(market, book_of(market, plans))


def _small(plan: Plan) -> Plan:
    """The plan with few names; a legacy account, which needs names outside the strategies, becomes an ordinary one."""
    holding = plan.holding
    if holding.style == "cash_only":
        return plan
    purchases = holding.purchases or ((400, 1.0),)
    style = "fresh" if holding.style == "fresh" else "sample"
    return replace(plan, holding=replace(holding, style=style, names=NAMES, purchases=purchases))  # type: ignore[arg-type]


def files_of(custodian: Custodian, day: DemoDay) -> list[SampleFile]:
    """Day 1 in two parts, day 2 with an error, the same bytes again and a correction, later days plain."""
    if day in DEMO_DAYS[:2]:
        return day_files(custodian, day)
    holdings = [custodian.holdings(account_id) for account_id in sorted(custodian.accounts) if account_id not in BY_MESSAGE]
    return [holdings_file(custodian, day, holdings)]
