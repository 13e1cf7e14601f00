"""The sample's accounts: counts, lots at historic prices, and each story present."""

from collections import Counter
from decimal import Decimal
from functools import cache

import msgspec
import numpy as np

from demo.sample import STORIES
from demo.sample.book import CUSTODIAN, SampleAccount, make_book, master_json
from demo.sample.days import DEMO_DAYS, is_business_day
from demo.sample.market import DIVIDEND, LARGE
from demo.sample.picks import make_picks, split_adjusted, split_factor
from demo.sample.plans import FAITH_CATEGORIES
from demo.sample.stories import UNKNOWN_SECURITY
from libs.common.schemas.account import Budgets, CashFlow, PastSale, TaxOpening, TaxRates, Wish
from libs.common.schemas.custody import CustodyLot
from tests.unit.demo.shared_sample import made

TODAY = DEMO_DAYS[0].business_date


def account(account_id: str) -> SampleAccount:
    return next(a for a in made().accounts if a.plan.account_id == account_id)


@cache
def prices_before_the_demo() -> list[int]:
    """Cents by column of the universe."""
    market = made().market
    prices: list[int] = market.history.price_cents[market.row(TODAY) - 1].tolist()
    return prices


def value_of(lots: list[CustodyLot]) -> Decimal:
    """Dollars at the prices of the day before the demo."""
    market, prices = made().market, prices_before_the_demo()
    return sum(
        (lot.quantity * prices[market.column_of[lot.security_id]] / 100 for lot in lots if lot.security_id in market.column_of), Decimal(0)
    )


def gains(lots: list[CustodyLot]) -> list[Decimal]:
    """Unrealised gain of each lot of known basis, dollars."""
    return [value_of([lot]) - lot.cost_basis for lot in lots if lot.cost_basis is not None]


def test_counts() -> None:
    accounts = made().accounts
    assert len(accounts) == len({a.plan.account_id for a in accounts}) == 250
    assert len({a.plan.household_id for a in accounts}) == 170
    assert 40_000 <= sum(len(a.lots) for a in accounts) <= 60_000
    assert len({lot.lot_id for a in accounts for lot in a.lots}) == sum(len(a.lots) for a in accounts)
    kinds = Counter(a.plan.account_type for a in accounts)
    assert kinds["taxable"] > 150 and kinds["traditional_ira"] > 20 and kinds["roth_ira"] > 5
    assert {a.plan.strategy_id for a in accounts} == {LARGE, DIVIDEND}


def test_account_values_are_between_200k_and_5m() -> None:
    values = [value_of(a.lots) + a.cash for a in made().accounts]
    assert min(values) > 170_000 and max(values) < 5_500_000


def test_lots_are_bought_on_business_days_at_historic_prices() -> None:
    market = made().market
    factor, price = split_factor(market).tolist(), market.history.price_cents.tolist()
    row_of, checked = {day: row for row, day in enumerate(market.history.days)}, 0
    for lot in (lot for a in made().accounts for lot in a.lots):
        if lot.acquired is None or lot.security_id == UNKNOWN_SECURITY:
            continue
        assert is_business_day(lot.acquired) and lot.acquired < TODAY
        if lot.cost_basis is not None:
            row, column = row_of[lot.acquired], market.column_of[lot.security_id]
            paid = lot.quantity / factor[row][column] * price[row][column] / 100
            assert abs(lot.cost_basis - paid) <= Decimal("0.005")
            checked += 1
    assert checked > 40_000


def test_terms_gains_losses_fractions_and_recent_purchases() -> None:
    lots = [lot for a in made().accounts for lot in a.lots if lot.acquired is not None]
    age = Counter(
        "recent" if days <= 30 else "short" if days <= 365 else "long"
        for days in ((TODAY - lot.acquired).days for lot in lots if lot.acquired)
    )
    assert age["recent"] > 1_000 and age["short"] > 3_000 and age["long"] > 20_000
    signs = Counter(gain > 0 for a in made().accounts for gain in gains(a.lots) if gain)
    assert signs[True] > 15_000 and signs[False] > 4_000
    assert 500 < sum(lot.quantity % 1 != 0 for lot in lots) < len(lots) / 3
    assert all(lot.quantity > 0 for lot in lots)


