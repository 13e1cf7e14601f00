"""The tax ledger's speed and memory, and a public calculator on the same histories; one JSON line a case.

    python -m benchmarks.tax_ledger [replay] [file] [trade] [memory] [public]      (default: all)

* replay: CPU seconds through the books for 1 to 100 thousand events of one household, the density of trading unchanged.  A young household
  has few lots to sell, so an event comes to have more outcomes (rows and washes) with time: their rate shows that the cost of each stays.
  `crowded`: all in one security, so that hundreds of purchases and losses stand in each window.
* file: the same through the command on a file, from JSON to JSON.
* trade: CPU milliseconds for one new fact on a household with 10,000 open lots: a purchase, a sale at a loss, a late purchase; and what
  the service does with a booked trade (facts, and the whole ledger said).
* memory: bytes a lot with 1 million open lots.
* public: `wash-alpha` (import name net_alpha), where it is installed: its time and denied losses beside ours; each disagreement is put
  down to the rule that decides it.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.tax_histories import ACCOUNTS, FIRST, SECURITIES, as_file, history, lot_in
from services.wash_sale import replay_command
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import HistoryBooks, books_of_history
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.identity import EVERY_SECURITY_BY_ITSELF
from services.wash_sale.core.order_of_events import Dated
from services.wash_sale.core.policy import DEFAULT_POLICY
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS
from services.wash_sale.core.tax_events import Fill, LotIn, LotPart, Sale, TaxEvent
from services.wash_sale.core.timeline import Fact, Timeline
from services.wash_sale.core.transitions import apply_account, apply_trade
from services.wash_sale.core.view import ledger_content
from services.wash_sale.replay_command import without_collector
from tests.unit.wash_sale import samples

D = Decimal
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPEN_LOTS = 10_000


def say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)  # noqa: T201


def replay() -> None:
    """Events a second, and how the time grows."""
    for case, securities, counts in (("replay", SECURITIES, (1_000, 10_000, 100_000)), ("replay, crowded", 1, (1_000, 10_000))):
        for count in counts:
            events = list(history(count, securities=securities))
            book = Book(ACCOUNTS, EVERY_SECURITY_BY_ITSELF, DEFAULT_POLICY)
            with without_collector():
                started = time.process_time()
                for event in events:
                    assert book_event(book, event) is None
                    book.undo.forget(book.undo.mark())
                took = time.process_time() - started
            rate(case, count, took, len(book.rows), len(book.washes))


def rate(case: str, events: int, took: float, rows: int, washes: int) -> None:
    per_s = {"events_per_s": round(events / took), "outcomes_per_s": round((rows + washes) / took)}
    say(case=case, events=events, cpu_s=round(took, 3), **per_s, rows=rows, washes=washes)


def file() -> None:
    """Events a second through `replay FILE`, reading and writing included."""
    for count in (1_000, 10_000, 100_000):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "history.json"
            path.write_text(json.dumps(as_file(list(history(count)))))
            written = StringIO()
            started = time.process_time()
            with redirect_stdout(written):
                assert replay_command.run(path) == 0
            took = time.process_time() - started
        (answer,) = json.loads(written.getvalue())
        rate("file", count, took, len(answer["sales"]), len(answer["washes"]))


def household() -> Timeline:
    """10,000 open lots, of 1,000 positions, all bought over a year."""
    line = Timeline(ACCOUNTS, EVERY_SECURITY_BY_ITSELF, DEFAULT_POLICY)
    for number in range(OPEN_LOTS):
        day = FIRST + timedelta(days=number * 365 // OPEN_LOTS)
        event = lot_in(f"L{number}", "T1", f"S{number % 1000}", day, 100, D(10_000))
        assert not isinstance(line.learn(Fact(event.event_id, NOW, Dated(event, number, event.event_id))), Refusal)
    return line


def trade() -> None:
    """One new fact on a household of 10,000 lots."""
    line = household()
    last = FIRST + timedelta(days=364)

    def purchase(number: int) -> TaxEvent:
        return lot_in(f"N{number}", "T2", f"S{number}", last, 50, D(4_000))

    def loss(number: int) -> TaxEvent:
        fill = Fill(f"X{number}", "T1", f"S{number}", D(100), D(8_000), (LotPart(f"L{number}", D(100)),))
        return Sale(fill.event_id, last, (fill,))

    def late(number: int) -> TaxEvent:
        return lot_in(f"P{number}", "T2", f"S{number}", last - timedelta(days=20), 50, D(4_000))

    for name, make, repeat in (("purchase", purchase, 200), ("sale at a loss", loss, 200), ("purchase 20 days late", late, 20)):
        learned = []
        for number in range(repeat):
            event, seq = make(number), OPEN_LOTS + len(line.known)
            started = time.process_time()
            learn(line, event, seq, name)
            learned.append(1e3 * (time.process_time() - started))
        say(
            case="trade",
            what=name,
            open_lots=OPEN_LOTS,
            cpu_ms_median=round(statistics.median(learned), 3),
            cpu_ms_most=round(max(learned), 3),
        )
    service()


def learn(line: Timeline, event: TaxEvent, seq: int, name: str) -> None:
    assert not isinstance(line.learn(Fact(f"{name} {seq}", NOW, Dated(event, seq, name))), Refusal)


def milliseconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return 1e3 * (time.process_time() - started)


def service() -> None:
    """What the service does with a booked trade: the facts with the trade, and the whole ledger as it is said."""
    lots = [samples.lot(f"L{n}", f"S{n % 1000}", "100", "10000", samples.day(-700 + n % 600)) for n in range(OPEN_LOTS)]
    ledger = apply_account(HouseholdLedger("H1"), samples.account(lots=lots), NO_SECURITY_FACTS)
    assert isinstance(ledger, HouseholdLedger)
    booking, saying = [], []
    for number in range(30):
        sold = samples.sell(f"s{number}", number + 1, samples.day(number), "8000", {f"L{number}": "100"}, security_id=f"S{number}")
        before = ledger
        booking.append(milliseconds(lambda before=before, sold=sold: apply_trade(before, sold, NO_SECURITY_FACTS)))
        ledger = apply_trade(before, sold, NO_SECURITY_FACTS)
        assert isinstance(ledger, HouseholdLedger)
        saying.append(milliseconds(lambda now=ledger, day=number: ledger_content(now, NO_SECURITY_FACTS, samples.day(day))))
    for what, found in (("service: trade into the facts", booking), ("service: the whole ledger said", saying)):
        say(
            case="trade", what=what, open_lots=OPEN_LOTS, cpu_ms_median=round(statistics.median(found), 3), cpu_ms_most=round(max(found), 3)
        )


def memory() -> None:
    """Bytes a lot, ids and decimals of their own."""
    count = 1_000_000
    book = Book(ACCOUNTS, EVERY_SECURITY_BY_ITSELF, DEFAULT_POLICY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    for number in range(count):
        event = lot_in(
            f"L{number}", "T1", f"S{number % 5000}", FIRST + timedelta(days=number // 400), 1 + number % 500, D(number) + D("0.01")
        )
        assert book_event(book, event) is None
        book.undo.forget(book.undo.mark())
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    say(
        case="memory",
        open_lots=count,
        mebibytes=round(used / 2**20),
        bytes_per_lot=round(used / count),
        cpu_s=round(time.process_time() - started, 1),
    )


def public() -> None:
    """wash-alpha on the same histories, small enough for its way of looking for candidates (every trade for every loss)."""
    if importlib.util.find_spec("net_alpha") is None:
        say(case="public", calculator="wash-alpha", installed=False)
        return
    for count in (200, 1_000, 3_000):
        compare(count)


def compare(count: int) -> None:
    """Denied dollars sale by sale; where they differ, the rule that decides."""
    from net_alpha.engine.detector import detect_wash_sales  # noqa: PLC0415 (where it is installed)
    from net_alpha.models.accounts import AccountType  # noqa: PLC0415
    from net_alpha.models.domain import Trade  # noqa: PLC0415

    events = list(history(count, seed=7))
    started = time.process_time()
    books = books_of_history(as_file(events))
    ours_s = time.process_time() - started
    assert not isinstance(books, BadHistory), books.text()
    costs = raw_costs(books)
    trades = [Trade(**fields) for fields in as_trades(events, costs)]
    kinds = {name: AccountType.TAXABLE if account.taxable else AccountType.ROTH_IRA for name, account in ACCOUNTS.items()}
    started = time.process_time()
    theirs = detect_wash_sales(trades, {}, kinds)
    theirs_s = time.process_time() - started
    causes = disagreements(books, theirs.violations, costs)
    figures = {"events": count, "our_cpu_s": round(ours_s, 3), "their_cpu_s": round(theirs_s, 3)}
    say(case="public", calculator="wash-alpha", installed=True, **figures, sales=len(costs), **causes)


def raw_costs(books: HistoryBooks) -> dict[str, Decimal]:
    """What a broker would call each sale's basis: cost without any wash adjustment."""
    adjusted: Counter[str] = Counter()
    for row in books.rows:
        adjusted[row.trade_id] += row.proceeds - (row.raw_gain if row.raw_gain is not None else D(0))  # type: ignore[assignment]
    for sale_id, amount in wash_part_of_basis(books).items():
        adjusted[sale_id] -= amount  # type: ignore[assignment]
    return dict(adjusted)  # type: ignore[arg-type]


