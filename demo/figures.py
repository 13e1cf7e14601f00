"""The figures of the demo's table, from what was said on the topics."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median

from demo.audit.layout import OrderRefused
from demo.day import Decision, Story
from demo.observer import Observer
from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.account import AccountChanged, TaxRates
from libs.common.schemas.ledger import LedgerUpdated, RealisedSale
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import ExecutionReported, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined

BPS = Decimal(10_000)


def newest_accounts(observer: Observer) -> dict[str, AccountChanged]:
    """The last version of each account."""
    newest: dict[str, AccountChanged] = {}
    for account in observer.payloads(AccountChanged):
        if account.account_id not in newest or account.version >= newest[account.account_id].version:
            newest[account.account_id] = account
    return newest


def realised_sales(observer: Observer) -> list[RealisedSale]:
    """The sales of the demo's own trades as the newest ledgers judge them."""
    newest: dict[str, LedgerUpdated] = {}
    for ledger in observer.payloads(LedgerUpdated):
        if ledger.household_id not in newest or ledger.version >= newest[ledger.household_id].version:
            newest[ledger.household_id] = ledger
    booked = {trade.trade_id for trade in observer.payloads(TradeBooked)}
    return [sale for ledger in newest.values() for sale in ledger.sales if sale.trade_id in booked]


def tax_of(sales: Sequence[RealisedSale], rates: Mapping[str, TaxRates]) -> tuple[Decimal, Decimal, Decimal]:
    """Losses harvested, tax saved by them at the accounts' own rates, and tax on realised gains; dollars, all positive."""
    harvested = saved = owed = ZERO
    for sale in sales:
        gain = sale.allowed_gain or ZERO
        own = rates[sale.account_id]
        rate = own.long_frac if sale.term == "long" else own.short_frac
        if gain < 0:
            harvested -= gain
            saved -= gain * rate
        else:
            owed += gain * rate
    return cents_half_even(harvested), cents_half_even(saved), cents_half_even(owed)


def tracking_errors_bps(observer: Observer, runs: Sequence[RunOpened]) -> tuple[Decimal, Decimal]:
    """Median ex-ante tracking error before the first run's trades and after the last decision, over accounts with a proposal."""
    order = {run.run_id: number for number, run in enumerate(runs)}
    first: dict[str, Decimal] = {}
    last: dict[str, Decimal] = {}
    for proposal in sorted(observer.payloads(ProposalCreated), key=lambda p: order[p.run_id]):
        first.setdefault(proposal.account_id, proposal.te_before_frac)
        last[proposal.account_id] = proposal.te_after_frac
    if not first:
        return ZERO, ZERO
    return median(first.values()) * BPS, median(last.values()) * BPS


def summary_of(
    observer: Observer, story: Story, refused: Sequence[OrderRefused], must_occur: Mapping[str, bool], seconds: float
) -> dict[str, object]:
    """summary.json: the figures of the table, and why accounts did not trade."""
    runs = list(observer.payloads(RunOpened))
    accounts = newest_accounts(observer)
    rates = {a.account_id: a.rates for a in accounts.values()}
    taxable = {a.account_id for a in accounts.values() if a.account_type == "taxable"}
    harvested, saved, owed = tax_of([s for s in realised_sales(observer) if s.account_id in taxable], rates)
    before, after = tracking_errors_bps(observer, runs)
    executions = list(observer.payloads(ExecutionReported))
    placed = list(observer.payloads(OrderPlaced))
    decisions: list[Decision] = [*observer.payloads(ProposalCreated), *observer.payloads(ProposalDeclined)]
    return {
        "simulated": True,
        "accounts": len(accounts),
        "households": len({a.household_id for a in accounts.values()}),
        "lots": sum(len(a.lots.lot_id) for a in accounts.values()),
        "runs": len(runs),
        "tracking_error_median_before_bps": str(before.quantize(Decimal("0.1"))),
        "tracking_error_median_after_bps": str(after.quantize(Decimal("0.1"))),
        "losses_harvested_usd": str(harvested),
        "tax_saved_usd": str(saved),
        "tax_on_gains_usd": str(owed),
        "proposals": len(list(observer.payloads(ProposalCreated))),
        "orders": len(placed),
        "allocations": sum(len(order.allocations) for order in placed),
        "executions": len(executions),
        "fills": sum(e.exec_type in ("partial_fill", "fill") for e in executions),
        "trades": len(list(observer.payloads(TradeBooked))),
        "orders_by_state": dict(Counter({order.cl_ord_id: order.state for order in observer.payloads(OrderEnded)}.values())),
        "not_decided": dict(Counter(a.excluded for run in runs for a in run.accounts if a.excluded)),
        "declined": dict(Counter(d.code for d in observer.payloads(ProposalDeclined))),
        "refused": dict(Counter(r.code for r in refused)),
        "unmet": dict(Counter(u.reason for p in decisions for u in p.unmet)),
        "files": dict(Counter(str(ack["outcome"]) for ack in story.acknowledgements)),
        "approvals": {kind: len(accounts) for kind, accounts in story.approvals.items()},
        "must_occur": dict(must_occur),
        "seconds": round(seconds, 1),
    }
