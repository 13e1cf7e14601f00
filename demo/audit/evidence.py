"""Everything that out/demo says, read once, each line checked against its file's schema, and indexed for the rules."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from demo.audit.layout import FILES, SUMMARY, CustodyChanged, OrderRefused, Summary
from demo.audit.schema_check import Check, compile_schema, line_checks
from demo.audit.tally import NO_ORDER, Tally
from libs.common.money import ZERO
from libs.common.schemas.account import AccountChanged, Lot
from libs.common.schemas.ledger import LedgerUpdated, TaxLot
from libs.common.schemas.market import MarketPublished, RunAccount, RunOpened
from libs.common.schemas.order import ExecutionReported, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated, Verdict

Line = TypeVar("Line", bound=Struct)


class Book:
    """One account at one version, with its lots by id and its position by security."""

    def __init__(self, state: AccountChanged) -> None:
        self.state = state

    @cached_property
    def lots(self) -> dict[str, Lot]:
        return {lot.lot_id: lot for lot in self.state.lots.rows()}

    @cached_property
    def positions(self) -> dict[str, Decimal]:
        held: dict[str, Decimal] = defaultdict(Decimal)
        for lot in self.lots.values():
            held[lot.security_id] += lot.quantity
        return dict(held)

    @property
    def cash(self) -> Decimal:
        return self.state.cash_settled + self.state.cash_unsettled


class Prices:
    """One market snapshot by security: price, identity group, block and half spread."""

    def __init__(self, market: MarketPublished) -> None:
        columns = market.securities
        self.price = {s: None if p is None else Decimal(p) for s, p in zip(columns.security_id, columns.price, strict=True)}
        self.group = dict(zip(columns.security_id, columns.identity_group, strict=True))
        self.blocked = dict(zip(columns.security_id, columns.blocked, strict=True))
        self.half_spread_bps = {s: Decimal(repr(x)) for s, x in zip(columns.security_id, columns.half_spread_bps, strict=True)}


class Ledger:
    """One household's ledger at one version: layers of a lot by account and lot id."""

    def __init__(self, state: LedgerUpdated) -> None:
        self.state = state
        self.accounts = {account.account_id: account for account in state.accounts}
        self._layers: dict[tuple[str, int], dict[str, list[TaxLot]]] = {}

    def layers(self, book: Book) -> dict[str, list[TaxLot]]:
        """The layers of each lot of an account, under the book's ids: a provisional lot may be the custodian's by now."""
        key = (book.state.account_id, book.state.version)
        if key not in self._layers:
            layers: dict[str, list[TaxLot]] = defaultdict(list)
            account = self.accounts.get(book.state.account_id)
            for lot in account.lots.rows() if account is not None else ():
                layers[book.state.aliases.get(lot.lot_id, lot.lot_id)].append(lot)
            self._layers[key] = dict(layers)
        return self._layers[key]


@dataclass
class Evidence:
    """The files, indexed.  Lists keep the order of their file."""

    books: dict[tuple[str, int], Book] = field(default_factory=dict)
    before: dict[str, Book] = field(default_factory=dict)
    after: dict[str, Book] = field(default_factory=dict)
    verdicts: dict[tuple[str, int], dict[str, Verdict]] = field(default_factory=dict)
    screens_of_run: set[tuple[str, str | None, int]] = field(default_factory=set)
    ledgers: dict[tuple[str, int], Ledger] = field(default_factory=dict)
    ledgers_of_run: set[tuple[str, str | None, int]] = field(default_factory=set)
    proposals: dict[str, ProposalCreated] = field(default_factory=dict)
    answers: list[ProposalCreated | ProposalDeclined] = field(default_factory=list)
    orders: list[OrderPlaced] = field(default_factory=list)
    ended: list[OrderEnded] = field(default_factory=list)
    refused: list[OrderRefused] = field(default_factory=list)
    executions: list[ExecutionReported] = field(default_factory=list)
    trades: list[TradeBooked] = field(default_factory=list)
    prices: dict[str, Prices] = field(default_factory=dict)
    runs: dict[str, RunOpened] = field(default_factory=dict)
    custody: list[CustodyChanged] = field(default_factory=list)
    summary: Summary | None = None

    @cached_property
    def run_accounts(self) -> dict[tuple[str, str], RunAccount]:
        """The members of each run, by (run, account)."""
        return {(run.run_id, member.account_id): member for run in self.runs.values() for member in run.accounts}

    @cached_property
    def trades_of(self) -> dict[str, list[TradeBooked]]:
        """Each account's trades in the order of their numbers."""
        found: dict[str, list[TradeBooked]] = defaultdict(list)
        for trade in sorted(self.trades, key=lambda trade: trade.trade_seq):
            found[trade.account_id].append(trade)
        return dict(found)

    @cached_property
    def busted(self) -> set[str | None]:
        """The trades that were taken back."""
        return {trade.ref_trade_id for trade in self.trades if trade.kind == "bust"}


