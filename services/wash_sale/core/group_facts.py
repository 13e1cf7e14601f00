"""One identity group's facts, put in the order in which they happened.

Same-day order: the market's actions, what the custodian brought, then trades by account and by the account's own sequence.  The fills of
one order of an account on one day are one sale: lots closed in it do not replace each other (section 8).  Quantities are in today's
shares throughout, so that shares compare across a split (section 8, split between sale and repurchase).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from libs.common.money import cents_half_even
from libs.common.schemas.account import PastSale
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.action_events import action_events
from services.wash_sale.core.household import PROVISIONAL, AccountFacts, Departure, HouseholdLedger, StartingLot
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.tax_events import Fill, GiftOut, LotIn, LotPart, PastLoss, Sale, TaxEvent


@dataclass
class GroupFacts:
    """`past_losses` are sales at a loss from before the ledger began; `trades` the standing ones.  Each with its account."""

    group: str
    starting: list[tuple[AccountFacts, StartingLot]] = field(default_factory=list)
    past_losses: list[PastSale] = field(default_factory=list)
    trades: list[tuple[AccountFacts, TradeBooked]] = field(default_factory=list)
    departures: list[tuple[AccountFacts, Departure]] = field(default_factory=list)


def traded_groups(ledger: HouseholdLedger, securities: SecurityFacts) -> set[str]:
    """The groups in which something was booked or left; in all others the starting lots stand as they came."""
    left = {gone.security_id for account in ledger.accounts.values() for gone in account.departures}
    return {securities.cluster(security_id) for security_id in ledger.trades.keys() | left} | reorganized_groups(ledger, securities)


def reorganized_groups(ledger: HouseholdLedger, securities: SecurityFacts) -> set[str]:
    """The groups in which an action may have changed or brought a lot."""
    if not securities.reorganizations:
        return set()
    held = {lot.security_id for account in ledger.accounts.values() for lot in account.starting.values()} | ledger.trades.keys()
    return {securities.cluster(action.security_id) for action in securities.reorganizations if action.security_id in held}


def group_facts(ledger: HouseholdLedger, securities: SecurityFacts, groups: Collection[str]) -> dict[str, GroupFacts]:
    """The facts of the given groups."""
    found = {group: GroupFacts(group) for group in sorted(groups)}
    if not found:
        return found
    for account in ledger.accounts.values():
        for lot in account.starting.values():
            if (group := securities.cluster(lot.security_id)) in found:
                found[group].starting.append((account, lot))
        for gone in account.departures:
            if (group := securities.cluster(gone.security_id)) in found:
                found[group].departures.append((account, gone))
    for sale in past_losses(ledger):
        if (group := securities.cluster(sale.security_id)) in found:
            found[group].past_losses.append(sale)
    for security_id in ledger.trades:
        if (group := securities.cluster(security_id)) in found:
            standing = ledger.standing_trades(security_id)
            found[group].trades += [(ledger.accounts[trade.account_id], trade) for trade in standing]
    return found


def past_losses(ledger: HouseholdLedger) -> list[PastSale]:
    """Every sale at a loss from before the ledger began, in any taxable account (one unknown here counts as taxable)."""
    sales = (sale for account in ledger.accounts.values() for sale in account.past_sales)
    return [sale for sale in sales if sale.gain < 0 and _taxable(ledger, sale.account_id)]


def _taxable(ledger: HouseholdLedger, account_id: str) -> bool:
    account = ledger.accounts.get(account_id)
    return account is None or account.taxable


Placed = tuple[tuple[date, int, str, int], TaxEvent]


def in_order(facts: GroupFacts, securities: SecurityFacts) -> list[TaxEvent]:
    """The group's events, first to last."""
    return [event for _, event in placed_events(facts, securities)]


def place_of_action(number: int, day: date) -> tuple[date, int, str, int]:
    """Before everything else of the day, in the order of the actions."""
    return (day, -1, "", number)


