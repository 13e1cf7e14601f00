"""Payloads for the optimizer's tests: a small market, one account with its lots, its household's ledger, screen and run.

`World` holds the payloads of one decision; `world()` builds a plain one, `random_world(seed)` one with every rule somewhere in it.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from msgspec import structs

from libs.common.schemas.account import AccountChanged, AccountType, Budgets, CashFlow, LotColumns, TaxRates
from libs.common.schemas.ledger import AccountYear, LedgerAccount, LedgerUpdated, TaxLotColumns, Window
from libs.common.schemas.market import MarketPublished, RiskModel, RunAccount, RunOpened, SecurityColumns, TargetModel
from libs.common.schemas.proposal import (
    LotInstruction,
    Pins,
    ProposalCreated,
    ProposalDeclined,
    ProposedTrade,
    TaxEstimate,
)
from libs.common.schemas.screen import RuleRef, ScreenUpdated, Verdict
from services.optimizer.core.propose import propose

AS_OF = date(2026, 1, 15)
OLD, RECENT = date(2023, 5, 2), date(2025, 9, 1)
COLLAR_BPS = 300
ZERO = Decimal(0)

Decision = ProposalCreated | ProposalDeclined


@dataclass(frozen=True)
class Lot:
    """One lot of a sample: `basis` dollars a share, None when unknown; `start` of its holding period."""

    lot_id: str
    security_id: str
    quantity: str
    basis: str | None
    start: date = OLD


@dataclass(frozen=True)
class Security:
    """One security of a sample market, with its target weight."""

    security_id: str
    price: str | None
    target: str = "0"
    group: str = ""
    blocked: str | None = None
    half_spread_bps: float = 3.0
    sector: str = "any"


def market_of(securities: list[Security], seed: int = 7, factors: int = 3) -> MarketPublished:
    """A market with a random but fixed risk model: one common factor and weaker ones."""
    random, ids = Random(seed), [each.security_id for each in securities]
    exposures = [[0.16 + 0.03 * random.gauss(0, 1), *(0.04 * random.gauss(0, 1) for _ in range(factors - 1))] for _ in ids]
    columns = SecurityColumns(
        security_id=ids,
        issuer_id=[each.group or each.security_id for each in securities],
        identity_group=[each.group or each.security_id for each in securities],
        sector=[each.sector for each in securities],
        industry=["any"] * len(ids),
        categories=[[] for _ in ids],
        price=[each.price for each in securities],
        half_spread_bps=[each.half_spread_bps for each in securities],
        adv_usd=[1e7] * len(ids),
        blocked=[each.blocked for each in securities],
    )
    risk = RiskModel(ids, [f"f{k}" for k in range(factors)], exposures, [random.uniform(0.02, 0.12) for _ in ids])
    model = [each for each in securities if Decimal(each.target) > 0]
    target = TargetModel("core", [each.security_id for each in model], [each.target for each in model])
    return MarketPublished("market-1", AS_OF, True, columns, [target], risk, [])


@dataclass(frozen=True)
class World:
    """The payloads of one decision."""

    account: AccountChanged
    screen: ScreenUpdated
    ledger: LedgerUpdated
    market: MarketPublished
    run: RunOpened
    earlier: list[Decision] = field(default_factory=list)

    def propose(self) -> Decision:
        return propose(self.account, self.screen, self.ledger, self.market, self.run, self.earlier)


def account_of(lots: list[Lot], cash: str = "0", account_type: AccountType = "taxable", **fields: object) -> AccountChanged:
    """An open account in household H, strategy core, at version 3 after 2 trades."""
    columns = LotColumns(
        lot_id=[lot.lot_id for lot in lots],
        security_id=[lot.security_id for lot in lots],
        quantity=[lot.quantity for lot in lots],
        cost_basis=[None if lot.basis is None else str(Decimal(lot.basis) * Decimal(lot.quantity)) for lot in lots],
        acquired=[lot.start.isoformat() for lot in lots],
        provisional=[False] * len(lots),
    )
    values: dict[str, object] = {
        "account_id": "A1",
        "household_id": "H",
        "taxpayer_id": "T",
        "custodian": "cust",
        "account_type": account_type,
        "version": 3,
        "business_date": AS_OF,
        "trade_seq": 2,
        "state": "open",
        "state_reason": None,
        "strategy_id": "core",
        "approval": "auto",
        "do_not_trade": False,
        "rates": TaxRates(Decimal("0.408"), Decimal("0.238")),
        "budgets": Budgets(),
        "risk_aversion": Decimal(20),
        "cash_min_frac": Decimal("0.002"),
        "cash_max_frac": Decimal("0.02"),
        "min_trade": Decimal(100),
        "cash_settled": Decimal(cash),
        "cash_unsettled": ZERO,
        "cash_flows": [],
        "wishes": [],
        "tax_opening": None,
        "past_sales": [],
        "lots": columns,
        "aliases": {},
        "breaks": [],
    }
    return AccountChanged(**{**values, **fields})  # type: ignore[arg-type]


def ledger_of(account: AccountChanged, lots: list[Lot], **fields: object) -> LedgerUpdated:
    """The household's ledger with this account alone, agreeing with it."""
    columns = TaxLotColumns(
        lot_id=account.lots.lot_id,
        security_id=account.lots.security_id,
        quantity=account.lots.quantity,
        tax_basis=account.lots.cost_basis,
        acquired=account.lots.acquired,
        holding_period_start=[lot.start.isoformat() for lot in lots],
    )
    held = LedgerAccount(account.account_id, account.version, account.trade_seq, columns, [])
    values: dict[str, object] = {
        "household_id": "H",
        "version": 5,
        "as_of": AS_OF,
        "run_id": "run-1",
        "accounts": [held],
        "blocked_buys": [],
        "blocked_loss_sales": [],
        "taxpayers": [],
        "account_years": [],
        "sales": [],
    }
    return LedgerUpdated(**{**values, **fields})  # type: ignore[arg-type]


