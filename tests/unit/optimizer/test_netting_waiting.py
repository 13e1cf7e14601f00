"""The value of waiting, the worth of a loss, and the tax position of a case."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.account import Budgets, LossPolicy, TaxRates
from libs.common.schemas.ledger import AccountYear, TaxpayerYear
from services.optimizer.core.build import build_problem
from services.optimizer.core.dual.tax_law import Budgets as LawBudgets
from services.optimizer.core.dual.tax_law import Nets, TaxLaw
from services.optimizer.core.inputs import Case
from services.optimizer.core.policy import DEFAULT_POLICY, WaitingSettings
from services.optimizer.core.tax_position import tax_position
from services.optimizer.core.waiting import days_to_wait, expected_saving, loss_worth, saved_by_waiting, waiting_prices
from tests.unit.optimizer.samples import AS_OF, OLD, Lot, Security, world
from tests.unit.optimizer.test_harvest import case_of

D = Decimal
LAW = TaxLaw(D("0.408"), D("0.238"), D("0.37"), D(3000), D("0.19"), D("0.10"))
SETTINGS = WaitingSettings(horizon_days=60, lapse_frac_ann=0.5, discount_frac_ann=0.04)
SOON = AS_OF.replace(year=AS_OF.year - 1) + timedelta(days=9)  # long from ten days after AS_OF on
AMOUNTS = st.integers(-50_000, 50_000).map(D)


def case(start: date = SOON, basis: str = "40", account_type: str = "taxable", **taxpayer: str) -> Case:
    made = world([Security("AAA", "100", "1")], [Lot("a", "AAA", "100", basis, start)], cash="0", account_type=account_type)  # type: ignore[arg-type]
    found = case_of(made)
    year = TaxpayerYear(
        found.account.taxpayer_id,
        AS_OF.year,
        **{
            name: D(taxpayer.get(name, "0"))
            for name in ("short_gain", "short_loss", "long_gain", "long_loss", "carried_short_loss", "carried_long_loss")
        },
    )
    return replace(found, taxpayer_year=year)


def netted(found: Case, **losses: Decimal) -> Case:
    account = structs.replace(
        found.account,
        losses=LossPolicy("netted", **losses),
        rates=TaxRates(D("0.408"), D("0.238"), D("0.37")),
        budgets=Budgets(D(1000), D(2000), None),
    )
    return replace(found, account=account)


def test_a_gain_ten_days_from_long_term_has_the_expected_saving_as_price() -> None:
    found = case()
    rates = found.account.rates
    saved = float(rates.short_frac - rates.long_frac) * 0.6
    assert days_to_wait(found.lots[0], AS_OF, 60) == 10
    assert days_to_wait(found.lots[0], AS_OF, 9) is None
    assert days_to_wait(found.lots[0], AS_OF, 10) == 10
    assert waiting_prices(found, SETTINGS) == [pytest.approx(saved * (0.5 / 1.04) ** (10 / 365))]
    assert build_problem(found, replace(DEFAULT_POLICY, waiting=SETTINGS)).policy_frac.tolist() == waiting_prices(found, SETTINGS)


@pytest.mark.parametrize(
    "found",
    [
        case(start=OLD),
        case(start=AS_OF - timedelta(days=200)),
        case(basis="120"),
        case(account_type="roth_ira"),
        netted(case(short_loss="50000", carried_long_loss="50000")),
    ],
    ids=["long already", "too far", "a loss", "no taxes", "losses absorb either character"],
)
def test_no_price_on_waiting_where_it_saves_nothing(found: Case) -> None:
    assert waiting_prices(found, SETTINGS) == [0.0]


def test_the_saving_is_the_difference_between_two_netted_years() -> None:
    assert saved_by_waiting(LAW, Nets(), D(1000)) == D("170.000")
    assert saved_by_waiting(LAW, Nets(short=D(-400)), D(1000)) == D("102.000")  # six hundred are left to tax
    assert saved_by_waiting(LAW, Nets(long=D(-400)), D(1000)) == D("102.000")
    assert saved_by_waiting(LAW, Nets(short=D(-1000)), D(1000)) == 0


@given(st.floats(0, 1), st.integers(0, 60), st.integers(0, 60))
def test_a_longer_wait_is_never_worth_more(saved: float, first: int, second: int) -> None:
    near, far = sorted((first, second))
    assert saved >= expected_saving(saved, near, SETTINGS) >= expected_saving(saved, far, SETTINGS) >= 0


@pytest.mark.parametrize(
    ("year", "loss", "expected"),
    [
        (Nets(D(5000), D(0)), Nets(short=D(1000)), D("408")),
        (Nets(D(0), D(5000)), Nets(short=D(1000)), D("238")),
        (Nets(D(5000), D(0)), Nets(long=D(1000)), D("408")),
        (Nets(), Nets(short=D(1000)), D("370")),
        (Nets(D(-3000), D(0)), Nets(short=D(1000)), D("190")),
        (Nets(D(-3000), D(0)), Nets(long=D(1000)), D("100")),
        (Nets(D(500), D(0)), Nets(long=D(4500)), D("500") * D("0.408") + D(3000) * D("0.37") + D(1000) * D("0.10")),
    ],
    ids=["short gain", "long gain", "long loss on short gain", "income", "carried short", "carried long", "all three"],
)
def test_a_loss_is_worth_what_it_is_used_on(year: Nets, loss: Nets, expected: Decimal) -> None:
    assert loss_worth(LAW, year, loss) == expected


@given(AMOUNTS, AMOUNTS, st.integers(1, 20_000))
def test_a_loss_is_worth_something_between_nothing_and_the_dearest_rate(short: Decimal, long: Decimal, loss: int) -> None:
    for each in (Nets(short=D(loss)), Nets(long=D(loss))):
        assert 0 <= loss_worth(LAW, Nets(short, long), each) <= LAW.short_frac * loss


def test_the_position_is_the_taxpayers_for_the_cost_and_the_accounts_for_budgets() -> None:
    found = netted(case(short_gain="900", long_loss="300", carried_short_loss="500", carried_long_loss="70"), carried_frac=D("0.2"))
    found = replace(found, year=AccountYear(found.account.account_id, AS_OF.year, D(600), D(-100)), only_account=False)
    position = tax_position(found)
    assert position is not None
    assert position.year == Nets(D(400), D(-370))
    assert position.budget_year == Nets(D(600), D(-100))
    assert position.budgets == LawBudgets(D(1000), D(2000), None)
    assert position.law == TaxLaw(D("0.408"), D("0.238"), D("0.37"), D(3000), D("0.2"), D("0.2"))
    assert position.value == found.value_usd - found.withdrawal_usd
    alone = tax_position(replace(found, only_account=True))
    assert alone is not None
    assert alone.budget_year == Nets(D(100), D(-170))


def test_losses_at_their_rates_have_no_position_and_losses_worth_nothing_save_on_gains_alone() -> None:
    found = case()
    assert tax_position(found) is None
    none = tax_position(replace(found, account=structs.replace(found.account, losses=LossPolicy("none", D("0.2")))))
    assert none is not None
    assert (none.law.ordinary_limit, none.law.carried_short_frac, none.law.carried_long_frac) == (D(0), D(0), D(0))