def placed_events(facts: GroupFacts, securities: SecurityFacts) -> list[Placed]:
    """The group's events, first to last, each with its place."""
    placed: list[Placed] = []
    if securities.reorganizations:
        accounts = {account.account_id: account for account, _ in (*facts.starting, *facts.trades)}.values()
        actions = action_events(facts.starting, accounts, securities, facts.group)
        placed += [(place_of_action(number, event.day), event) for number, event in actions]
    for account, told in facts.starting:
        lot = told.before(securities.basis_changes_on(told.security_id, told.counted_on)) if told.was else told
        day = lot.acquired or date.min
        layer = starting_layer(account, lot, securities)
        placed.append(((day, 0, account.account_id, 0), LotIn(lot.lot_id, day, layer, acquisition=lot.how == "purchase", settled=True)))
    for number, sale in enumerate(facts.past_losses):
        placed.append(((sale.trade_date, 0, sale.account_id, number), past_loss(sale, securities)))
    placed += _trade_events(facts.trades, securities)
    for number, (account, gone) in enumerate(facts.departures):
        placed.append(((gone.day, 2, account.account_id, number), _left(account, gone, securities)))
    return sorted(placed, key=lambda each: each[0])


def _trade_events(trades: Sequence[tuple[AccountFacts, TradeBooked]], securities: SecurityFacts) -> list[Placed]:
    placed: list[Placed] = []
    orders: dict[tuple[date, str, str], tuple[tuple[date, int, str, int], list[Fill]]] = {}
    for account, trade in sorted(trades, key=lambda at: (at[1].trade_date, at[1].account_id, at[1].trade_seq)):
        order = (trade.trade_date, 1, trade.account_id, trade.trade_seq)
        if trade.side == "buy":
            placed.append((order, LotIn(trade.trade_id, trade.trade_date, _bought_layer(account, trade, securities), acquisition=True)))
            continue
        name = (trade.trade_date, trade.account_id, trade.cl_ord_id)
        orders.setdefault(name, (order, []))[1].append(_fill(account, trade, securities))
    return placed + [(order, Sale(fills[0].event_id, order[0], tuple(fills))) for order, fills in orders.values()]


def _fill(account: AccountFacts, trade: TradeBooked, securities: SecurityFacts) -> Fill:
    """A booked sale, its lots by their present name and in today's shares."""
    factor = securities.split_factor(trade.security_id, trade.trade_date)
    lots = tuple(LotPart(account.lot_named(lot.lot_id), lot.quantity * factor) for lot in trade.lots)
    return Fill(trade.trade_id, trade.account_id, trade.security_id, None, cents_half_even(trade.amount), lots)


def _left(account: AccountFacts, gone: Departure, securities: SecurityFacts) -> GiftOut:
    """Shares that left, by the lot's present name and in today's shares; what they could still replace left with them."""
    quantity = gone.quantity * securities.split_factor(gone.security_id, gone.day)
    lots = (LotPart(account.lot_named(gone.lot_id), quantity),)
    name = f"left/{gone.lot_id}/{gone.day.isoformat()}"
    return GiftOut(name, gone.day, account.account_id, gone.security_id, quantity, lots, gone.value, gone.donee)


def starting_layer(account: AccountFacts, lot: StartingLot, securities: SecurityFacts) -> Layer:
    """A starting lot as it stands today if nothing happened to it here."""
    lot_id = account.lot_named(lot.lot_id)
    split = lot.security_id in securities.splits
    quantity = lot.quantity * securities.split_factor(lot.security_id, lot.counted_on) if split else lot.quantity
    purchase_id = f"{account.account_id}/lot/{lot_id}"
    return Layer(
        account.account_id,
        lot_id,
        purchase_id,
        lot.security_id,
        quantity,
        lot.cost,
        lot.acquired,
        lot.held_since or lot.acquired,
        how=lot.how,
        loss_cost=lot.loss_cost,
        loss_since=lot.loss_since,
    )


def _bought_layer(account: AccountFacts, trade: TradeBooked, securities: SecurityFacts) -> Layer:
    """A purchase: its cost is what was paid, fees included (section 4.1); the fills of one order are one purchase."""
    lot_id = account.lot_named(PROVISIONAL + trade.trade_id)
    quantity = trade.quantity * securities.split_factor(trade.security_id, trade.trade_date)
    purchase_id = f"{account.account_id}/order/{trade.cl_ord_id}"
    cost = cents_half_even(-trade.amount)
    return Layer(account.account_id, lot_id, purchase_id, trade.security_id, quantity, cost, trade.trade_date, trade.trade_date)


def past_loss(sale: PastSale, securities: SecurityFacts) -> PastLoss:
    """A loss from before the ledger began, in today's shares."""
    loss_id = f"past/{sale.account_id}/{sale.security_id}/{sale.trade_date.isoformat()}"
    quantity = sale.quantity * securities.split_factor(sale.security_id, sale.trade_date)
    return PastLoss(loss_id, sale.trade_date, sale.account_id, sale.security_id, quantity, -cents_half_even(sale.gain))
