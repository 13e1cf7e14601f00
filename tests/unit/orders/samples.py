"""A household of three accounts, a small market and a proposal that passes every check; tests change one thing at a time."""

from datetime import UTC, date, datetime
from decimal import Decimal

from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged, Budgets, LotColumns, TaxRates
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, TaxLotColumns, Window
from libs.common.schemas.market import RunAccount, RunOpened, SecurityColumns
from libs.common.schemas.order import Allocation, ExecType, ExecutionReported, OrderLot, OrderPlaced
from libs.common.schemas.proposal import LotInstruction, Pins, ProposalCreated, ProposedTrade, Side, TaxEstimate
from libs.common.schemas.screen import RuleRef, ScreenUpdated, Verdict
from services.orders.core.evidence import Evidence, HouseholdFacts, Policy, Quotes, quotes_of, run_facts
from services.orders.core.reservations import Reservation, ReservationKind

D = Decimal
AS_OF = date(2026, 3, 2)
OPENED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
CUTOFF = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
POLICY = Policy(max_orders_per_run=5, weight_tolerance_frac=D("0.0005"), fee_per_share=D("0.01"))

# security, identity group, price, blocked
NAMES: list[tuple[str, str, str | None, str | None]] = [
    ("AAA", "AAA", "100", None),
    ("BBB", "BBB", "50", None),
    ("BBB.B", "BBB", "55", None),
    ("CCC", "CCC", "20", None),
    ("JMP", "JMP", "10", "price_jump"),
    ("NOP", "NOP", None, None),
]


def securities(**prices: str) -> SecurityColumns:
    """The market's securities; `prices` replaces some (dots in names become underscores)."""
    return SecurityColumns(
        security_id=[name[0] for name in NAMES],
        issuer_id=[name[1] for name in NAMES],
        identity_group=[name[1] for name in NAMES],
        sector=["S" for _ in NAMES],
        industry=["I" for _ in NAMES],
        categories=[[] for _ in NAMES],
        price=[prices.get(name[0].replace(".", "_"), name[2]) for name in NAMES],
        half_spread_bps=[2.0 for _ in NAMES],
        adv_usd=[1e7 for _ in NAMES],
        blocked=[name[3] for name in NAMES],
    )


def quotes(**prices: str) -> Quotes:
    return quotes_of("market-1", AS_OF, securities(**prices))


# lot, security, quantity, basis in all (None: unknown), provisional
LOTS: list[tuple[str, str, str, str | None, bool]] = [
    ("a1", "AAA", "10", "1500", False),
    ("a2", "AAA", "20", "1000", False),
    ("b1", "BBB", "30.5", "1000", False),
    ("c1", "CCC", "40", None, False),
    ("n1", "NOP", "5", "50", False),
    ("j1", "JMP", "5", "50", False),
    ("s1", "BBB.B", "0.4", "10", False),
    ("P-1", "CCC", "4", "60", True),
]


def columns(lots: list[tuple[str, str, str, str | None, bool]]) -> LotColumns:
    return LotColumns(
        [lot[0] for lot in lots],
        [lot[1] for lot in lots],
        [lot[2] for lot in lots],
        [lot[3] for lot in lots],
        ["2024-01-05" for _ in lots],
        [lot[4] for lot in lots],
    )


def tax_columns(lots: list[tuple[str, str, str, str | None, bool]]) -> TaxLotColumns:
    plain = columns(lots)
    return TaxLotColumns(plain.lot_id, plain.security_id, plain.quantity, plain.cost_basis, plain.acquired, plain.acquired)


ACCOUNT = AccountChanged(
    account_id="A1",
    household_id="H1",
    taxpayer_id="T1",
    custodian="sim",
    account_type="taxable",
    version=3,
    business_date=AS_OF,
    trade_seq=7,
    state="open",
    state_reason=None,
    strategy_id="s",
    approval="auto",
    do_not_trade=False,
    rates=TaxRates(D("0.4"), D("0.2")),
    budgets=Budgets(),
    risk_aversion=D(20),
    cash_min_frac=D("0.002"),
    cash_max_frac=D("0.02"),
    min_trade=D(200),
    cash_settled=D("1000"),
    cash_unsettled=D("0"),
    cash_flows=[],
    wishes=[],
    tax_opening=None,
    past_sales=[],
    lots=columns(LOTS),
    aliases={},
    breaks=[],
)

RUN = RunOpened(
    run_id="R1",
    as_of=AS_OF,
    market_id="market-1",
    opened_at=OPENED,
    cutoff_at=CUTOFF,
    price_collar_bps=100,
    accounts=[
        RunAccount("A0", "H1", 2, 0),
        RunAccount("A1", "H1", 3, 7),
        RunAccount("0R", "H1", 1, 0),
        RunAccount("X1", "H1", 1, 0, "stale"),
        RunAccount("Z1", "H2", 1, 0),
    ],
)

SCREEN = ScreenUpdated("A1", "H1", 4, 3, "market-1", "R1", AS_OF, [])

