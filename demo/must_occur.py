"""What every demo must show; the demo fails unless all of it occurred."""

from collections.abc import Sequence
from decimal import Decimal

from demo.day import Decision, Story
from demo.observer import Observer
from demo.sample import STORIES
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import ExecutionReported
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated


def what_occurred(observer: Observer, story: Story, parked_keys: Sequence[str]) -> dict[str, bool]:
    """Each thing that must occur, and whether it did."""
    executions = list(observer.payloads(ExecutionReported))
    proposals = list(observer.payloads(ProposalCreated))
    return {
        "a restricted buy avoided": restricted_buy_avoided(observer, proposals),
        "a wash-sale block across two accounts of a household": blocked_across_accounts(observer, proposals),
        "a partial fill": any(e.exec_type == "partial_fill" for e in executions),
        "a reject": any(e.exec_type == "rejected" for e in executions),
        "a parked account": any(account in parked_keys for account in STORIES["parked"].accounts),
        "an unknown basis kept": unknown_basis_kept(observer, proposals),
        "a binding tax budget": any("tax" in bound.name for p in _of("tax_budget", proposals) for bound in p.binding),
        "a whole position refused for a price jump": price_jump_refused(observer, proposals),
        "a duplicate file": any(ack["outcome"] == "duplicate" for ack in story.acknowledgements),
        "a corrected file": corrected(story),
    }


def _of(story: str, proposals: Sequence[ProposalCreated]) -> list[ProposalCreated]:
    return [p for p in proposals if p.account_id in STORIES[story].accounts]


def restricted_buy_avoided(observer: Observer, proposals: Sequence[ProposalCreated]) -> bool:
    """An account under a faith screen bought names of its model, and none of those of the model that its rules forbid."""
    screens = {(s.account_id, s.run_id): s for s in observer.payloads(ScreenUpdated)}
    models = {m.strategy_id: set(m.security_id) for market in observer.payloads(MarketPublished) for m in market.models}
    strategy = {a.account_id: a.strategy_id for a in observer.payloads(AccountChanged)}
    for proposal in _of("faith", proposals):
        screen = screens[proposal.account_id, proposal.run_id]
        model = models[strategy[proposal.account_id]]
        forbidden = {v.security_id for v in screen.verdicts if not v.may_buy} & model
        bought = {t.security_id for t in proposal.trades if t.side == "buy"}
        if forbidden and bought and not bought & forbidden:
            return True
    return False


def blocked_across_accounts(observer: Observer, proposals: Sequence[ProposalCreated]) -> bool:
    """A loss that one account could have taken was left alone, since another account of the household bought the name lately."""
    for story in ("wash_sale_block", "wash_sale_block_share_class"):
        seller, buyer = STORIES[story].accounts
        for ledger in observer.payloads(LedgerUpdated):
            run = next((r for r in observer.payloads(RunOpened) if r.run_id == ledger.run_id), None)
            if run is None:
                continue
            prices = _prices(observer, run.market_id)
            for window in ledger.blocked_loss_sales:
                if window.account_id == buyer and _loss_left_alone(ledger, seller, run, window.security_ids, prices, proposals):
                    return True
    return False


def _loss_left_alone(
    ledger: LedgerUpdated,
    seller: str,
    run: RunOpened,
    security_ids: Sequence[str],
    prices: dict[str, Decimal],
    proposals: Sequence[ProposalCreated],
) -> bool:
    rows = [row for account in ledger.accounts if account.account_id == seller for row in account.lots.rows()]
    losing = {
        row.lot_id
        for row in rows
        if row.security_id in security_ids and row.tax_basis is not None and row.tax_basis > row.quantity * prices[row.security_id]
    }
    own = [p for p in proposals if p.run_id == run.run_id and p.account_id == seller]
    sold = {lot.lot_id for p in own for trade in p.trades for lot in trade.lots}
    return bool(losing) and not losing & sold


def _prices(observer: Observer, market_id: str) -> dict[str, Decimal]:
    market = next(m for m in observer.payloads(MarketPublished) if m.market_id == market_id)
    columns = zip(market.securities.security_id, market.securities.price, strict=True)
    return {security_id: Decimal(price) for security_id, price in columns if price is not None}


def unknown_basis_kept(observer: Observer, proposals: Sequence[ProposalCreated]) -> bool:
    """An account with lots of unknown basis traded, and none of those lots."""
    unknown: dict[str, set[str]] = {}
    for account in observer.payloads(AccountChanged):
        for row in account.lots.rows():
            if row.cost_basis is None:
                unknown.setdefault(account.account_id, set()).add(row.lot_id)
    traded = [p for p in _of("unknown_basis", proposals) if unknown.get(p.account_id)]
    return bool(traded) and not any(lot.lot_id in unknown[p.account_id] for p in traded for t in p.trades for lot in t.lots)


def price_jump_refused(observer: Observer, proposals: Sequence[ProposalCreated]) -> bool:
    """The owner wanted the whole position sold; its price jumped without a corporate action, so it was refused, with the quantity."""
    decisions: list[Decision] = [*proposals, *observer.payloads(ProposalDeclined)]
    own = [d for d in decisions if d.account_id in STORIES["price_jump"].accounts]
    return any(u.reason == "price_jump" and u.quantity for d in own for u in d.unmet)


def corrected(story: Story) -> bool:
    """A file of a later sequence changed an account."""
    return any(ack["outcome"] == "accepted" and "_2_" in str(ack["file"]) and ack["changed_accounts"] for ack in story.acknowledgements)
