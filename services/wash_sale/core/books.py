"""The books of the whole household, and what its accounts hold by them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.group_facts import group_facts, reorganized_groups, starting_layer, traded_groups
from services.wash_sale.core.household import PROVISIONAL, AccountFacts, HouseholdLedger
from services.wash_sale.core.lots import Layer, quantity_of
from services.wash_sale.core.new_names import with_new_names
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.replay import GroupBook, replay
from services.wash_sale.core.securities import SecurityFacts


@dataclass(frozen=True)
class Books:
    """`groups` are the replayed books of the groups with trades, `layers` what each account holds (a lot's in the order of its shares)."""

    groups: Mapping[str, GroupBook]
    layers: Mapping[str, Sequence[Layer]]


def books_of(ledger: HouseholdLedger, securities: SecurityFacts, account_ids: Collection[str]) -> Books | Refusal:
    """The books of every group, and what the given accounts hold.

    A refusal where the facts contradict each other (a split that came to be known after a sale, say).
    """
    ledger = with_new_names(ledger, securities)
    traded = traded_groups(ledger, securities)
    groups: dict[str, GroupBook] = {}
    held: dict[str, list[Layer]] = {account_id: [] for account_id in account_ids}
    for group, facts in group_facts(ledger, securities, traded).items():
        book = replay(facts, ledger.accounts, securities)
        if isinstance(book, Refusal):
            return book
        groups[group] = book
        for (account_id, _), layers in book.layers.items():
            if account_id in held:
                held[account_id] += layers
    for account_id, layers in held.items():
        account = ledger.accounts[account_id]
        busy = {name for name in {lot.security_id for lot in account.starting.values()} if securities.cluster(name) in traded}
        idle = (lot for lot in account.starting.values() if lot.security_id not in busy)
        layers += [starting_layer(account, lot, securities) for lot in idle]
    return Books(groups, held)


def group_book(ledger: HouseholdLedger, securities: SecurityFacts, group: str) -> GroupBook | Refusal:
    """One group's book."""
    ledger = with_new_names(ledger, securities)
    return replay(group_facts(ledger, securities, (group,))[group], ledger.accounts, securities)


class LotShares(Struct, frozen=True, gc=False):
    """How many shares of a lot are held."""

    security_id: str
    quantity: Decimal


def shares_held(ledger: HouseholdLedger, account: AccountFacts, securities: SecurityFacts) -> dict[str, LotShares]:
    """An account's shares by lot, straight from the facts: what came in less what went out (invariant 4: the books hold the same).

    Where an action may have changed lots, the books themselves say; not if the facts contradict each other.
    """
    ledger = with_new_names(ledger, securities)
    account = ledger.accounts[account.account_id]
    held: dict[str, LotShares] = {}
    by_books: dict[str, GroupBook] = {}
    for group in reorganized_groups(ledger, securities):
        book = group_book(ledger, securities, group)
        if isinstance(book, GroupBook):
            by_books[group] = book

    def add(lot_id: str, security_id: str, quantity: Decimal, counted_on: date) -> None:
        name = account.lot_named(lot_id)
        if by_books and securities.cluster(security_id) in by_books:
            held.setdefault(name, LotShares(security_id, ZERO))
            return
        shares = quantity * securities.split_factor(security_id, counted_on) if security_id in securities.splits else quantity
        held[name] = LotShares(security_id, held[name].quantity + shares if name in held else shares)

    for lot in account.starting.values():
        add(lot.lot_id, lot.security_id, lot.quantity, lot.counted_on)
    for gone in account.departures:
        add(gone.lot_id, gone.security_id, -gone.quantity, gone.day)
    for security_id in ledger.trades:
        for trade in ledger.standing_trades(security_id):
            if trade.account_id != account.account_id:
                continue
            if trade.side == "buy":
                add(PROVISIONAL + trade.trade_id, security_id, trade.quantity, trade.trade_date)
            for sold in trade.lots if trade.side == "sell" else ():
                add(sold.lot_id, security_id, -sold.quantity, trade.trade_date)
    for book in by_books.values():
        for (account_id, lot_id), layers in book.layers.items():
            if account_id == account.account_id and layers:
                held[lot_id] = LotShares(layers[0].security_id, quantity_of(layers))
    return held


def held_by_lot(layers: Collection[Layer]) -> dict[str, Decimal]:
    """Shares by lot id."""
    held: dict[str, Decimal] = {}
    for layer in layers:
        lot_id = layer.lot_id
        held[lot_id] = held[lot_id] + layer.quantity if lot_id in held else layer.quantity
    return held


def expected_by_lot(ledger: HouseholdLedger, account: AccountFacts) -> dict[str, Decimal]:
    """What the account's last compared version says is held, by lot, moved on by the trades that came here since."""
    expected = dict(account.reported) if not account.aliases else _by_present_name(account)
    if account.trade_seq == account.reported_seq:
        return expected
    booked = [trade for trades in ledger.trades.values() for trade in trades if trade.account_id == account.account_id]
    by_id = {trade.trade_id: trade for trade in booked}
    for trade in booked:
        if trade.trade_seq <= account.reported_seq:
            continue
        sign = -1 if trade.kind == "bust" else 1
        moved = by_id[trade.ref_trade_id or ""] if trade.kind == "bust" else trade
        if moved.side == "buy":
            name = account.lot_named(PROVISIONAL + moved.trade_id)
            expected[name] = expected.get(name, ZERO) + sign * moved.quantity
        for lot in moved.lots if moved.side == "sell" else ():
            name = account.lot_named(lot.lot_id)
            expected[name] = expected.get(name, ZERO) - sign * lot.quantity
    return expected


def _by_present_name(account: AccountFacts) -> dict[str, Decimal]:
    reported: dict[str, Decimal] = {}
    for lot_id, quantity in account.reported.items():
        name = account.lot_named(lot_id)
        reported[name] = reported.get(name, ZERO) + quantity
    return reported


def in_another_security(account: AccountFacts, layers: Iterable[Layer], securities: SecurityFacts) -> set[str]:
    """Lots that the account's last version shows as another security than the ledger does, and those of a security that has ended."""
    reported, ours, ended = account.reported_basis, account.provisional, securities.ended
    found = set()
    for layer in layers:
        lot = reported.get(layer.lot_id)
        shown = lot.security_id if lot is not None else ours.get(layer.lot_id, layer.security_id) if ours else layer.security_id
        if shown != layer.security_id or (ended and layer.security_id in ended):
            found.add(layer.lot_id)
    return found


def disagreements(held: Mapping[str, Decimal], expected: Mapping[str, Decimal]) -> list[str]:
    """The lots whose quantity differs, by id."""
    if held == expected:
        return []
    return sorted(lot_id for lot_id in held.keys() | expected.keys() if held.get(lot_id, ZERO) != expected.get(lot_id, ZERO))