def wash_part_of_basis(books: HistoryBooks) -> dict[str, Decimal]:
    """Deferred losses that a sale's basis holds: all that went into its lots, as far as the lot is sold (its first shares first)."""
    into: Counter[tuple[str, str]] = Counter()
    found: Counter[str] = Counter()
    for wash in books.washes:
        if not wash.permanent:
            into[wash.replacement_account_id, wash.replacement_lot_id] += wash.disallowed  # type: ignore[assignment]
    left = {(layer.account_id, layer.lot_id): D(0) for layer in books.layers}
    for layer in books.layers:
        left[layer.account_id, layer.lot_id] += layer.wash_adjustment
    sold_rows: dict[tuple[str, str], list[Any]] = {}
    for row in books.rows:
        sold_rows.setdefault((row.account_id, row.lot_id), []).append(row)
    for key, rows in sold_rows.items():
        gone = D(into.get(key, 0)) - left.get(key, D(0))
        first = next((row for row in rows if row.held_since != row.acquired), None)
        if gone and first is not None:
            found[first.trade_id] += gone  # type: ignore[assignment]
    return dict(found)  # type: ignore[arg-type]


def as_trades(events: list[TaxEvent], costs: dict[str, Decimal]) -> Iterator[dict[str, Any]]:
    """The calculator's own input; floats are its type."""
    for event in events:
        if isinstance(event, LotIn):
            layer = event.layer
            common = {"id": layer.lot_id, "account": layer.account_id, "ticker": layer.security_id, "date": event.day}
            yield {**common, "action": "Buy", "quantity": float(layer.quantity), "cost_basis": float(layer.cost or 0)}
        elif isinstance(event, Sale):
            fill = event.fills[0]
            common = {"id": fill.event_id, "account": fill.account_id, "ticker": fill.security_id, "date": event.day}
            dollars = {"proceeds": float(fill.proceeds), "cost_basis": float(costs[fill.event_id])}
            yield {**common, "action": "Sell", "quantity": float(fill.quantity or 0), **dollars}


