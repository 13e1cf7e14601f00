"""Master records: what is refused, and what a good one means."""

from collections.abc import Callable
from datetime import date

import msgspec
import pytest
from msgspec.structs import replace

from libs.common.schemas.account import Budgets, CashFlow, PastSale, TaxOpening, TaxRates, Wish
from services.ingest.core.intake import AccountIntake, problems_of
from tests.unit.ingest.book_samples import D, intake

TODAY = date(2025, 12, 15)
NO_ALCOHOL = Wish("w1", "never_buy", "category", "alcohol")
AT_MOST = Wish("w2", "max_weight", "issuer", "ACME", limit_frac=D("0.05"))
OPENING = TaxOpening(2025, D(1), D(2), D(3), D(4), D(5), D(6))


def with_(**members: object) -> AccountIntake:
    return replace(intake(), **members)


# (the change, the member that is named, words of problem or remedy)
REFUSED: list[tuple[AccountIntake, str, str]] = [
    (with_(account_id=""), "account_id", "1 to 40 letters"),
    (with_(account_id="A 1"), "account_id", "is no id"),
    (with_(account_id="A" * 41), "account_id", "is no id"),
    (with_(household_id="H/1"), "household_id", "1 to 64 letters"),
    (with_(taxpayer_id=""), "taxpayer_id", "is no id"),
    (with_(custodian="north star"), "custodian", "is no id"),
    (with_(strategy_id="../us500"), "strategy_id", "is no id"),
    (with_(rates=TaxRates(D("40.8"), D("0.238"))), "rates.short_frac", "0.408 is 40.8 of a hundred"),
    (with_(rates=TaxRates(D("0.408"), D("-0.1"))), "rates.long_frac", "is not a fraction"),
    (with_(rates=TaxRates(D("NaN"), D("0.238"))), "rates.short_frac", "is no number"),
    (with_(risk_aversion=D(0)), "risk_aversion", "is not positive"),
    (with_(risk_aversion=D("Infinity")), "risk_aversion", "is no number"),
    (with_(cash_min_frac=D("0.03")), "cash_min_frac", "lower bound first"),
    (with_(cash_max_frac=D("1.5")), "cash_min_frac", "no band"),
    (with_(min_trade=D(-1)), "min_trade", "0 for none"),
    (with_(budgets=Budgets(tax=D(-1))), "budgets.tax", "null for no limit"),
    (with_(budgets=Budgets(long_gain=D("sNaN"))), "budgets.long_gain", "is no number"),
    (with_(cash_flows=[CashFlow(TODAY, D("NaN"))]), "cash_flows[0].amount", "is no number"),
    (with_(wishes=[NO_ALCOHOL, NO_ALCOHOL]), "wishes[1].wish_id", "comes twice"),
    (with_(wishes=[replace(NO_ALCOHOL, target="")]), "wishes[0].target", "is empty"),
    (with_(wishes=[replace(NO_ALCOHOL, limit_frac=D("0.1"))]), "wishes[0].limit_frac", "has no meaning for never_buy"),
    (with_(wishes=[replace(AT_MOST, limit_frac=None)]), "wishes[0].limit_frac", "no fraction"),
    (with_(wishes=[NO_ALCOHOL, replace(AT_MOST, limit_frac=D(5))]), "wishes[1].limit_frac", "0.05 is five of a hundred"),
    (with_(wishes=[replace(AT_MOST, by="sector")]), "wishes[0].by", "not offered"),
    (with_(past_sales=[PastSale("A1", "AAA", D(1), date(2025, 12, 16), D(-5))]), "past_sales[0].trade_date", "in the future"),
    (with_(past_sales=[PastSale("A1", "AAA", D(0), TODAY, D(-5))]), "past_sales[0].quantity", "is not positive"),
    (with_(tax_opening=replace(OPENING, long_loss=D(-4))), "tax_opening.long_loss", "both positive"),
    (with_(tax_opening=replace(OPENING, carried_long_loss=D("-Infinity"))), "tax_opening.carried_long_loss", "is no number"),
]


@pytest.mark.parametrize(("record", "member", "said"), REFUSED, ids=[f"{c[1]}: {c[2]}" for c in REFUSED])
def test_a_record_that_can_not_be_taken_names_member_and_remedy(record: AccountIntake, member: str, said: str) -> None:
    (problem,) = problems_of(record, TODAY)
    assert problem.field == member
    assert said in f"{problem.problem}. {problem.remedy}"
    assert problem.remedy


def test_every_problem_is_listed() -> None:
    record = with_(household_id="", min_trade=D(-1), wishes=[replace(AT_MOST, limit_frac=None)])
    assert [problem.field for problem in problems_of(record, TODAY)] == ["household_id", "min_trade", "wishes[0].limit_frac"]


GOOD: list[Callable[[], AccountIntake]] = [
    intake,
    lambda: with_(wishes=[NO_ALCOHOL, AT_MOST], tax_opening=OPENING, past_sales=[PastSale("A1", "AAA", D(1), TODAY, D(-5))]),
    lambda: with_(budgets=Budgets(D(0), D(0), D(0)), cash_min_frac=D(0), cash_max_frac=D(0), min_trade=D(0)),
    lambda: with_(cash_flows=[CashFlow(TODAY, D(-20_000))]),
]


@pytest.mark.parametrize("make", GOOD)
def test_a_good_record_has_no_problems(make: Callable[[], AccountIntake]) -> None:
    assert problems_of(make(), TODAY) == []


def test_what_is_left_out_of_a_record_has_the_documented_default() -> None:
    body = b"""{"account_id": "A1", "household_id": "H1", "taxpayer_id": "T1", "custodian": "north", "account_type": "taxable",
               "strategy_id": "us500", "rates": {"short_frac": "0.408", "long_frac": "0.238"}}"""
    record = msgspec.json.decode(body, type=AccountIntake)
    assert record == intake()
    assert (record.approval, record.do_not_trade, record.risk_aversion, record.min_trade) == ("auto", False, D(20), D(200))
    assert (record.cash_min_frac, record.cash_max_frac, record.budgets) == (D("0.002"), D("0.02"), Budgets())


def test_a_member_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `ssn`"):
        msgspec.json.decode(b'{"account_id": "A1", "ssn": "078-05-1120"}', type=AccountIntake)
