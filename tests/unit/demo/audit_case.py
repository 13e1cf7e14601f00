"""A small but complete out/demo, made by hand: two households, four accounts, five names, two runs, a split and a contribution.

H1: A1 (taxable) sells AAA whole, with a fraction, at a loss and buys BBB; A2 (IRA) sells CCC and buys BBB.
H2: B1 (taxable) sells AAA and BBB and buys CCC; B2 (taxable) declines, and on the second day, after a contribution, buys DDD.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from demo.audit.layout import FILES, SUMMARY, CustodyChanged, OrderRefused, line_of, schema_bytes
from demo.sample.custodian import Custodian, CustodyAccount
from libs.common.ids import content_id
from libs.common.money import ZERO, cents_half_even, plain, split_largest_remainder
from libs.common.schemas.account import AccountChanged, Budgets, LotColumns, TaxRates
from libs.common.schemas.custody import CustodyLot
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, TaxLotColumns
from libs.common.schemas.market import CorporateAction, MarketPublished, RiskModel, RunAccount, RunOpened, SecurityColumns
from libs.common.schemas.order import (
    Allocation,
    BookedLot,
    ExecType,
    ExecutionReported,
    OrderEnded,
    OrderLot,
    OrderPlaced,
    OrderState,
    TradeBooked,
)
from libs.common.schemas.proposal import LotInstruction, Pins, ProposalCreated, ProposalDeclined, ProposedTrade, Side, TaxEstimate
from libs.common.schemas.screen import ScreenUpdated, Verdict

DAY_1, DAY_2, DAY_3 = date(2025, 12, 15), date(2025, 12, 16), date(2025, 12, 17)
SETTLES = {DAY_1: DAY_2, DAY_2: DAY_3}
NOW = datetime(2025, 12, 15, 15, tzinfo=UTC)
PRICES = {"AAA": "100", "AAB": "101", "BBB": "50", "CCC": "20", "DDD": "10"}
SPLIT = CorporateAction("BBB", DAY_2, "split", D(2))
HOUSEHOLD = {"A1": "H1", "A2": "H1", "B1": "H2", "B2": "H2"}
LOTS = {
    "A1": [CustodyLot("L1", "AAA", D("10.5"), D(1500), date(2024, 1, 10)), CustodyLot("L2", "BBB", D(40), D(1000), date(2023, 5, 1))],
    "A2": [CustodyLot("L3", "CCC", D(100), D(1500), date(2024, 4, 2)), CustodyLot("L4", "AAB", D(5), D(300), date(2024, 4, 2))],
    "B1": [
        CustodyLot("L5", "BBB", D(8), D(200), date(2025, 3, 3)),
        CustodyLot("L6", "DDD", D(50), None, None),
        CustodyLot("L8", "AAA", D(3), D(390), date(2025, 2, 3)),
        CustodyLot("L9", "AAA", D(20), D(2600), date(2025, 2, 3)),
    ],
    "B2": [CustodyLot("L7", "DDD", D(30), D(400), date(2025, 6, 2))],
}
CASH = {"A1": 5000, "A2": 100, "B1": 2000, "B2": 300}
# what each account trades on the first day: (side, security, shares, lots)
WANTED: dict[str, list[tuple[Side, str, str, list[tuple[str, str]]]]] = {
    "A1": [("sell", "AAA", "10.5", [("L1", "10.5")]), ("buy", "BBB", "20", [])],
    "A2": [("buy", "BBB", "10", []), ("sell", "CCC", "30", [("L3", "30")])],
    "B1": [("sell", "AAA", "5", [("L8", "3"), ("L9", "2")]), ("sell", "BBB", "5", [("L5", "5")]), ("buy", "CCC", "25", [])],
}
# what the desk did with each order of the first day: fills of (shares, price), then how it ended
DESK: dict[tuple[str, Side], tuple[list[tuple[int, str]], OrderState]] = {
    ("AAA", "sell"): ([(7, "99.9"), (8, "100")], "filled"),
    ("BBB", "sell"): ([], "rejected"),
    ("CCC", "sell"): ([(30, "20.01")], "filled"),
    ("BBB", "buy"): ([(13, "50.01"), (17, "50.02")], "filled"),
    ("CCC", "buy"): ([(10, "20")], "expired"),
    ("DDD", "buy"): ([(7, "10.01")], "filled"),
}


@dataclass
class Case:
    """What has been said so far, by file, and the custodian's book under it."""

    custodian: Custodian
    said: dict[str, list[tuple[str, Struct]]] = field(default_factory=lambda: {name: [] for name in FILES})
    numbers: Counter[str] = field(default_factory=Counter)
    trades: list[TradeBooked] = field(default_factory=list)

    def say(self, file: str, *payloads: Struct) -> None:
        names = {struct: name for name, struct in FILES[file].items()}
        self.said[file] += [(names[type(payload)], payload) for payload in payloads]