def test_full_accounts_hold_every_name() -> None:
    full = [
        a
        for a in made().accounts
        if a.plan.holding.style == "full" and not (a.plan.avoided_categories or a.plan.avoided_industries or a.plan.past_sales)
    ]
    assert len(full) > 10
    assert all(len({lot.security_id for lot in a.lots}) == 500 for a in full)


def test_stories_name_the_first_thirty_accounts_once() -> None:
    told = [account_id for story in STORIES.values() for account_id in story.accounts]
    assert sorted(told) == [f"A{number:04d}" for number in range(1, 31)]


def test_family_has_every_kind_of_account() -> None:
    plans = [account(a).plan for a in STORIES["family"].accounts]
    assert [p.account_type for p in plans] == ["taxable", "traditional_ira", "roth_ira", "taxable"]
    assert len({p.household_id for p in plans}) == 1 and len({p.taxpayer_id for p in plans}) == 2


def test_a_recent_purchase_blocks_a_loss_sale_in_another_account() -> None:
    groups = {s.security_id: s.identity_group for s in made().market.universe}
    for story, same_security in (("wash_sale_block", True), ("wash_sale_block_share_class", False)):
        loser, buyer = (account(a) for a in STORIES[story].accounts)
        assert loser.plan.household_id == buyer.plan.household_id and loser.plan.account_type == "taxable"
        recent = {lot.security_id for lot in buyer.lots if lot.acquired is not None and 0 < (TODAY - lot.acquired).days <= 30}
        losing = {
            lot.security_id
            for lot, gain in zip(loser.lots, gains(loser.lots), strict=True)
            if lot.acquired is not None and gain < -5_000 and (TODAY - lot.acquired).days > 30
        }
        assert {groups[s] for s in recent} & {groups[s] for s in losing}
        assert bool(recent & losing) == same_security


def test_price_jump_account_wants_the_whole_position_sold() -> None:
    holder = account("A0009")
    assert [(w.kind, w.by, w.target) for w in holder.plan.wishes] == [("must_sell", "security", made().market.jump_security)]
    assert any(lot.security_id == made().market.jump_security for lot in holder.lots)
    assert sum(any(lot.security_id == made().market.jump_security for lot in a.lots) for a in made().accounts) > 30


def test_unknown_basis_lots() -> None:
    for account_id in STORIES["unknown_basis"].accounts:
        lots = account(account_id).lots
        unknown = [lot for lot in lots if lot.cost_basis is None]
        assert len(unknown) > len(lots) / 4 and {lot.acquired is None for lot in unknown} == {True, False}


def test_tax_budget_account_has_a_large_gain_in_one_name() -> None:
    holder = account("A0012")
    by_name = {name: value_of([lot for lot in holder.lots if lot.security_id == name]) for name in {lot.security_id for lot in holder.lots}}
    assert max(by_name.values()) / value_of(holder.lots) > Decimal("0.3")
    assert max(gains(holder.lots)) > 100_000 and holder.plan.budgets.tax == 4000


def test_one_name_over_30_per_cent_in_the_concentrated_account() -> None:
    holder = account("A0027")
    assert max(value_of([lot]) for lot in holder.lots) / value_of(holder.lots) > Decimal("0.3")


def test_parked_account_holds_a_security_that_nobody_knows() -> None:
    known = made().market.column_of
    holders = {a.plan.account_id: lot.security_id for a in made().accounts for lot in a.lots if lot.security_id not in known}
    assert holders == {"A0013": UNKNOWN_SECURITY}


