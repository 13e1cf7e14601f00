"""Accounts and trades come on two topics without an order between them: whatever the interleaving, the ledger ends up the same.

The versions are those of an account book that takes our trades and the custodian's files: it may skip versions, its files give our lots
the custodian's ids, and a file may hold a fill before the book knows the trade.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.money import cents_half_even
from libs.common.schemas.account import AccountChanged, Lot
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.books import books_of
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.histories import SECURITIES, History, histories
from tests.unit.wash_sale.samples import applied, columns, day

Event = AccountChanged | TradeBooked


class Book:
    """One account as ingest would tell it."""

    def __init__(self, first: AccountChanged) -> None:
        self.said = first
        self.lots = {lot.lot_id: lot for lot in first.lots.rows()}
        self.aliases: dict[str, str] = {}

    def take(self, trade: TradeBooked, under: str | None = None) -> None:
        """The trade's effect; `under` is the custodian's id of what was bought."""
        if trade.side == "buy":
            lot_id = under or f"P-{trade.trade_id}"
            cost = cents_half_even(-trade.amount)
            self.lots[lot_id] = Lot(lot_id, trade.security_id, trade.quantity, cost, trade.trade_date, under is None)
        for sold in trade.lots:
            lot_id = self.aliases.get(sold.lot_id, sold.lot_id)
            lot = self.lots.pop(lot_id)
            kept = lot.quantity - sold.quantity
            cost = None if lot.cost_basis is None else cents_half_even(lot.cost_basis * kept / lot.quantity)
            if kept:
                self.lots[lot_id] = replace(lot, quantity=kept, cost_basis=cost)

    def rename(self) -> None:
        """A file brings the custodian's ids of what we bought."""
        for lot_id in [lot_id for lot_id in self.lots if lot_id.startswith("P-")]:
            self.aliases[lot_id] = f"C{lot_id[1:]}"
            self.lots[self.aliases[lot_id]] = replace(self.lots.pop(lot_id), lot_id=self.aliases[lot_id], provisional=False)

    def version(self, trade_seq: int, days: int) -> AccountChanged:
        """The next version, on a snapshot some days newer."""
        self.said = replace(
            self.said,
            version=self.said.version + 1,
            trade_seq=trade_seq,
            business_date=self.said.business_date + timedelta(days=days),
            lots=columns(self.lots.values()),
            aliases=dict(self.aliases),
        )
        return self.said


def told(history: History, data: st.DataObject) -> list[Event]:
    """First versions and trades with the versions that a book would publish between them; the last one of each account holds everything."""
    books = {first.account_id: Book(first) for first in history.accounts}
    events: list[Event] = [*history.accounts]
    for trade in history.trades:
        book = books[trade.account_id]
        match data.draw(st.sampled_from(("said", "skipped", "file after", "file before"))):
            case "file before":
                book.take(trade, under=f"C-{trade.trade_id}")
                events.append(book.version(trade.trade_seq - 1, 1))
                if trade.side == "buy":
                    book.aliases[f"P-{trade.trade_id}"] = f"C-{trade.trade_id}"
                events += [trade, book.version(trade.trade_seq, 0)]
            case "file after":
                book.take(trade)
                book.rename()
                events += [trade, book.version(trade.trade_seq, 1)]
            case how:
                book.take(trade)
                events += [trade, *([book.version(trade.trade_seq, 0)] if how == "said" else [])]
    lasts = {trade.account_id: trade.trade_seq for trade in history.trades}
    for account_id, book in books.items():
        book.rename()
        events.append(book.version(lasts.get(account_id, 0), 1))
    return events


def interleaved(events: Sequence[Event], data: st.DataObject) -> list[Event]:
    """The events in another order, which keeps that of each topic."""
    accounts = [event for event in events if isinstance(event, AccountChanged)]
    trades = [event for event in events if isinstance(event, TradeBooked)]
    turns = data.draw(st.permutations([True] * len(accounts) + [False] * len(trades)))
    return [accounts.pop(0) if turn else trades.pop(0) for turn in turns]


@settings(max_examples=60)
@given(histories(), st.data())
def test_any_interleaving_of_versions_and_trades_ends_alike(history: History, data: st.DataObject) -> None:
    events = told(history, data)
    ledger = applied(interleaved(events, data), SECURITIES)
    content = ledger_content(ledger, SECURITIES, day(40))
    assert not isinstance(content, Refusal), content.text()
    assert [each.disagreements for each in content.accounts] == [[], [], []]
    assert ledger.waiting == {} and not any(each.pending for each in ledger.accounts.values())
    books, alone = layers_of(ledger), layers_of(applied(history.events, SECURITIES))
    assert books == alone


def layers_of(ledger: HouseholdLedger) -> Counter[tuple[object, ...]]:
    """What is held, whatever the lots are called."""
    books = books_of(ledger, SECURITIES, ledger.accounts)
    assert not isinstance(books, Refusal), books.text()
    return Counter(
        (layer.account_id, layer.security_id, layer.acquired, layer.quantity, layer.basis, layer.held_since)
        for layers in books.layers.values()
        for layer in layers
    )