def write_case(directory: Path) -> None:
    """Write the whole case."""
    held = {a: CustodyAccount(a, D(CASH[a]), [], {lot.lot_id: lot for lot in lots}) for a, lots in LOTS.items()}
    case = Case(Custodian("hand", DAY_1, held))
    first = _open_run(case, DAY_1, version=1, file="accounts_before")
    _propose(case, first, WANTED, version=1)
    case.say("orders", OrderRefused(first.run_id, "refused-proposal", "B2", "H2", None, "kill_switch", None, None))
    case.custodian.open_day(DAY_2, [SPLIT], [("B2", D(1000))])
    for change in case.custodian.changes:
        case.say("custody", CustodyChanged(**msgspec.structs.asdict(change)))
    second = _open_run(case, DAY_2, version=2, file="accounts_runs")
    _propose(case, second, {"B2": [("buy", "DDD", "7", [])]}, version=2)
    case.say("accounts_after", *(account_of(case, a, DAY_2, 3 if a == "B2" else 2) for a in LOTS))
    _write(case, directory)


def _write(case: Case, directory: Path) -> None:
    for file, lines in case.said.items():
        (directory / f"{file}.jsonl").write_bytes(b"".join(line_of(name, NOW, payload) for name, payload in lines))
    for file in (*FILES, SUMMARY):
        (directory / f"{file}.schema.json").write_bytes(schema_bytes(file))
    count = Counter(name for lines in case.said.values() for name, _ in lines)
    names = {"runs": "pma.run.opened", "orders": "pma.order.placed", "executions": "pma.execution.reported", "trades": "pma.trade.booked"}
    summary = {"simulated": True, "accounts": len(LOTS)} | {name: count[kind] for name, kind in names.items()}
    (directory / f"{SUMMARY}.json").write_bytes(msgspec.json.encode(summary))


def _open_run(case: Case, day: date, version: int, file: str) -> RunOpened:
    """Market, accounts, run, screens and ledgers of a day."""
    prices = PRICES | ({"BBB": "25"} if day == DAY_2 else {})
    ids = sorted(prices)
    groups = ["G-A" if s in ("AAA", "AAB") else s for s in ids]
    columns = SecurityColumns(
        ids, groups, groups, ["x"] * 5, ["y"] * 5, [[] for _ in ids], [prices[s] for s in ids], [1.0] * 5, [1e8] * 5, [None] * 5
    )
    market_id = f"market-{day}"
    case.say("market", MarketPublished(market_id, day, True, columns, [], RiskModel(ids, [], [[]] * 5, [0.1] * 5), [SPLIT]))
    accounts = [account_of(case, a, day, version) for a in LOTS]
    case.say(file, *accounts)
    members = [RunAccount(a.account_id, a.household_id, version, a.trade_seq) for a in accounts]
    run = RunOpened(f"run-{day}", day, market_id, NOW, NOW, 100, members)
    case.say("market", run)
    for account in accounts:
        case.say("screens", _screen(account, run))
    for household in ("H1", "H2"):
        seen = [_ledger_account(a) for a in accounts if a.household_id == household]
        case.say("ledgers", LedgerUpdated(household, version, day, run.run_id, seen, [], [], [], [], []))
    return run