def world(
    securities: list[Security],
    lots: list[Lot],
    cash: str = "0",
    verdicts: list[Verdict] | None = None,
    earlier: list[Decision] | None = None,
    account_type: AccountType = "taxable",
    ledger: dict[str, object] | None = None,
    **account_fields: object,
) -> World:
    """One consistent decision."""
    account = account_of(lots, cash, account_type, **account_fields)
    moment = datetime(2026, 1, 15, 21, tzinfo=UTC)
    listed = RunAccount(account.account_id, "H", account.version, account.trade_seq)
    return World(
        account=account,
        screen=ScreenUpdated(account.account_id, "H", 4, account.version, "market-1", "run-1", AS_OF, verdicts or []),
        ledger=ledger_of(account, lots, **(ledger or {})),
        market=market_of(securities),
        run=RunOpened("run-1", AS_OF, "market-1", moment, moment, COLLAR_BPS, [listed]),
        earlier=earlier or [],
    )


def verdict(
    security_id: str, kind: str = "rule", may_buy: bool = True, may_sell: bool = True, must_sell: bool = False, **bounds: Decimal
) -> Verdict:
    """A verdict of one account rule of this kind."""
    rule = RuleRef(f"r-{security_id}", kind, "security", security_id, "account")
    return Verdict(security_id, may_buy, may_sell, must_sell, bounds.get("max_weight"), bounds.get("min_weight"), [rule])


def must_sell(security_id: str) -> Verdict:
    return verdict(security_id, "must_sell", may_buy=False, must_sell=True)


def window(group: str, securities: list[str], days_left: int = 10, account_id: str = "A2", lot_ids: list[str] | None = None) -> Window:
    """A window that is open for `days_left` more days; with 0 the run's date is its last."""
    until = AS_OF + timedelta(days=days_left)
    return Window(group, securities, until - timedelta(days=30), until, account_id, "cause", lot_ids or [])


NO_TAX = TaxEstimate(ZERO, ZERO, ZERO, ZERO, ZERO)


def earlier_proposal(
    trades: list[ProposedTrade], account_id: str = "A0", run_id: str = "run-1", tax: TaxEstimate = NO_TAX
) -> ProposalCreated:
    """What an earlier account of the household decided."""
    pins = Pins(1, 1, 5, "market-1", AS_OF, {}, "test")
    numbers = (ZERO, ZERO, tax, ZERO, ZERO, ZERO)
    return ProposalCreated(f"p-{account_id}", run_id, account_id, "H", pins, "auto", Decimal(1000), trades, [], [], *numbers, "optimal")


def earlier_buy(security_id: str, price: str) -> ProposedTrade:
    return ProposedTrade(security_id, "buy", Decimal(5), Decimal(price), "drift", [], ZERO, ZERO)


def earlier_sale(security_id: str, price: str, gain: str | None, term: str = "long") -> ProposedTrade:
    """A sale of five shares with this gain in dollars."""
    lot = LotInstruction("L0", Decimal(5), term, None if gain is None else Decimal(gain))  # type: ignore[arg-type]
    return ProposedTrade(security_id, "sell", Decimal(5), Decimal(price), "drift", [lot], ZERO, ZERO)


def _random_securities(random: Random) -> list[Security]:
    count = random.randint(6, 20)
    raw = [random.uniform(0.2, 1) if random.random() < 0.8 else 0.0 for _ in range(count)]
    raw[0] = raw[0] or 0.5
    weights = [(Decimal(repr(each)) / Decimal(repr(sum(raw)))).quantize(Decimal("1e-8")) for each in raw]
    weights[0] += 1 - sum(weights, ZERO)
    securities = []
    for i, weight in enumerate(weights):
        group = f"G{i // 2}" if random.random() < 0.4 else f"S{i:02d}"
        blocked = "price_jump" if random.random() < 0.06 else None
        price = str(round(random.choice([4.0, 20.0, 90.0, 400.0]) * random.uniform(0.7, 1.5), 2))
        securities.append(Security(f"S{i:02d}", price, str(weight), group, blocked, random.choice([0.0, 2.0, 8.0])))
    return securities