def read_evidence(directory: Path, schema: Tally) -> Evidence:
    """Read all files.  What is missing, unreadable or against its schema is a violation of `schema` and left out."""
    found = Evidence()
    for file in FILES:
        for line in _lines(directory, file, schema):
            _add(found, file, line)
    found.summary = _read_summary(directory, schema)
    return found


def _add(found: Evidence, file: str, line: Struct) -> None:
    match line:
        case AccountChanged():
            book = found.books.setdefault((line.account_id, line.version), Book(line))
            if file != "accounts_runs":
                (found.before if file == "accounts_before" else found.after)[line.account_id] = book
        case ScreenUpdated():
            found.verdicts[line.account_id, line.version] = {verdict.security_id: verdict for verdict in line.verdicts}
            found.screens_of_run.add((line.account_id, line.run_id, line.version))
        case LedgerUpdated():
            found.ledgers[line.household_id, line.version] = Ledger(line)
            found.ledgers_of_run.add((line.household_id, line.run_id, line.version))
        case ProposalCreated():
            found.proposals[line.proposal_id] = line
            found.answers.append(line)
        case MarketPublished():
            found.prices[line.market_id] = Prices(line)
        case RunOpened():
            found.runs[line.run_id] = line
        case _:
            _add_to_list(found, line)


def _add_to_list(found: Evidence, line: Struct) -> None:
    lists: dict[type[Struct], list[Any]] = {
        ProposalDeclined: found.answers,
        OrderPlaced: found.orders,
        OrderEnded: found.ended,
        OrderRefused: found.refused,
        ExecutionReported: found.executions,
        TradeBooked: found.trades,
        CustodyChanged: found.custody,
    }
    if type(line) in lists:
        lists[type(line)].append(line)


def _lines(directory: Path, file: str, schema: Tally) -> Iterable[Struct]:
    """The good lines of a file, decoded."""
    checks = _checks_of(directory, file, schema)
    path = directory / f"{file}.jsonl"
    if not path.exists():
        schema.check(False, NO_ORDER, f"{file}.jsonl is missing")
        return
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        problem, line = _decoded(raw, FILES[file], checks)
        schema.check(problem is None, NO_ORDER, f"{file}.jsonl, line {number}: {problem}")
        if line is not None:
            yield line


def _decoded(raw: bytes, types: Any, checks: dict[str, Check]) -> tuple[str | None, Struct | None]:
    """What is wrong with a line, or the line as its type."""
    try:
        value = msgspec.json.decode(raw)
        name = value["type"]
        problem = checks[name](value)
        return (problem, None) if problem else (None, msgspec.convert(value, types[name]))
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        return f"{type(error).__name__} {error}", None


def _checks_of(directory: Path, file: str, schema: Tally) -> dict[str, Check]:
    """The checks of a file's types from its own schema; none where the schema itself is missing or not understood."""
    try:
        return line_checks(msgspec.json.decode((directory / f"{file}.schema.json").read_bytes()))
    except (OSError, KeyError, ValueError) as error:
        schema.check(False, NO_ORDER, f"{file}.schema.json: {error}")
        return {}


def _read_summary(directory: Path, schema: Tally) -> Summary | None:
    try:
        value = msgspec.json.decode((directory / f"{SUMMARY}.json").read_bytes())
        rules = msgspec.json.decode((directory / f"{SUMMARY}.schema.json").read_bytes())
        problem = compile_schema(rules, rules)(value)
        schema.check(problem is None, NO_ORDER, f"{SUMMARY}.json: {problem}")
        return msgspec.convert(value, Summary)
    except (OSError, ValueError) as error:
        schema.check(False, NO_ORDER, f"{SUMMARY}.json: {error}")
        return None


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return sum(amounts, ZERO)
