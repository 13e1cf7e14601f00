"""The hand-made case before any trade: market, custodian's book, accounts, runs, screens and ledgers."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal as D

from msgspec import Struct

from demo.audit.layout import FILES
from demo.sample.custodian import Custodian
from libs.common.money import ZERO, plain
from libs.common.schemas.account import AccountChanged, Budgets, LotColumns, TaxRates
from libs.common.schemas.custody import CustodyLot
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, TaxLotColumns
from libs.common.schemas.market import CorporateAction, MarketPublished, RiskModel, RunAccount, RunOpened, SecurityColumns
from libs.common.schemas.order import (
    TradeBooked,
)
from libs.common.schemas.screen import ScreenUpdated, Verdict

DAY_1, DAY_2, DAY_3 = date(2025, 12, 15), date(2025, 12, 16), date(2025, 12, 17)
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


def open_run(case: Case, day: date, version: int, file: str) -> RunOpened:
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
        lots=_columns(holdings.lots),
        aliases={},
        breaks=[],
    )


def _columns(lots: list[CustodyLot]) -> LotColumns:
    return LotColumns(
        [lot.lot_id for lot in lots],
        [lot.security_id for lot in lots],
        [plain(lot.quantity) for lot in lots],
        [None if lot.cost_basis is None else plain(lot.cost_basis) for lot in lots],
        [None if lot.acquired is None else lot.acquired.isoformat() for lot in lots],
        [False] * len(lots),
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
