"""Writes out/demo: one .jsonl a kind with its JSON Schema, the recording of all events (demo/recording.py), and summary.json."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from demo.audit.layout import FILES, SUMMARY, OrderRefused, line_of, schema_bytes
from demo.observer import Observer, Said
from demo.recording import EVENTS, write_recording
from demo.sample.custodian import CustodyChange
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import ExecutionReported, OrderCancelled, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated

Line = tuple[str, datetime, Struct]


def write_output(
    directory: Path, observer: Observer, refused: Sequence[OrderRefused], custody: Sequence[CustodyChange], summary: Mapping[str, object]
) -> None:
    """Write every file anew; what an earlier demo left under these names is replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, lines in _lines(observer, refused, custody).items():
        (directory / f"{name}.jsonl").write_bytes(b"".join(line_of(*line) for line in lines))
    for name in (*FILES, SUMMARY):
        (directory / f"{name}.schema.json").write_bytes(schema_bytes(name))
    write_recording(directory / EVENTS, observer.events)
    (directory / f"{SUMMARY}.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def _lines(observer: Observer, refused: Sequence[OrderRefused], custody: Sequence[CustodyChange]) -> dict[str, list[Line]]:
    before, later = _accounts_of_runs(observer)
    ended = observer.said(RunOpened)[-1].recorded_at
    return {
        "accounts_before": before,
        "accounts_runs": later,
        "accounts_after": _last_accounts(observer),
        "screens": _all(observer, ScreenUpdated),
        "ledgers": _ledgers(observer),
        "proposals": _all(observer, ProposalCreated, ProposalDeclined),
        "orders": [*_all(observer, OrderPlaced, OrderCancelled, OrderEnded), *(("demo.order.refused", ended, r) for r in refused)],
        "fills": _all(observer, ExecutionReported, TradeBooked),
        "market": _all(observer, MarketPublished, RunOpened),
        "custody": [("demo.custody.changed", ended, change) for change in custody],
    }


def _line(said: Said) -> Line:
    return said.type, said.recorded_at, said.payload


def _all(observer: Observer, *kinds: type[Struct]) -> list[Line]:
    """Every event of the kinds, by time; within a kind the order of the bus is kept."""
    said = (event for kind in kinds for event in observer.said(kind))
    return [_line(event) for event in sorted(said, key=lambda event: event.recorded_at)]


def _accounts_of_runs(observer: Observer) -> tuple[list[Line], list[Line]]:
    """The versions that the first run lists, and those that later runs list beyond them."""
    by_version = {(a.account_id, a.version): said for said, a in _accounts(observer)}
    taken: set[tuple[str, int]] = set()
    parts: tuple[list[Line], list[Line]] = ([], [])
    for number, run in enumerate(observer.payloads(RunOpened)):
        for member in run.accounts:
            key = (member.account_id, member.account_version)
            if key in by_version and key not in taken:
                taken.add(key)
                parts[min(number, 1)].append(_line(by_version[key]))
    return parts


def _accounts(observer: Observer) -> Iterable[tuple[Said, AccountChanged]]:
    return zip(observer.said(AccountChanged), observer.payloads(AccountChanged), strict=True)


def _last_accounts(observer: Observer) -> list[Line]:
    last: dict[str, tuple[int, Said]] = {}
    for said, account in _accounts(observer):
        if account.version >= last.get(account.account_id, (0, said))[0]:
            last[account.account_id] = (account.version, said)
    return [_line(last[account_id][1]) for account_id in sorted(last)]


def _ledgers(observer: Observer) -> list[Line]:
    """Those that answered a run, and the last one of each household."""
    pairs = list(zip(observer.said(LedgerUpdated), observer.payloads(LedgerUpdated), strict=True))
    last = {ledger.household_id: said for said, ledger in pairs}
    return [_line(said) for said, ledger in pairs if ledger.run_id is not None or said is last[ledger.household_id]]
