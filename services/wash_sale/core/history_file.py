"""A household's history in the shape of the cases file (section 11 of the rules) to its books, and the books in the same shape."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.history_accounts import read_accounts
from services.wash_sale.core.history_events import is_outside, name_of, read_event
from services.wash_sale.core.history_fields import BadField, BadHistory, Fields
from services.wash_sale.core.identity import IdentityEntry, IdentityTable
from services.wash_sale.core.lot_methods import FUND_LIKE
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.matching import Wash
from services.wash_sale.core.order_of_events import Dated, Step, in_order, steps
from services.wash_sale.core.policy import DEFAULT_POLICY, Policy
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.sale_rows import Gift, SaleRow
from services.wash_sale.core.tax_events import CashMerger, LotIn, ReturnOfCapital, Sale, Split, TaxAccount, TaxEvent

FORGET_EVERY = 100
"""Events after which what was booked won't be taken back; a refused event is, whatever was forgotten before it."""
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class History:
    """What a file says of one household, in the order of time."""

    history_id: str
    accounts: Mapping[str, TaxAccount]
    identity: IdentityTable
    policy: Policy
    events: Sequence[Dated]
    as_of: date | None = None


@dataclass(frozen=True)
class HistoryBooks:
    """What follows from a history; `book` for whatever else is asked of it."""

    history_id: str
    accounts: Mapping[str, TaxAccount]
    rows: Sequence[SaleRow]
    layers: Sequence[Layer]
    washes: Sequence[Wash]
    gifts: Sequence[Gift]
    book: Book
    as_of: date | None = None


def books_of_history(raw: object, number: int = 0) -> HistoryBooks | BadHistory:
    """The books of one history of a file, or the first thing that is wrong with it."""
    history = read_history(raw, number)
    return history if isinstance(history, BadHistory) else replay_history(history)


def read_history(raw: object, number: int = 0) -> History | BadHistory:
    """Read one history; `number` names it where it has no id."""
    history_id = str(raw.get("id", number)) if isinstance(raw, Mapping) else str(number)
    try:
        fields = Fields(raw, "history")
        accounts = read_accounts(fields.raw.get("accounts"))
        identity, policy = _identity(fields), _policy(fields)
        return History(history_id, accounts, identity, policy, in_order(_events(fields, accounts)), fields.day_or_none("as_of"))
    except BadField as error:
        return BadHistory(history_id, error.code, error.event, error.field, error.detail)


def _events(fields: Fields, accounts: Mapping[str, TaxAccount]) -> list[Dated]:
    method = fields.choice("lot_method", ("fifo", "specific_id", "average", "lifo", "hifo"), "fifo")
    transactions = fields.raw.get("transactions")
    if not isinstance(transactions, list):
        raise fields.bad(RefusalCode.MISSING, "transactions", "a list of transactions is needed")
    found: list[Dated] = []
    names, kinds = _Names(transactions), {security_id: _security(fields, security_id).get("type") for security_id in _securities(fields)}
    for number, raw in enumerate(transactions):
        each = Fields(raw, name_of(raw, number))
        event = read_event(each, method, names.of_event(each, number))
        _check(each, event, kinds, accounts)
        names.only_once(each, event)
        found.append(Dated(event, _seq(each), each.event))
    return _splits_once(found)


class _Names:
    """What a history's lots and sales are called: each name once, for rows and later events tell them apart by it alone."""

    def __init__(self, transactions: Iterable[object]) -> None:
        self._lots: set[tuple[str, str, str]] = set()
        self._sales: set[str] = set()
        self._taken = {str(raw["sale_id"]) for raw in transactions if isinstance(raw, Mapping) and raw.get("sale_id") is not None}

    def of_event(self, each: Fields, number: int) -> str:
        """An event's name where it has no `sale_id`: its `event_id`, its `seq`, or its place in the list."""
        name = each.raw.get("event_id")
        if name is None:
            name = each.raw.get("seq")
        name = str(number + 1 if name is None else name)
        if name in self._taken:
            name = f"{name}#{number + 1}"
        self._taken.add(name)
        return name

    def only_once(self, each: Fields, event: TaxEvent) -> None:
        """Refuse a lot or a sale whose name another one has."""
        if isinstance(event, LotIn):
            lot = (event.layer.account_id, event.layer.security_id, event.layer.lot_id)
            if lot in self._lots:
                raise each.bad(RefusalCode.DUPLICATE_LOT, "lot_id", f"{event.layer.lot_id} has come in before")
            self._lots.add(lot)
        if isinstance(event, Sale | CashMerger | ReturnOfCapital) and each.has("sale_id"):
            if event.event_id in self._sales:
                raise each.bad(RefusalCode.DUPLICATE_SALE, "sale_id", f"another sale is called {event.event_id}")
            self._sales.add(event.event_id)


def _seq(fields: Fields) -> int | None:
    seq = fields.raw.get("seq")
    if isinstance(seq, str) and _WHOLE_NUMBER.fullmatch(seq):
        return int(seq)
    if seq is not None and (not isinstance(seq, int) or isinstance(seq, bool)):
        raise fields.bad(RefusalCode.NOT_READABLE, "seq", f"{seq!r} is not a whole number")
    return seq