def account_of(case: Case, account_id: str, day: date, version: int) -> AccountChanged:
    """The account as the custodian's book stands."""
    holdings = case.custodian.holdings(account_id)
    lots = holdings.lots
    columns = LotColumns(
        [lot.lot_id for lot in lots],
        [lot.security_id for lot in lots],
        [plain(lot.quantity) for lot in lots],
        [None if lot.cost_basis is None else plain(lot.cost_basis) for lot in lots],
        [None if lot.acquired is None else lot.acquired.isoformat() for lot in lots],
        [False] * len(lots),
    )
    return AccountChanged(
        account_id=account_id,
        household_id=HOUSEHOLD[account_id],
        taxpayer_id="T",
        custodian="hand",
        account_type="traditional_ira" if account_id == "A2" else "taxable",
        version=version,
        business_date=day,
        trade_seq=case.numbers[account_id],
        state="open",
        state_reason=None,
        strategy_id="s",
        approval="auto",
        do_not_trade=False,
        rates=TaxRates(D("0.4"), D("0.2")),
        budgets=Budgets(),
        risk_aversion=D(20),
        cash_min_frac=ZERO,
        cash_max_frac=D(1),
        min_trade=ZERO,
        cash_settled=holdings.cash_settled,
        cash_unsettled=holdings.cash_unsettled,
        cash_flows=[],
        wishes=[],
        tax_opening=None,
        past_sales=[],
        lots=columns,
        aliases={},
        breaks=[],
    )


def _screen(account: AccountChanged, run: RunOpened) -> ScreenUpdated:
    """B1 may hold at most 60 % in CCC, at least 10 % in AAA, and not sell DDD."""
    verdicts = [
        Verdict("AAA", True, True, False, None, D("0.1"), []),
        Verdict("CCC", True, True, False, D("0.6"), None, []),
        Verdict("DDD", True, False, False, None, None, []),
    ]
    chosen = verdicts if account.account_id == "B1" else []
    args = (account.account_id, account.household_id, account.version, account.version, run.market_id, run.run_id, run.as_of)
    return ScreenUpdated(*args, chosen)


def _ledger_account(account: AccountChanged) -> LedgerAccount:
    lots = account.lots
    columns = TaxLotColumns(lots.lot_id, lots.security_id, lots.quantity, lots.cost_basis, lots.acquired, lots.acquired)
    return LedgerAccount(account.account_id, account.version, account.trade_seq, columns, [])


def _propose(case: Case, run: RunOpened, wanted: dict[str, list[tuple[Side, str, str, list[tuple[str, str]]]]], version: int) -> None:
    """Answers in household order, then the orders, what the desk did, and the bookings."""
    price = {s: D(p) for s, p in PRICES.items()}
    legs: dict[tuple[str, Side], list[tuple[str, ProposalCreated, ProposedTrade]]] = {}
    for household in ("H1", "H2"):
        intents: dict[str, str] = {}
        for account_id in (a for a in LOTS if HOUSEHOLD[a] == household):
            pins = Pins(version, version, version, run.market_id, run.as_of, dict(intents), "solver-1")
            identity = content_id("proposal", run.run_id, account_id, msgspec.json.encode(pins).decode())
            intents[account_id] = identity
            if account_id not in wanted:
                case.say(
                    "proposals",
                    ProposalDeclined(identity, run.run_id, account_id, household, pins, "no_trade", "nothing", "", None, None, []),
                )
                continue
            trades = [_proposed(side, s, D(q), price[s], lots) for side, s, q, lots in wanted[account_id]]
            zero = TaxEstimate(ZERO, ZERO, ZERO, ZERO, ZERO)
            decided: Any = (pins, "auto", D(9000), trades, [], [], D("0.02"), D("0.01"), zero, ZERO, ZERO, ZERO, "optimal")
            created = ProposalCreated(identity, run.run_id, account_id, household, *decided)
            case.say("proposals", created)
            for trade in trades:
                legs.setdefault((trade.security_id, trade.side), []).append((account_id, created, trade))
    for (security_id, side), parts in legs.items():
        _order(case, run, security_id, side, parts)


def _proposed(side: Side, security_id: str, quantity: D, price: D, lots: list[tuple[str, str]]) -> ProposedTrade:
    instructions = [LotInstruction(lot, D(part), "long", None) for lot, part in lots]
    return ProposedTrade(security_id, side, quantity, price, "drift", instructions, ZERO, ZERO)