def disagreements(books: HistoryBooks, violations: list[Any], costs: dict[str, Decimal]) -> dict[str, Any]:
    """Sales with the same denied dollars, and the others by the first rule that explains them."""
    ours: Counter[str] = Counter()
    for row in books.rows:
        ours[row.trade_id] += row.disallowed  # type: ignore[assignment]
    theirs: Counter[str] = Counter()
    by_sale: dict[str, list[Any]] = {}
    for violation in violations:
        theirs[violation.loss_trade_id] += D(str(violation.disallowed_loss))  # type: ignore[assignment]
        by_sale.setdefault(violation.loss_trade_id, []).append(violation)
    causes: Counter[str] = Counter()
    touched: set[str] = set()
    rows: dict[str, list[Any]] = {}
    for row in books.rows:
        rows.setdefault(row.trade_id, []).append(row)
    for sale_id, sold in sorted(rows.items(), key=lambda item: (item[1][0].trade_date, int(item[0][1:]))):
        if ours[sale_id] == theirs[sale_id]:
            causes["agree_denied" if ours[sale_id] else "agree_nothing_denied"] += 1
        else:
            causes[cause(books, sold, by_sale.get(sale_id, []), costs[sale_id], touched)] += 1
            touched.add(sold[0].security_id)
    return {
        "agreement": {name: causes[name] for name in sorted(causes)},
        "our_denied": str(sum(ours.values())),
        "their_denied": str(sum(theirs.values())),
    }


def cause(books: HistoryBooks, sold: list[Any], found: list[Any], cost: Decimal, touched: set[str]) -> str:
    """The first rule that explains why a sale's denied loss differs."""
    own = {row.lot_id for row in sold}
    gains = [row.raw_gain for row in sold if row.raw_gain is not None]
    if any(violation.replacement_trade_id in own for violation in found):
        return "1.8 a lot sold replaces itself there"
    if any(_sold_before(books, violation, sold[0]) for violation in found):
        return "8 a lot that was sold before replaces there"
    if cost != sum((row.basis or D(0) for row in sold), D(0)):
        return "1.3 the loss is measured without earlier washes there"
    if any(gain > 0 for gain in gains) and any(gain < 0 for gain in gains):
        return "1.16 gains and losses of one sale are netted there"
    if len(gains) > 1:
        return "1.4 the losses of one sale are averaged there, here the oldest lot's goes first"
    return "1.6 knock-on: the replacing shares were used differently" if sold[0].security_id in touched else "unexplained"


def _sold_before(books: HistoryBooks, violation: Any, sale: Any) -> bool:
    """Whether shares of the lot had left before the loss."""
    return any(row.lot_id == violation.replacement_trade_id and row.trade_date <= sale.trade_date for row in books.rows)


CASES = {"replay": replay, "file": file, "trade": trade, "memory": memory, "public": public}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], default=[])
    for name in parser.parse_args(arguments).cases or CASES:
        CASES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