def _check(each: Fields, event: TaxEvent, kinds: Mapping[str, Any], accounts: Mapping[str, TaxAccount]) -> None:
    for field in ("account", "from_account", "to_account"):
        if each.has(field) and each.text(field) not in accounts:
            raise each.bad(RefusalCode.UNKNOWN_ACCOUNT, field, f"{each.text(field)} is not among the accounts")
    kind = kinds.get(str(each.raw.get("security"))) if kinds else None
    if isinstance(kind, str) and is_outside(kind):
        raise each.bad(RefusalCode.OUTSIDE_THE_PLATFORM, "security", f"{each.raw['security']} is of the type {kind!r}")
    averaged = isinstance(event, Sale) and event.fills[0].method == "average"
    if averaged and kind is not None and kind not in FUND_LIKE:
        raise each.bad(RefusalCode.AVERAGE_NOT_ALLOWED, "lot_method", f"average basis is for funds and reinvestment plans, not {kind}")


def _securities(history: Fields) -> Mapping[str, Any]:
    securities = history.raw.get("securities") or {}
    if not isinstance(securities, Mapping):
        raise history.bad(RefusalCode.NOT_READABLE, "securities", "an object of securities by name is wanted")
    return securities


def _security(history: Fields, security_id: str) -> Mapping[str, Any]:
    securities = history.raw.get("securities")
    found = securities.get(security_id) if isinstance(securities, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _splits_once(events: Sequence[Dated]) -> list[Dated]:
    """A split is the security's: listed once, under whichever account, it reaches every account; listed account by account, each once."""
    listed: dict[tuple[date, str], int] = {}
    for dated in events:
        if isinstance(dated.event, Split):
            key = (dated.event.day, dated.event.security_id)
            listed[key] = listed.get(key, 0) + 1
    return [
        replace(dated, event=replace(dated.event, account_id=None))
        if isinstance(dated.event, Split) and listed[dated.event.day, dated.event.security_id] == 1
        else dated
        for dated in events
    ]


def _identity(fields: Fields) -> IdentityTable:
    """`identity_groups`: [{"group", "securities", "since"?}]; by default the share classes of one issuer (`securities`: id -> issuer)."""
    entries: list[IdentityEntry] = []
    for security_id in _securities(fields):
        issuer = _security(fields, security_id).get("issuer")
        if issuer is not None:
            entries.append(IdentityEntry(security_id, f"issuer/{issuer}"))
    groups = fields.raw.get("identity_groups") or []
    if not isinstance(groups, list):
        raise fields.bad(RefusalCode.NOT_READABLE, "identity_groups", "a list of groups is wanted")
    for number, raw in enumerate(groups):
        each = Fields(raw, f"identity_groups[{number}]")
        since = each.day_or_none("since") or date.min
        members = each.raw.get("securities")
        if not isinstance(members, list):
            raise each.bad(RefusalCode.MISSING, "securities", "a list of securities is needed")
        entries += [IdentityEntry(str(member), each.text("group"), since) for member in members]
    return IdentityTable(entries)


def _policy(fields: Fields) -> Policy:
    try:
        return msgspec.convert(fields.raw.get("policy") or {}, Policy) if fields.has("policy") else DEFAULT_POLICY
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise fields.bad(RefusalCode.NOT_READABLE, "policy", str(error)) from None


def replay_history(history: History) -> HistoryBooks | BadHistory:
    """Book the events one after the other; the first that can't be booked refuses the whole history."""
    book = Book(history.accounts, history.identity, history.policy)
    for step in steps(history.events):
        if refusal := book_event(book, step.event):
            return _refused(history, step, refusal)
        if step.end % FORGET_EVERY == 0:
            book.undo.forget(book.undo.mark())
    layers = sorted(book.layers(), key=lambda layer: (layer.account_id, layer.security_id, layer.acquired or date.min, layer.lot_id))
    return HistoryBooks(history.history_id, history.accounts, book.rows, layers, book.washes, book.gifts, book, history.as_of)


def _refused(history: History, step: Step, refusal: Refusal) -> BadHistory:
    code = explained_code(refusal, [dated.event for dated in history.events[step.end :]])
    return BadHistory(history.history_id, code, step.name, refusal.field or "", replace(refusal, code=code).text())


def explained_code(refusal: Refusal, later: Iterable[TaxEvent]) -> RefusalCode:
    """A lot that is not there yet but comes in later was sold before its purchase."""
    bought = [event for event in later if isinstance(event, LotIn)]
    if refusal.code is RefusalCode.UNKNOWN_LOT and any(event.layer.lot_id == refusal.lot_id for event in bought):
        return RefusalCode.SALE_BEFORE_PURCHASE
    if refusal.code is RefusalCode.OVERSOLD_POSITION and refusal.limit == ZERO and any(event.acquisition for event in bought):
        return RefusalCode.SALE_BEFORE_PURCHASE
    return refusal.code