def _order(case: Case, run: RunOpened, security_id: str, side: Side, parts: list[tuple[str, ProposalCreated, ProposedTrade]]) -> None:
    order_id = content_id("order", run.run_id, security_id, side)
    allocations = [
        Allocation(
            content_id("allocation", order_id, account_id),
            account_id,
            HOUSEHOLD[account_id],
            proposal.proposal_id,
            trade.quantity // 1,
            trade.quantity % 1,
            [OrderLot(lot.lot_id, lot.quantity, None, None) for lot in trade.lots],
        )
        for account_id, proposal, trade in parts
    ]
    ordered = sum((a.alloc_qty for a in allocations), ZERO)
    order = OrderPlaced(
        order_id, run.run_id, security_id, side, ordered, "market", "day", "USD", parts[0][2].price, 100, run.as_of, NOW, allocations
    )
    case.say("orders", order)
    fills, state = DESK[security_id, side]
    lacking, filled = [a.alloc_qty for a in allocations], ZERO
    for number, (shares, price) in enumerate(fills):
        filled += shares
        exec_type: ExecType = "fill" if filled == ordered else "partial_fill"
        execution = ExecutionReported(
            f"{order_id}-{number}", order_id, exec_type, D(shares), D(price), filled, ordered - filled, NOW, run.as_of
        )
        case.say("fills", execution)
        due = split_largest_remainder(D(shares), lacking, D(1))
        for allocation, part in zip(allocations, due, strict=True):
            if part:
                _book(case, order, execution, allocation, part, allocation.alloc_qty - lacking[allocations.index(allocation)])
        lacking = [before - part for before, part in zip(lacking, due, strict=True)]
    if state != "filled":
        end = ExecutionReported(f"{order_id}-end", order_id, state, ZERO, None, filled, ZERO, NOW, run.as_of)  # type: ignore[arg-type]
        case.say("fills", end)
    average = sum((D(q) * D(p) for q, p in fills), ZERO) / filled if filled else None
    for allocation in allocations:
        if allocation.fraction and average is not None:
            _book_fraction(case, order, allocation, average.quantize(D("0.000001")))
    case.say("orders", OrderEnded(order_id, run.run_id, state, filled, average, None, [a.alloc_account for a in allocations]))


def _book(case: Case, order: OrderPlaced, execution: ExecutionReported, allocation: Allocation, part: D, used: D) -> None:
    """One account's part of a fill; `used` shares of its lots went before."""
    lots, skip, left = [], used, part
    for lot in allocation.lots:
        taken = min(left, max(ZERO, lot.quantity - skip))
        skip = max(ZERO, skip - lot.quantity)
        if taken:
            lots.append(BookedLot(lot.custodial_lot_id, taken))
            left -= taken
    _say_trade(case, order, "fill", execution.exec_id, allocation, part, execution.last_px or ZERO, lots)


def _book_fraction(case: Case, order: OrderPlaced, allocation: Allocation, price: D) -> None:
    last = allocation.lots[-1].custodial_lot_id
    lots = [BookedLot(last, allocation.fraction)]
    _say_trade(case, order, "cash_in_lieu", f"{order.cl_ord_id}-1", allocation, allocation.fraction, price, lots)


def _say_trade(
    case: Case, order: OrderPlaced, kind: str, exec_id: str, allocation: Allocation, quantity: D, price: D, lots: Iterable[BookedLot]
) -> None:
    account_id = allocation.alloc_account
    case.numbers[account_id] += 1
    gross = cents_half_even(quantity * price)
    trade = TradeBooked(
        trade_id=content_id("trade", exec_id, account_id, kind),
        trade_seq=case.numbers[account_id],
        kind=kind,  # type: ignore[arg-type]
        ref_trade_id=None,
        account_id=account_id,
        household_id=allocation.household_id,
        run_id=order.run_id,
        cl_ord_id=order.cl_ord_id,
        exec_id=exec_id,
        security_id=order.security_id,
        side=order.side,
        quantity=quantity,
        price=price,
        fees=ZERO,
        amount=gross if order.side == "sell" else -gross,
        trade_date=order.trade_date,
        settle_date=SETTLES[order.trade_date],
        lots=list(lots),
    )
    case.custodian.apply([replace(trade)])
    case.say("fills", trade)