def test_restricted_accounts_hold_nothing_restricted() -> None:
    categories = {s.security_id: set(s.categories) for s in made().market.universe}
    for account_id in STORIES["faith"].accounts:
        assert not any(categories[lot.security_id] & set(FAITH_CATEGORIES) for lot in account(account_id).lots)
    asked = account("A0014")
    assert {w.target for w in asked.plan.wishes if w.scope == "household"} == set(FAITH_CATEGORIES)
    assert asked.cash > asked.plan.holding.value_usd * Decimal("0.4")
    industries = {s.security_id: s.industry for s in made().market.universe}
    assert {industries[lot.security_id] for lot in account("A0016").lots} >= {"Casinos", "Tobacco"}


def test_legacy_account_holds_names_outside_every_strategy() -> None:
    market = made().market
    in_a_strategy = set(np.flatnonzero(sum(market.models.values())).tolist())
    outside = [lot for lot in account("A0026").lots if market.column_of[lot.security_id] not in in_a_strategy]
    assert len(outside) >= 15


def test_past_losses_lie_within_30_days_and_are_losses() -> None:
    sales = [sale for a in made().accounts for sale in a.plan.past_sales]
    assert len([s for s in sales if s.account_id == "A0022"]) == 3 and len(sales) > 8
    assert all(sale.gain < 0 and 0 < (TODAY - sale.trade_date).days <= 30 for sale in sales)
    held = {(a.plan.account_id, lot.security_id) for a in made().accounts for lot in a.lots}
    assert not any((sale.account_id, sale.security_id) in held for sale in sales)


def test_the_other_wishes_of_owners() -> None:
    plans = {a.plan.account_id: a.plan for a in made().accounts}
    assert plans["A0017"].do_not_trade
    assert plans["A0018"].approval == plans["A0019"].approval == "manual"
    assert plans["A0020"].cash_flows[0].amount < 0 < plans["A0021"].cash_flows[0].amount
    assert account("A0028").lots == [] and account("A0028").cash == 1_000_000
    (bounded,) = plans["A0028"].wishes
    heaviest = made().market.models[LARGE].argmax()
    assert bounded.kind == "max_weight" and bounded.target == made().market.universe[heaviest].security_id
    assert made().market.models[LARGE][heaviest] / 1e8 > bounded.limit_frac
    (sold,) = plans["A0030"].wishes
    position = sum(lot.quantity for lot in account("A0030").lots if lot.security_id == sold.target)
    assert sold.kind == "must_sell" and position % 1 == Decimal("0.625")


class MasterRow(msgspec.Struct, forbid_unknown_fields=True):
    """The account master as docs/file-formats.md gives it."""

    account_id: str
    household_id: str
    taxpayer_id: str
    custodian: str
    account_type: str
    strategy_id: str
    approval: str
    do_not_trade: bool
    rates: TaxRates
    budgets: Budgets
    risk_aversion: Decimal
    cash_min_frac: Decimal
    cash_max_frac: Decimal
    min_trade: Decimal
    cash_flows: list[CashFlow]
    wishes: list[Wish]
    tax_opening: TaxOpening | None
    past_sales: list[PastSale]


def test_master_reads_back() -> None:
    rows = msgspec.json.decode(master_json(made().accounts), type=dict[str, list[MasterRow]])["accounts"]
    assert len(rows) == 250 and {row.custodian for row in rows} == {CUSTODIAN}
    wish_ids = [wish.wish_id for row in rows for wish in row.wishes]
    assert len(wish_ids) == len(set(wish_ids))
    assert all(row.rates == TaxRates(Decimal(0), Decimal(0)) for row in rows if row.account_type != "taxable")


def test_same_book_again() -> None:
    assert make_book(made().market) == made().accounts


def test_picks_fit_their_stories() -> None:
    market = made().market
    picks, price = make_picks(market), split_adjusted(market)
    assert price[picks.today_row, picks.wash] < price[picks.wash_row, picks.wash]
    assert 0 < (TODAY - market.history.days[picks.recent_row]).days <= 30
