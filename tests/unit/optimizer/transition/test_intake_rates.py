"""Rates on the next dollar of gain: brackets of the year, net investment income tax, a state's from what is supplied."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from libs.common.federal_tax import FilingStatus
from services.optimizer.transition.client_form import Form, StateRates
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.federal_rates import ClientRates, client_rates, marginal_rates


@pytest.mark.parametrize(
    ("year", "status", "income", "ordinary", "gain", "net_investment"),
    [
        # Rev. Proc. 2025-32: single 2026, 0 % to 49,450, 15 % to 545,500; ordinary to 12,400 50,400 105,700 201,775 256,225 640,600
        (2026, "single", 0, "0.10", "0", "0"),
        (2026, "single", 49_449, "0.12", "0", "0"),
        (2026, "single", 49_450, "0.12", "0.15", "0"),
        (2026, "single", 199_999, "0.24", "0.15", "0"),
        (2026, "single", 200_000, "0.24", "0.15", "0.038"),
        (2026, "single", 545_500, "0.35", "0.20", "0.038"),
        (2026, "single", 640_600, "0.37", "0.20", "0.038"),
        (2026, "mfj", 249_999, "0.24", "0.15", "0"),
        (2026, "mfj", 250_000, "0.24", "0.15", "0.038"),
        (2026, "mfs", 125_000, "0.24", "0.15", "0.038"),
        (2026, "hoh", 66_199, "0.12", "0", "0"),
        # Pub. 550 (2025), Table 4-4
        (2025, "mfs", 300_000, "0.35", "0.20", "0.038"),
        (2025, "single", 533_399, "0.35", "0.15", "0.038"),
    ],
)
def test_the_rates_of_an_income(year: int, status: FilingStatus, income: int, ordinary: str, gain: str, net_investment: str) -> None:
    assert marginal_rates(year, status, Decimal(income)) == (Decimal(ordinary), Decimal(gain), Decimal(net_investment))


def law_of(form: Form, year: int = 2026) -> ClientRates:
    found = client_rates(form, year)
    assert isinstance(found, ClientRates)
    return found


def test_net_investment_income_tax_is_on_gains_alone() -> None:
    law = law_of(Form(income=Decimal(300_000), filing_status="single")).law
    assert (law.short_frac, law.long_frac, law.ordinary_frac) == (Decimal("0.388"), Decimal("0.188"), Decimal("0.35"))
    assert law.ordinary_limit == 3000
    assert law_of(Form(income=Decimal(90_000), filing_status="mfs")).law.ordinary_limit == 1500


def test_given_rates_go_before_income() -> None:
    form = Form(short_rate=Decimal("0.408"), long_rate=Decimal("0.238"), income=Decimal(1), filing_status="single")
    assert law_of(form).law.short_frac == Decimal("0.408")


def test_a_state_is_added_from_what_is_supplied_else_not_judged() -> None:
    form = Form(
        short_rate=Decimal("0.35"), long_rate=Decimal("0.15"), state="CA", state_rates=(StateRates("CA", Decimal("0.09"), Decimal("0.08")),)
    )
    assert law_of(form).law.long_frac == Decimal("0.23")
    without = law_of(Form(short_rate=Decimal("0.35"), long_rate=Decimal("0.15"), state="CA"))
    assert without.law.long_frac == Decimal("0.15")
    assert [each.what for each in without.not_judged] == ["Tax of CA"]


@dataclass(frozen=True)
class Missing:
    form: Form
    year: int
    field: str


@pytest.mark.parametrize(
    "case",
    [
        Missing(Form(), 2026, "income"),
        Missing(Form(income=Decimal(5)), 2026, "filing_status"),
        Missing(Form(filing_status="single"), 2026, "income"),
        Missing(Form(short_rate=Decimal("0.4")), 2026, "long_rate"),
        Missing(Form(income=Decimal(5), filing_status="single"), 2019, "income"),
        Missing(Form(short_rate=Decimal("0.2"), long_rate=Decimal("0.3")), 2026, "long_rate"),
        Missing(Form(short_rate=Decimal(1), long_rate=Decimal("0.3")), 2026, "long_rate"),
    ],
)
def test_what_is_missing_is_said(case: Missing) -> None:
    found = client_rates(case.form, case.year)
    assert isinstance(found, FieldFault)
    assert found.field == case.field
    assert found.remedy
