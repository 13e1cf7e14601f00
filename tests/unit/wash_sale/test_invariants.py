"""The invariants at the top of services/wash_sale/core, each as a property of random histories."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.money import ZERO, plain
from libs.common.schemas.account import PastSale
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.books import Books, books_of
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.matching import Wash
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.replay import SaleRow
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.transitions import apply_trade
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.histories import ACCOUNTS, GROUPS, SECURITIES, History, histories
from tests.unit.wash_sale.samples import applied, bust, day, facts, sell, split

D = Decimal
AS_OF = day(40)
examples = settings(max_examples=30, deadline=None)


def books(ledger: HouseholdLedger, securities: SecurityFacts = SECURITIES) -> Books:
    found = books_of(ledger, securities, ledger.accounts)
    assert not isinstance(found, Refusal), found.text()
    return found


def booked(history: History) -> Books:
    return books(applied(history.events, SECURITIES))


def rows_of(found: Books) -> list[SaleRow]:
    return [row for book in found.groups.values() for row in book.rows]


def washes_of(found: Books) -> list[Wash]:
    return [wash for book in found.groups.values() for wash in book.washes]


def layers_of(found: Books) -> list[Layer]:
    return [layer for account_id in ACCOUNTS for layer in found.layers[account_id]]


def content(ledger: HouseholdLedger, securities: SecurityFacts = SECURITIES) -> LedgerUpdated:
    found = ledger_content(ledger, securities, AS_OF)
    assert not isinstance(found, Refusal), found.text()
    return found


def totals(pairs: Iterable[tuple[object, Decimal]]) -> dict[object, Decimal]:
    found: dict[object, Decimal] = defaultdict(lambda: ZERO)
    for key, amount in pairs:
        found[key] += amount
    return {key: amount for key, amount in found.items() if amount}


def invariant_1_allowed_is_raw_plus_disallowed(history: History, found: Books) -> None:
    for row in rows_of(found):
        if row.raw_gain is None:
            assert row.disallowed == 0 and row.allowed_gain is None
            assert row.basis is None or ACCOUNTS[row.account_id][0] != "taxable"
        else:
            assert row.allowed_gain == row.raw_gain + row.disallowed
            assert 0 <= row.permanently_disallowed <= row.disallowed <= max(ZERO, -row.raw_gain)
            assert row.raw_gain == row.proceeds - (row.basis or ZERO)


def invariant_2_a_replacement_is_near_and_another_purchase(history: History, found: Books) -> None:
    orders = {(t.account_id, f"P-{t.trade_id}"): t.cl_ord_id for t in history.trades}
    for wash in washes_of(found):
        assert abs(wash.loss_date - wash.replacement_date) <= timedelta(days=30)
        if not wash.past_sale and wash.loss_account_id == wash.replacement_account_id:
            loss, replacement = (
                orders.get((wash.loss_account_id, lot_id), lot_id) for lot_id in (wash.loss_lot_id, wash.replacement_lot_id)
            )
            assert loss != replacement


def invariant_3_a_share_replaces_once_and_is_replaced_once(history: History, found: Books) -> None:
    bought = {(t.account_id, f"P-{t.trade_id}"): t.quantity for t in history.trades if t.side == "buy"}
    brought = {(a.account_id, each.lot_id): each.quantity for a in history.accounts for each in a.lots.rows()}
    came_in = bought | brought
    for key, quantity in totals(((w.replacement_account_id, w.replacement_lot_id), w.quantity) for w in washes_of(found)).items():
        assert quantity <= came_in[key]  # type: ignore[index]
    sold = totals(((r.trade_id, r.lot_id), r.quantity) for r in rows_of(found))
    for key, quantity in totals(((w.loss_id, w.loss_lot_id), w.quantity) for w in washes_of(found) if not w.past_sale).items():
        assert quantity <= sold[key]


def invariant_4_shares_are_conserved_lot_by_lot(history: History, found: Books) -> None:
    came = [((a.account_id, each.lot_id), each.quantity) for a in history.accounts for each in a.lots.rows()]
    came += [((t.account_id, f"P-{t.trade_id}"), t.quantity) for t in history.trades if t.side == "buy"]
    went = [((t.account_id, each.lot_id), -each.quantity) for t in history.trades for each in t.lots]
    assert totals([*came, *went]) == totals(((layer.account_id, layer.lot_id), layer.quantity) for layer in layers_of(found))


def invariant_5_dollars_are_conserved(history: History, found: Books) -> None:
    unknown = {(a.account_id, each.lot_id) for a in history.accounts for each in a.lots.rows() if each.cost_basis is None}
    came = sum((each.cost_basis or ZERO for a in history.accounts for each in a.lots.rows()), ZERO)
    came -= sum((t.amount for t in history.trades if t.side == "buy"), ZERO)
    deferred = [w for w in washes_of(found) if not w.permanent and (w.replacement_account_id, w.replacement_lot_id) not in unknown]
    held = sum((layer.basis or ZERO for layer in layers_of(found)), ZERO)
    sold = sum((row.basis or ZERO for row in rows_of(found)), ZERO)
    assert held + sold == came + sum((w.disallowed for w in deferred), ZERO)
    assert totals((w.loss_id, w.disallowed) for w in washes_of(found) if not w.past_sale) == totals(
        (r.trade_id, r.disallowed) for r in rows_of(found)
    )


def invariant_6_a_retirement_account_keeps_its_cost_and_the_loss_is_gone(history: History, found: Books) -> None:
    retired = {account_id for account_id, (kind, _) in ACCOUNTS.items() if kind != "taxable"}
    assert all(
        layer.wash_adjustment == 0 and layer.held_since == layer.acquired for layer in layers_of(found) if layer.account_id in retired
    )
    assert all(wash.permanent == (wash.replacement_account_id in retired) for wash in washes_of(found))
    assert not any(wash.loss_account_id in retired for wash in washes_of(found))


@examples
@given(histories(), st.data())
def test_7_the_books_do_not_depend_on_how_the_facts_came(history: History, data: st.DataObject) -> None:
    repeated = data.draw(st.lists(st.sampled_from(history.events), max_size=5))
    shuffled = data.draw(st.permutations([*history.events, *repeated]))
    assert content(applied(shuffled, SECURITIES)) == content(applied(history.events, SECURITIES))


@examples
@given(histories(), st.data())
def test_7_a_trade_and_its_bust_give_the_books_of_neither(history: History, data: st.DataObject) -> None:
    if not history.trades:
        return
    before = applied(history.events[:-1], SECURITIES)
    last = history.trades[-1]
    after = applied([last, bust("b", last.trade_seq + 1, last)], SECURITIES, before)
    assert without_sequences(content(after)) == without_sequences(content(before))


def without_sequences(ledger: LedgerUpdated) -> LedgerUpdated:
    return replace(ledger, accounts=[replace(each, trade_seq=0) for each in ledger.accounts])


@examples
@given(histories(past=True, securities=("XA",)), st.sampled_from(("2", "1.5", "0.25", "3")), st.integers(1, 60))
def test_8_a_split_changes_quantities_and_no_dollars(history: History, ratio: str, on: int) -> None:
    ex_date = day(on)
    later = History(history.accounts, [_in_new_shares(t, D(ratio)) if t.trade_date >= ex_date else t for t in history.trades])
    with_split = facts({}, split("XA", ex_date, ratio))
    plain_books, split_books = booked(history), books(applied(later.events, with_split), with_split)

    def dollars(found: Books) -> list[tuple[object, ...]]:
        return [(r.trade_id, r.lot_id, r.proceeds, r.basis, r.raw_gain, r.disallowed, r.term, r.held_since) for r in rows_of(found)]

    assert dollars(split_books) == dollars(plain_books)
    assert [(each.lot_id, each.basis, each.held_since) for each in layers_of(split_books)] == [
        (each.lot_id, each.basis, each.held_since) for each in layers_of(plain_books)
    ]
    assert [each.quantity for each in layers_of(split_books)] == [each.quantity * D(ratio) for each in layers_of(plain_books)]


def _in_new_shares(trade: TradeBooked, ratio: Decimal) -> TradeBooked:
    return replace(trade, quantity=trade.quantity * ratio, lots=[replace(each, quantity=each.quantity * ratio) for each in trade.lots])


def invariant_9_a_holding_period_is_only_lengthened(history: History, found: Books) -> None:
    for layer in layers_of(found):
        assert layer.held_since is None or (layer.acquired is not None and layer.held_since <= layer.acquired)


@examples
@given(histories(), st.data())
def test_10_a_refusal_changes_nothing(history: History, data: st.DataObject) -> None:
    ledger = applied(history.events, SECURITIES)
    layers = layers_of(books(ledger))
    if not layers:
        return
    layer = data.draw(st.sampled_from(layers))
    too_many = plain(sum(each.quantity for each in layers if each.lot_id == layer.lot_id) + D("0.000001"))
    sequence = ledger.accounts[layer.account_id].trade_seq + 1
    before = msgspec.json.encode(ledger)
    outcome = apply_trade(
        ledger,
        sell("over", sequence, day(600), "1", {layer.lot_id: too_many}, account_id=layer.account_id, security_id=layer.security_id),
        SECURITIES,
    )
    assert isinstance(outcome, Refusal) and outcome.code is RefusalCode.OVERSOLD_LOT
    assert msgspec.json.encode(ledger) == before


OF_THE_BOOKS = (
    invariant_1_allowed_is_raw_plus_disallowed,
    invariant_2_a_replacement_is_near_and_another_purchase,
    invariant_3_a_share_replaces_once_and_is_replaced_once,
    invariant_4_shares_are_conserved_lot_by_lot,
    invariant_5_dollars_are_conserved,
    invariant_6_a_retirement_account_keeps_its_cost_and_the_loss_is_gone,
    invariant_9_a_holding_period_is_only_lengthened,
)


@settings(max_examples=70, deadline=None)
@given(histories())
def test_invariants_of_the_books(history: History) -> None:
    found = booked(history)
    for invariant in OF_THE_BOOKS:
        invariant(history, found)


@examples
@given(histories(whole=True))
def test_matching_is_that_of_single_shares(history: History) -> None:
    """The share-by-share reading of sections 1.4 to 1.8, written out naively."""
    found = Counter[tuple[str, str, str, str]]()
    for wash in washes_of(booked(history)):
        found[wash.loss_id, wash.loss_lot_id, wash.replacement_account_id, wash.replacement_lot_id] += int(wash.quantity)
    assert found == share_by_share(history, rows_of(booked(history)))


@dataclass
class Share:
    """One share: when and in which purchase it was bought; `used` once it has replaced another."""

    account_id: str
    lot_id: str
    acquired: date | None
    purchase: str
    used: bool = False


@dataclass
class LostShare:
    """A share sold at a loss that nothing has replaced yet."""

    key: tuple[str, str]
    sold: date
    purchase: str
    past: bool


def share_by_share(history: History, rows: list[SaleRow]) -> Counter[tuple[str, str, str, str]]:
    """Washes by (loss, loss lot, replacement account, replacement lot).  Which sold shares are losses is taken from the rows."""
    assume(all(-row.raw_gain * 100 >= row.quantity for row in rows if row.raw_gain is not None and row.raw_gain < 0))
    assume(all(-sale.gain * 100 >= sale.quantity for each in history.accounts for sale in each.past_sales if sale.gain < 0))
    found = Counter[tuple[str, str, str, str]]()
    for group in ("X", "Y"):
        found += _simulate(history, rows, group)
    return found


def _simulate(history: History, rows: list[SaleRow], group: str) -> Counter[tuple[str, str, str, str]]:
    found = Counter[tuple[str, str, str, str]]()
    held: list[Share] = []
    lost: list[LostShare] = []

    def wash(one: LostShare, share: Share) -> bool:
        near = share.acquired is not None and abs((share.acquired - one.sold).days) <= 30
        if not near or share.used or share.purchase == one.purchase:
            return False
        share.used = True
        found[*one.key, share.account_id, share.lot_id] += 1
        return True

    for event in _in_order(history, group):
        if isinstance(event, PastSale):
            key = (f"past/{event.account_id}/{event.security_id}/{event.trade_date}", "")
            lost += [LostShare(key, event.trade_date, "", past=True)] * int(event.quantity)
        elif isinstance(event, list):
            new: list[tuple[date, LostShare]] = []
            for trade in event:
                for sold in trade.lots:
                    flags = [
                        r.raw_gain is not None and r.raw_gain < 0
                        for r in rows_named(rows, trade, sold.lot_id)
                        for _ in range(int(r.quantity))
                    ]
                    leaving = [s for s in held if (s.account_id, s.lot_id) == (trade.account_id, sold.lot_id)][: len(flags)]
                    held = [s for s in held if not any(s is gone for gone in leaving)]
                    key = (trade.trade_id, sold.lot_id)
                    new += [
                        (s.acquired or date.min, LostShare(key, trade.trade_date, s.purchase, past=False))
                        for s, flag in zip(leaving, flags, strict=True)
                        if flag
                    ]
            for _, one in sorted(new, key=lambda dated: dated[0]):
                in_order = sorted((s for s in held if s.acquired is not None), key=lambda s: s.acquired or date.min)
                if not any(wash(one, share) for share in in_order):
                    lost.append(one)
        else:
            shares, booked_here = event
            held += shares
            for share in shares:
                washed = next((one for one in lost if (booked_here or not one.past) and wash(one, share)), None)
                if washed is not None:
                    lost.remove(washed)
    return found


def rows_named(rows: list[SaleRow], trade: TradeBooked, lot_id: str) -> list[SaleRow]:
    return [row for row in rows if (row.trade_id, row.lot_id) == (trade.trade_id, lot_id)]


def _in_order(history: History, group: str) -> list[PastSale | list[TradeBooked] | tuple[list[Share], bool]]:
    events: list[tuple[tuple[date, int, str, int], PastSale | list[TradeBooked] | tuple[list[Share], bool]]] = []
    for each in history.accounts:
        for number, sale in enumerate(each.past_sales):
            if GROUPS[sale.security_id] == group and sale.gain < 0:
                events.append(((sale.trade_date, 0, each.account_id, number), sale))
        for one in each.lots.rows():
            if GROUPS[one.security_id] == group:
                shares = [
                    Share(each.account_id, one.lot_id, one.acquired, f"{each.account_id}{one.lot_id}") for _ in range(int(one.quantity))
                ]
                events.append(((one.acquired or date.min, 0, each.account_id, 0), (shares, False)))
    orders: dict[tuple[date, str], list[TradeBooked]] = {}
    for trade in (t for t in history.trades if GROUPS[t.security_id] == group):
        place = (trade.trade_date, 1, trade.account_id, trade.trade_seq)
        if trade.side == "buy":
            purchase = trade.account_id + trade.cl_ord_id
            lot_id = f"P-{trade.trade_id}"
            events.append(
                (place, ([Share(trade.account_id, lot_id, trade.trade_date, purchase) for _ in range(int(trade.quantity))], True))
            )
        elif (trade.trade_date, trade.cl_ord_id) in orders:
            orders[trade.trade_date, trade.cl_ord_id].append(trade)
        else:
            orders[trade.trade_date, trade.cl_ord_id] = [trade]
            events.append((place, orders[trade.trade_date, trade.cl_ord_id]))
    return [event for _, event in sorted(events, key=lambda placed: placed[0])]
