"""The book: twenty accounts of fourteen households whose every lot was bought at a real close on a real day of 2016-2019.

Names are drawn by a seeded generator of each account.  All lots are in split-adjusted shares, as the prices are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np

from demo.sample.custodian import Custodian, CustodyAccount
from libs.common.money import cents_half_even
from libs.common.schemas.account import Budgets
from libs.common.schemas.custody import CustodyLot
from tests.e2e.real_prices.capitalisation import capitalisations
from tests.e2e.real_prices.market_directory import STRATEGY
from tests.e2e.real_prices.plans import PLANS, Plan
from tests.e2e.real_prices.source import PRICE_DECIMALS, Floats, SharedData

CUSTODIAN = "real-price-custody"
SEED = 2019
CASH_FRAC = 0.005
FIRST_PART_FRAC = 0.8
"""Of the money, what the first purchase spends where more follow; it buys every name."""
LATER_PART_FRAC = 0.3
"""Of the names chosen, how many a later purchase buys again."""


@dataclass(frozen=True)
class _Universe:
    """What could be bought on a day, and its capitalisation of that day: today's shares at that day's price."""

    tickers: tuple[str, ...]
    cap_usd: Floats


class Buyer:
    """Buys the plans' lots from the real closes of each day."""

    def __init__(self, data: SharedData, today: date) -> None:
        self._data = data
        self._today = today
        self._days: dict[date, _Universe] = {}
        self._cap_today = capitalisations(data, data.priced_members_ever(today), today)

    def lots(self, plan: Plan) -> list[CustodyLot]:
        """All lots of the account by date and name, each name at most once a day."""
        rng = np.random.Generator(np.random.PCG64([SEED, *plan.account_id.encode()]))
        bought = [self._lot(plan, each.ticker, each.day, each.dollars) for each in plan.purchases]
        alone = {each.ticker for each in plan.purchases}
        held: set[str] = set()
        for number, day in enumerate(plan.days):
            universe = self._universe(day)
            may = np.array([t not in alone and not self._data.exclusions.get(t, frozenset()) & {*plan.avoided} for t in universe.tickers])
            if number == 0 and plan.style == "sample":
                held.update(_sample(universe, may, plan.names, rng))
            had = np.array([ticker in held for ticker in universe.tickers])
            again = rng.random(len(may)) < LATER_PART_FRAC
            wanted = (~had | again if plan.style == "full" else had & (again | (number == 0))) & may
            weight = np.where(wanted, universe.cap_usd, 0.0)
            dollars = plan.dollars * (1 - CASH_FRAC) * _money_frac(number, len(plan.days)) * weight / weight.sum()
            bought += [self._lot(plan, universe.tickers[i], day, float(dollars[i])) for i in np.flatnonzero(weight)]
            held.update(universe.tickers[i] for i in np.flatnonzero(wanted))
        return _numbered(plan, [lot for lot in bought if lot.quantity > 0], rng)

    def _universe(self, day: date) -> _Universe:
        """Members of the index of that day with a close on it and today: who left by a takeover is in nobody's book any more."""
        if day not in self._days:
            tickers = self._data.priced_members(day, self._today)
            growth = [float(self._price(ticker, self._today) / self._price(ticker, day)) for ticker in tickers]
            cap = np.array([self._cap_today[ticker] for ticker in tickers]) / np.array(growth)
            self._days[day] = _Universe(tuple(tickers), cap)
        return self._days[day]

    def _price(self, ticker: str, day: date) -> Decimal:
        price = self._data.price(ticker, day)
        if price is None:
            raise ValueError(f"{ticker} has no close on {day}")
        return Decimal(f"{price:.{PRICE_DECIMALS}f}")

    def _lot(self, plan: Plan, ticker: str, day: date, dollars: float) -> CustodyLot:
        """Whole shares for the dollars; an index holder takes at least one."""
        price = self._price(ticker, day)
        shares = max(int(dollars / float(price)), 1 if plan.style == "full" else 0)
        return CustodyLot("", ticker, Decimal(shares), cents_half_even(shares * price), day)


def _money_frac(number: int, purchases: int) -> float:
    """The part of the money that one purchase spends."""
    if purchases == 1:
        return 1.0
    return FIRST_PART_FRAC if number == 0 else (1 - FIRST_PART_FRAC) / (purchases - 1)


def _sample(universe: _Universe, may: np.ndarray, names: int, rng: np.random.Generator) -> list[str]:
    """The heaviest two fifths of the names, the others drawn by capitalisation."""
    with np.errstate(divide="ignore"):
        keys = np.where(may, np.log(universe.cap_usd), -np.inf)
    order = np.argsort(-keys, kind="stable")
    drawn = keys * 0.5 + rng.gumbel(size=len(keys))
    drawn[order[: names * 2 // 5]] = np.inf
    return [universe.tickers[i] for i in np.argsort(-drawn, kind="stable")[:names]]


def _numbered(plan: Plan, lots: Sequence[CustodyLot], rng: np.random.Generator) -> list[CustodyLot]:
    ordered = sorted(lots, key=lambda lot: (lot.acquired or date.min, lot.security_id))
    lost = rng.random(len(ordered)) < plan.unknown_basis_frac
    return [
        msgspec.structs.replace(lot, lot_id=f"{plan.account_id}-{number:04d}", cost_basis=None if lost[number] else lot.cost_basis)
        for number, lot in enumerate(ordered)
    ]


def make_custodian(data: SharedData, today: date) -> Custodian:
    """The custodian's book of all plans as it opens on `today`."""
    buyer = Buyer(data, today)
    accounts = {}
    for plan in PLANS:
        cash = cents_half_even(Decimal(plan.dollars if plan.style == "cash_only" else plan.dollars * CASH_FRAC))
        accounts[plan.account_id] = CustodyAccount(plan.account_id, cash, [], {lot.lot_id: lot for lot in buyer.lots(plan)})
    return Custodian(CUSTODIAN, today, accounts)


def master_json(plans: Sequence[Plan]) -> bytes:
    """The account master as ingest takes it."""
    return msgspec.json.encode({"accounts": [_master_row(plan) for plan in plans]})


def _master_row(plan: Plan) -> dict[str, object]:
    return {
        "account_id": plan.account_id,
        "household_id": plan.household_id,
        "taxpayer_id": plan.taxpayer_id,
        "custodian": CUSTODIAN,
        "account_type": plan.account_type,
        "strategy_id": STRATEGY,
        "approval": "auto",
        "do_not_trade": plan.do_not_trade,
        "rates": plan.rates,
        "budgets": Budgets(),
        "risk_aversion": Decimal(20),
        "cash_min_frac": Decimal("0.002"),
        "cash_max_frac": Decimal("0.02"),
        "min_trade": Decimal(max(1_000, int(plan.dollars) // 500)),
        "cash_flows": [],
        "wishes": plan.wishes,
        "tax_opening": None,
        "past_sales": [],
    }