def _random_lots(random: Random, securities: list[Security], value: float) -> list[Lot]:
    lots = []
    for security in securities:
        if random.random() < 0.3:
            continue
        for k in range(random.randint(1, 4)):
            price = float(security.price or 0)
            dollars = value / len(securities) * random.uniform(0.02, 1.0)
            quantity = round(dollars / price, random.choice([0, 0, 3]))
            if quantity <= 0:
                continue
            basis = None if random.random() < 0.08 else str(round(price * random.uniform(0.5, 1.6), 4))
            start = AS_OF - timedelta(days=random.choice([5, 20, 90, 364, 365, 366, 367, 900]))
            lots.append(Lot(f"{security.security_id}-{k}", security.security_id, str(quantity), basis, start))
    return lots


def _random_verdicts(random: Random, securities: list[Security]) -> list[Verdict]:
    verdicts = []
    for each in securities:
        name, kind = each.security_id, random.random()
        if each.blocked is not None:
            verdicts.append(verdict(name, each.blocked, may_buy=False, may_sell=False))
        elif kind < 0.08:
            verdicts.append(must_sell(name))
        elif kind < 0.16:
            verdicts.append(verdict(name, "never_buy", may_buy=False))
        elif kind < 0.22:
            verdicts.append(verdict(name, "hold", may_buy=False, may_sell=False))
        elif kind < 0.28:
            verdicts.append(verdict(name, "max_weight", max_weight=Decimal("0.05")))
    return verdicts


def _random_windows(random: Random, securities: list[Security], lots: list[Lot]) -> dict[str, object]:
    groups: dict[str, list[str]] = {}
    for each in securities:
        groups.setdefault(each.group, []).append(each.security_id)
    sold = [window(g, names, random.randint(-2, 20)) for g, names in groups.items() if random.random() < 0.12]
    bought = []
    for group, names in groups.items():
        own = [lot.lot_id for lot in lots if lot.security_id in names]
        if own and random.random() < 0.3:
            bought.append(window(group, names, random.randint(0, 20), "A1", [random.choice(own)]))
        elif random.random() < 0.1:
            bought.append(window(group, names, random.randint(-2, 20), "A2", ["other"]))
    return {"blocked_buys": sold, "blocked_loss_sales": bought}


def _random_budget(random: Random, value: float) -> Decimal | None:
    return None if random.random() < 0.5 else Decimal(str(round(value * random.choice([0, 0.001, 0.01]), 2)))


def random_world(seed: int) -> World:
    """A small account with rules, windows, intents, budgets, cash flows and unknown bases drawn from `seed`."""
    random = Random(seed)
    securities = _random_securities(random)
    value = random.choice([5_000.0, 50_000.0, 1_000_000.0])
    lots = _random_lots(random, securities, value) if random.random() < 0.9 else []
    tradable = [each for each in securities if each.blocked is None and each.price is not None]
    earlier: list[Decision] = []
    if random.random() < 0.5 and tradable:
        first, second = random.choice(tradable), random.choice(tradable)
        trades = [
            earlier_buy(first.security_id, str(first.price)),
            earlier_sale(second.security_id, str(second.price), random.choice(["-9", "900", None])),
        ]
        earlier = [earlier_proposal(trades)]
    year = AccountYear("A1", AS_OF.year, Decimal(random.randint(-300, 300)), Decimal(random.randint(-300, 300)))
    flows = [CashFlow(AS_OF + timedelta(days=3), Decimal(str(round(-value * 0.05, 2))))] if random.random() < 0.3 else []
    cash = value * random.choice([0.0, 0.005, 0.1, 1.0])
    return world(
        securities,
        lots,
        str(round(cash + 100, 2)),
        _random_verdicts(random, securities),
        earlier,
        random.choice(["taxable", "taxable", "taxable", "traditional_ira"]),
        {**_random_windows(random, securities, lots), "account_years": [year]},
        budgets=Budgets(_random_budget(random, value), _random_budget(random, value), _random_budget(random, value)),
        min_trade=Decimal(random.choice([0, 50, 250])),
        risk_aversion=Decimal(random.choice([1, 20, 200])),
        cash_flows=flows,
        cash_unsettled=Decimal(str(round(value * random.choice([0, 0, 0.01, -0.01]), 2))),
    )


def with_account(base: World, **fields: object) -> World:
    """The same decision with other account fields, ledger and run unchanged."""
    return replace(base, account=structs.replace(base.account, **fields))
