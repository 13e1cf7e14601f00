"""The sample's book: 250 accounts of 170 households, the lots they bought through the simulated history, and the account master."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from demo.sample.crowd import Crowd
from demo.sample.days import DEMO_DAYS, rng_of
from demo.sample.holdings import UNKNOWN, Buyer, LotTable
from demo.sample.market import SampleMarket
from demo.sample.picks import make_picks
from demo.sample.plans import Plan
from demo.sample.stories import story_plans
from libs.common.schemas.custody import CustodyLot

CUSTODIAN = "simulated-custody"
SMALLEST_MIN_TRADE = Decimal(200)
MIN_TRADE_PER_100K = 800


@dataclass(frozen=True)
class SampleAccount:
    """One account as its custodian starts with it.  Money in dollars; `unsettled` settles on the second demo day."""

    plan: Plan
    cash: Decimal
    unsettled: Decimal
    lots: list[CustodyLot] = field(repr=False)


def make_book(market: SampleMarket) -> list[SampleAccount]:
    """All accounts in the order of their ids; the same on each call."""
    picks = make_picks(market)
    return book_of(market, [*story_plans(market, picks), *Crowd(market, picks).plans()])


def book_of(market: SampleMarket, plans: Sequence[Plan]) -> list[SampleAccount]:
    """The accounts of the given plans, in their order; the same on each call."""
    buyer, rng = Buyer(market, market.row(DEMO_DAYS[0].business_date)), rng_of(4)
    accounts, next_lot = [], 1_000_001
    for plan in plans:
        lots = _custody_lots(market, plan, buyer.lots(plan, rng), next_lot)
        next_lot += len(lots)
        cash = Decimal(round(plan.holding.value_usd * plan.holding.cash_frac * 100)) / 100
        accounts.append(SampleAccount(plan, cash, Decimal(plan.holding.unsettled_usd), lots))
    return accounts


def _custody_lots(market: SampleMarket, plan: Plan, table: LotTable, first_number: int) -> list[CustodyLot]:
    """The lots with the custodian's numbers; numbers, dates and names are exact from here on."""
    ids = [security.security_id for security in market.universe]
    days = market.history.days
    columns = (table.column.tolist(), table.quantity_e3.tolist(), table.cost_cents.tolist(), table.row.tolist())
    lots = [
        CustodyLot(
            f"L{first_number + i}",
            ids[column],
            Decimal(quantity).scaleb(-3).normalize() + 0,
            None if cost == UNKNOWN else Decimal(cost).scaleb(-2),
            None if row == UNKNOWN else days[row],
        )
        for i, (column, quantity, cost, row) in enumerate(zip(*columns, strict=True))
    ]
    for security_id in plan.holding.foreign_lots:
        lots.append(CustodyLot(f"L{first_number + len(lots)}", security_id, Decimal(75), Decimal("3120.00"), days[500]))
    return lots


def master_json(accounts: list[SampleAccount]) -> bytes:
    """The account master, as ingest takes it: {"accounts": [...]}, decimals as strings."""
    return msgspec.json.format(msgspec.json.encode({"accounts": [_master_row(account) for account in accounts]}), indent=1) + b"\n"


def _master_row(account: SampleAccount) -> dict[str, object]:
    plan = account.plan
    return {
        "account_id": plan.account_id,
        "household_id": plan.household_id,
        "taxpayer_id": plan.taxpayer_id,
        "custodian": CUSTODIAN,
        "account_type": plan.account_type,
        "strategy_id": plan.strategy_id,
        "approval": plan.approval,
        "do_not_trade": plan.do_not_trade,
        "rates": plan.rates,
        "budgets": plan.budgets,
        "risk_aversion": plan.risk_aversion,
        "cash_min_frac": Decimal("0.002"),
        "cash_max_frac": Decimal("0.02"),
        "min_trade": max(SMALLEST_MIN_TRADE, Decimal(plan.holding.value_usd // 100_000 * MIN_TRADE_PER_100K)),
        "cash_flows": plan.cash_flows,
        "wishes": plan.wishes,
        "tax_opening": plan.tax_opening,
        "past_sales": plan.past_sales,
    }


def contributions(accounts: list[SampleAccount]) -> dict[str, Decimal]:
    """Money that owners pay in on the second demo day, by account."""
    day = DEMO_DAYS[1].business_date
    return {a.plan.account_id: flow.amount for a in accounts for flow in a.plan.cash_flows if flow.due == day and flow.amount > 0}