LEDGER = LedgerUpdated(
    household_id="H1",
    version=9,
    as_of=AS_OF,
    run_id="R1",
    accounts=[LedgerAccount("A0", 2, 0, tax_columns([]), []), LedgerAccount("A1", 3, 7, tax_columns(LOTS), [])],
    blocked_buys=[],
    blocked_loss_sales=[],
    taxpayers=[],
    account_years=[],
    sales=[],
)

PINS = Pins(3, 4, 9, "market-1", AS_OF, {"A0": "proposal-A0"}, "solver-1")

HOUSEHOLD = HouseholdFacts(
    reservations=[],
    account_types={"A0": "taxable", "A1": "taxable", "0R": "roth_ira", "X1": "taxable"},
    answers={"A0": "proposal-A0"},
    booked_seq={"A1": 7},
)


def buy(security_id: str, quantity: str, price: str) -> ProposedTrade:
    return ProposedTrade(security_id, "buy", D(quantity), D(price), "drift", [], D(0), D(0))


def sell(security_id: str, price: str, **lots: str) -> ProposedTrade:
    """A sale of the given lots (dashes in lot ids become underscores)."""
    taken = [LotInstruction(lot_id.replace("_", "-"), D(quantity), "long", None) for lot_id, quantity in lots.items()]
    return ProposedTrade(security_id, "sell", sum((lot.quantity for lot in taken), D(0)), D(price), "drift", taken, D(0), D(0))


def proposal(*trades: ProposedTrade, proposal_id: str = "proposal-A1", account_id: str = "A1", pins: Pins = PINS) -> ProposalCreated:
    """A proposal of account A1 in run R1; without trades: sell 5 AAA at a gain, buy 8 BBB."""
    return ProposalCreated(
        proposal_id=proposal_id,
        run_id="R1",
        account_id=account_id,
        household_id="H1",
        pins=pins,
        approval="auto",
        account_value=D(7_000),
        trades=list(trades) or [sell("AAA", "100", a2="5"), buy("BBB", "8", "50")],
        unmet=[],
        binding=[],
        te_before_frac=D("0.02"),
        te_after_frac=D("0.01"),
        tax=TaxEstimate(D(0), D(0), D(0), D(0), D(0)),
        cost=D(0),
        cash_before=D(1000),
        cash_after=D(1000),
        solve_status="optimal",
    )


EVIDENCE = Evidence(
    kill_switch=False,
    run=run_facts(RUN, closed=False),
    account=ACCOUNT,
    screen=SCREEN,
    ledger=LEDGER,
    quotes=quotes(),
    run_market_seen=True,
    household=HOUSEHOLD,
    open_orders=0,
    blocks=(),
    prior_proposal_id=None,
)


def verdict(security_id: str, **changes: object) -> Verdict:
    free = Verdict(security_id, True, True, False, None, None, [RuleRef("r1", "never_buy", "sector", "S", "account")])
    return replace(free, **changes)


def window(*security_ids: str, until: date = AS_OF, lot_ids: tuple[str, ...] = (), account_id: str = "A0") -> Window:
    return Window("G", list(security_ids), date(2026, 2, 2), until, account_id, "trade-1", list(lot_ids))


def reservation(
    kind: ReservationKind, group: str, account_id: str = "A0", proposal_id: str = "proposal-A0", cash: str = "0"
) -> Reservation:
    return Reservation(proposal_id, "R1", "H1", account_id, group, group, kind, [], D(cash))


def order_lots(*quantities: str) -> list[OrderLot]:
    return [OrderLot(f"lot-{i}", D(quantity), None, None) for i, quantity in enumerate(quantities)]


def allocation(account_id: str, *lots: str, quantity: str | None = None) -> Allocation:
    """A sale's allocation of whole lots with its fraction, or a buy's of `quantity`."""
    total = D(quantity) if quantity is not None else sum(map(D, lots), D(0))
    whole = D(int(total))
    return Allocation(f"alloc-{account_id}", account_id, f"H-{account_id}", f"p-{account_id}", whole, total - whole, order_lots(*lots))


def order(*allocations: Allocation, side: Side = "sell") -> OrderPlaced:
    return OrderPlaced(
        cl_ord_id="order-1",
        run_id="R1",
        security_id="AAA",
        side=side,
        order_qty=sum((a.alloc_qty for a in allocations), D(0)),
        ord_type="market",
        time_in_force="day",
        currency="USD",
        reference_price=D(100),
        price_collar_bps=100,
        trade_date=AS_OF,
        transact_time=OPENED,
        allocations=list(allocations),
    )


def execution(
    exec_id: str, exec_type: ExecType, quantity: str | int = 0, price: str | None = None, ref: str | None = None, minute: int = 0
) -> ExecutionReported:
    """An execution of order-1, `minute` minutes after the open."""
    return ExecutionReported(
        exec_id=exec_id,
        cl_ord_id="order-1",
        exec_type=exec_type,
        last_qty=D(quantity),
        last_px=None if price is None else D(price),
        cum_qty=D(0),
        leaves_qty=D(0),
        transact_time=OPENED.replace(minute=minute),
        trade_date=AS_OF,
        exec_ref_id=ref,
    )
