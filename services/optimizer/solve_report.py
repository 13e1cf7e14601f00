"""A decision as a person reads it: a table of trades by lot, and a summary."""

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal
from io import StringIO

from libs.common.money import cents_half_even, plain
from libs.common.schemas.proposal import Certificate, LossesLeft, ProposalCreated, ProposalDeclined, ProposedTrade, Unmet

BPS = Decimal(10_000)
HEAD = (
    "security_id",
    "side",
    "shares",
    "price",
    "dollars",
    "reason",
    "lot_id",
    "lot_shares",
    "term",
    "gain",
    "trade_tax",
    "trade_cost",
    "trade_risk",
    "trade_te_variance_bps2",
)
LEFT_IN_WORDS = {
    "market_block": "blocked by the market snapshot",
    "restriction": "a rule forbids the sale",
    "wash_sale_window": "bought within 30 days: the loss would be washed",
    "household_intent": "the household buys it",
    "harvest_off": "the account takes no losses for their own sake",
    "below_threshold": "smaller than its month and age ask for",
    "below_cost": "saves less than it costs",
    "below_min_trade": "smaller than the smallest trade",
    "bought_instead": "what counts as the same security is bought",
    "limit": "a limit of the account holds it back",
    "risk": "the tracking error it would cost is worth more",
}


def table_of(decision: ProposalCreated | ProposalDeclined) -> str:
    """The trades as CSV, a line a lot sold and a line a buy; what is the whole trade's is on its first line."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    if isinstance(decision, ProposalCreated):
        for trade in decision.trades:
            writer.writerows(_lines(trade))
    return out.getvalue()


def _lines(trade: ProposedTrade) -> Iterator[list[str]]:
    dollars = cents_half_even(trade.quantity * trade.price)
    head = [trade.security_id, trade.side, plain(trade.quantity), plain(trade.price), plain(dollars), trade.reason]
    tail = [plain(trade.tax), plain(trade.cost), _text(trade.risk), _text(trade.te_variance_bps2)]
    lots = [[each.lot_id, plain(each.quantity), each.term, _text(each.gain)] for each in trade.lots] or [[""] * 4]
    for n, lot in enumerate(lots):
        yield [*head, *lot, *tail] if n == 0 else [trade.security_id, trade.side, "", "", "", "", *lot, "", "", "", ""]


def _text(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def summary_of(decision: ProposalCreated | ProposalDeclined) -> str:
    """The decision in some lines."""
    lines = _of_proposal(decision) if isinstance(decision, ProposalCreated) else _of_decline(decision)
    return "\n".join(lines) + "\n"


def _of_proposal(made: ProposalCreated) -> Iterator[str]:
    sales = sum(trade.side == "sell" for trade in made.trades)
    tax, net = made.tax, made.tax.short_gain + made.tax.long_gain - made.tax.short_loss - made.tax.long_loss
    yield f"{made.account_id}: {sales} sales, {len(made.trades) - sales} buys, of {made.account_value:,.2f} dollars"
    yield f"tracking error    {_bps(made.te_before_frac)} to {_bps(made.te_after_frac)} bp a year"
    losses, gains = tax.short_loss + tax.long_loss, tax.short_gain + tax.long_gain
    yield f"realised          losses {losses:,.2f}, gains {gains:,.2f}, net {net:,.2f}; tax {tax.tax:,.2f} (below zero it saves)"
    yield f"cost              {made.cost:,.2f}"
    yield f"cash              {made.cash_before:,.2f} to {made.cash_after:,.2f}"
    yield from _certified(made.certificate, made.solve_status)
    reasons: dict[str, int] = {}
    for trade in made.trades:
        reasons[trade.reason] = reasons.get(trade.reason, 0) + 1
    yield "trades for        " + ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    yield from (f"held by           {each.name}: {each.says}" for each in made.binding)
    yield from _unmet(made.unmet)
    yield from _left(made.losses_left)


def _of_decline(made: ProposalDeclined) -> Iterator[str]:
    numbers = "" if made.limit is None else f" (limit {made.limit}, actual {made.actual})"
    yield f"{made.account_id}: {made.outcome}, {made.code}: {made.message}{numbers}"
    if made.te_before_frac is not None:
        yield f"tracking error    {_bps(made.te_before_frac)} bp a year"
    yield from _certified(made.certificate, made.code)
    yield from (f"to make it work   {each.says}" for each in made.relaxations)
    yield from _unmet(made.unmet)
    yield from _left(made.losses_left)


def _certified(certificate: Certificate | None, status: str) -> Iterator[str]:
    if certificate is not None:
        how = f"{status}, by {certificate.method}, {certificate.nodes} nodes"
        bound = f"objective {certificate.objective_bps} bp, bound {certificate.lower_bound_bps} bp"
        yield f"certificate       {bound}, gap {certificate.gap_bps} bp, whole shares {certificate.whole_shares_bps} bp ({how})"


def _unmet(unmet: Iterable[Unmet]) -> Iterator[str]:
    yield from (f"not done          {each.wanted} {each.security_id or ''} {_text(each.quantity)}: {each.reason}" for each in unmet)


def _left(left: Iterable[LossesLeft]) -> Iterator[str]:
    yield from (f"losses left       {each.loss:,.2f} in {each.lots} lots: {LEFT_IN_WORDS[each.reason]}" for each in left)


def _bps(fraction: Decimal) -> str:
    return f"{fraction * BPS:.1f}"
