"""Short ways to write a household's events in tests."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import cents_half_even, plain
from libs.common.schemas.account import AccountChanged, AccountType, Budgets, Lot, LotColumns, PastSale, TaxOpening, TaxRates
from libs.common.schemas.market import CorporateAction, Reorganization, ReorganizationKind
from libs.common.schemas.order import BookedLot, TradeBooked
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS, SecurityFacts, security_facts
from services.wash_sale.core.transitions import apply_account, apply_trade

D = Decimal
START = date(2025, 1, 2)


def day(number: int) -> date:
    """The day `number` days after START."""
    return START + timedelta(days=number)


def lot(lot_id: str, security_id: str, quantity: str, cost: str | None, acquired: date | None) -> Lot:
    return Lot(lot_id, security_id, D(quantity), None if cost is None else D(cost), acquired, lot_id.startswith("P-"))


def columns(lots: Iterable[Lot]) -> LotColumns:
    ordered = sorted(lots, key=lambda each: (each.security_id, each.acquired or date.min, each.lot_id))
    return LotColumns(
        [each.lot_id for each in ordered],
        [each.security_id for each in ordered],
        [plain(each.quantity) for each in ordered],
        [None if each.cost_basis is None else plain(each.cost_basis) for each in ordered],
        [None if each.acquired is None else each.acquired.isoformat() for each in ordered],
        [each.provisional for each in ordered],
    )


def account(
    account_id: str = "A1",
    lots: Iterable[Lot] = (),
    *,
    version: int = 1,
    trade_seq: int = 0,
    account_type: AccountType = "taxable",
    taxpayer_id: str = "T1",
    household_id: str = "H1",
    business_date: date = START,
    aliases: Mapping[str, str] | None = None,
    past_sales: Iterable[PastSale] = (),
    tax_opening: TaxOpening | None = None,
) -> AccountChanged:
    return AccountChanged(
        account_id=account_id,
        household_id=household_id,
        taxpayer_id=taxpayer_id,
        custodian="CUST",
        account_type=account_type,
        version=version,
        business_date=business_date,
        trade_seq=trade_seq,
        state="open",
        state_reason=None,
        strategy_id="S",
        approval="auto",
        do_not_trade=False,
        rates=TaxRates(D("0.408"), D("0.238")),
        budgets=Budgets(),
        risk_aversion=D(20),
        cash_min_frac=D("0.002"),
        cash_max_frac=D("0.02"),
        min_trade=D(200),
        cash_settled=D(0),
        cash_unsettled=D(0),
        cash_flows=[],
        wishes=[],
        tax_opening=tax_opening,
        past_sales=list(past_sales),
        lots=columns(lots),
        aliases=dict(aliases or {}),
        breaks=[],
    )


def _trade(
    trade_id: str, seq: int, on: date, account_id: str, security_id: str, side: str, quantity: str, amount: str, order: str | None
) -> TradeBooked:
    return TradeBooked(
        trade_id=trade_id,
        trade_seq=seq,
        kind="fill",
        ref_trade_id=None,
        account_id=account_id,
        household_id="H1",
        run_id="R",
        cl_ord_id=order or f"O-{trade_id}",
        exec_id=f"E-{trade_id}",
        security_id=security_id,
        side="buy" if side == "buy" else "sell",
        quantity=D(quantity),
        price=abs(D(amount)) / D(quantity),
        fees=D(0),
        amount=cents_half_even(D(amount)),
        trade_date=on,
        settle_date=on + timedelta(days=1),
        lots=[],
    )


def buy(
    trade_id: str,
    seq: int,
    on: date,
    quantity: str,
    cost: str,
    *,
    account_id: str = "A1",
    security_id: str = "XYZ",
    order: str | None = None,
) -> TradeBooked:
    return _trade(trade_id, seq, on, account_id, security_id, "buy", quantity, f"-{cost}", order)


def sell(
    trade_id: str,
    seq: int,
    on: date,
    proceeds: str,
    lots: Mapping[str, str],
    *,
    account_id: str = "A1",
    security_id: str = "XYZ",
    order: str | None = None,
) -> TradeBooked:
    booked = [BookedLot(lot_id, D(quantity)) for lot_id, quantity in lots.items()]
    total = plain(sum((each.quantity for each in booked), D(0)))
    return replace(_trade(trade_id, seq, on, account_id, security_id, "sell", total, proceeds, order), lots=booked)


def bust(trade_id: str, seq: int, of: TradeBooked) -> TradeBooked:
    return replace(of, trade_id=trade_id, trade_seq=seq, kind="bust", ref_trade_id=of.trade_id, amount=-of.amount)


def split(security_id: str, ex_date: date, ratio: str) -> CorporateAction:
    return CorporateAction(security_id, ex_date, "split", D(ratio))


def merger(old: str, ex_date: date, new: str, ratio: str, cash: str | None = None, new_price: str | None = None) -> Reorganization:
    dollars = None if cash is None else D(cash)
    return Reorganization(old, ex_date, "merger", new, D(ratio), dollars, None if new_price is None else D(new_price))


def spin_off(parent: str, ex_date: date, new: str, ratio: str, new_price: str, parent_price: str) -> Reorganization:
    return Reorganization(parent, ex_date, "spin_off", new, D(ratio), None, D(new_price), D(parent_price))


def paid(security_id: str, ex_date: date, kind: ReorganizationKind, cash: str) -> Reorganization:
    return Reorganization(security_id, ex_date, kind, cash_per_share=D(cash))


def acted(*actions: Reorganization, splits: Iterable[CorporateAction] = (), groups: Mapping[str, str] | None = None) -> SecurityFacts:
    return security_facts(groups or {}, splits, date.max, (), actions)


def facts(groups: Mapping[str, str] | None = None, *splits: CorporateAction) -> SecurityFacts:
    return security_facts(groups or {}, splits, date.max)


def applied(
    events: Iterable[AccountChanged | TradeBooked], securities: SecurityFacts = NO_SECURITY_FACTS, ledger: HouseholdLedger | None = None
) -> HouseholdLedger:
    """The ledger after the events; an AssertionError names a refusal."""
    ledger = ledger or HouseholdLedger("H1")
    for event in events:
        outcome = apply_account(ledger, event, securities) if isinstance(event, AccountChanged) else apply_trade(ledger, event, securities)
        assert not isinstance(outcome, Refusal), outcome.text()
        ledger = outcome
    return ledger
