"""Master records: what is refused, and what a good one means."""

from collections.abc import Callable
from datetime import date

import msgspec
import pytest
from msgspec.structs import replace

from libs.common.schemas.account import (
    AccountChanged,
    Budgets,
    CashFlow,
    HarvestPolicy,
    HarvestThreshold,
    LossPolicy,
    PastSale,
    PlanLimits,
    RateParts,
    TaxOpening,
    TaxRates,
    WeightBound,
    Wish,
)
from services.ingest.core.book import AccountBook, apply_snapshot, publishable
from services.ingest.core.intake import AccountIntake, problems_of
from tests.unit.ingest.book_samples import DAY_0, D, intake, lot, snapshot

TODAY = date(2025, 12, 15)
NO_ALCOHOL = Wish("w1", "never_buy", "category", "alcohol")
AT_MOST = Wish("w2", "max_weight", "issuer", "ACME", limit_frac=D("0.05"))
OPENING = TaxOpening(2025, D(1), D(2), D(3), D(4), D(5), D(6))
PARTS = RateParts(D("0.37"), D("0.2"), D("0.05"), D("0.038"))
ENERGY = WeightBound("sector", "Energy", most_frac=D("0.05"))


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
    (with_(rates=TaxRates(D("0.4"), D("0.2"), ordinary_frac=D(37))), "rates.ordinary_frac", "0.37 is 37 of a hundred"),
    (with_(rates=TaxRates(D("0.408"), D("0.288"), parts=PARTS)), "rates.short_frac", "its parts sum to 0.458"),
    (with_(rates=TaxRates(D("0.4"), D("0.2"), parts=replace(PARTS, state_frac=D("NaN")))), "rates.parts.state_frac", "is no number"),
    (with_(limits=PlanLimits(tracking_error_frac=D(0))), "limits.tracking_error_frac", "0.01 is one of a hundred a year"),
    (with_(limits=PlanLimits(tracking_error_frac=D("Infinity"))), "limits.tracking_error_frac", "is no number"),
    (with_(limits=PlanLimits(turnover_frac=D("2.5"))), "limits.turnover_frac", "0.1 is a tenth"),
    (with_(limits=PlanLimits(trades=-1)), "limits.trades", "too few"),
    (with_(limits=PlanLimits(names=0)), "limits.names", "too few"),
    (with_(limits=PlanLimits(min_holding=D(-5))), "limits.min_holding", "is negative"),
    (with_(limits=PlanLimits(weights=[replace(ENERGY, target=" Energy")])), "limits.weights[0].target", "padded"),
    (with_(limits=PlanLimits(weights=[ENERGY, ENERGY])), "limits.weights[1].target", "bounded twice"),
    (with_(limits=PlanLimits(weights=[replace(ENERGY, most_frac=None)])), "limits.weights[0].most_frac", "neither side"),
    (with_(limits=PlanLimits(weights=[replace(ENERGY, most_frac=D(5))])), "limits.weights[0].most_frac", "0.05 is five of a hundred"),
    (with_(limits=PlanLimits(weights=[replace(ENERGY, least_frac=D("-0.1"))])), "limits.weights[0].least_frac", "from 0 to 1"),
    (with_(limits=PlanLimits(weights=[replace(ENERGY, least_frac=D("0.1"))])), "limits.weights[0].least_frac", "above the most"),
    (with_(limits=PlanLimits(weights=[replace(ENERGY, least_frac=D("sNaN"))])), "limits.weights[0].least_frac", "is no number"),
    (with_(losses=LossPolicy("netted", D("0.3"))), "losses.carried_frac", "lower of the two rates"),
    (with_(losses=LossPolicy("at_rates", D("0.1"))), "losses.carried_frac", "no meaning for at_rates"),
    (with_(rates=TaxRates(D("0.2"), D("0.3")), losses=LossPolicy("none")), "rates.long_frac", "else count at_rates"),
    (with_(losses=LossPolicy("netted", ordinary_limit=D(-1))), "losses.ordinary_limit", "3000"),
    (with_(harvest=HarvestPolicy("off", [HarvestThreshold(1, 0, D(0))])), "harvest.thresholds", "no meaning for off"),
    (with_(harvest=HarvestPolicy("threshold", [HarvestThreshold(13, 0, D(0))])), "harvest.thresholds[0].from_month", "no month"),
    (with_(harvest=HarvestPolicy("threshold", [HarvestThreshold(1, -1, D(0))])), "harvest.thresholds[0].from_age_days", "negative"),
    (with_(harvest=HarvestPolicy("threshold", [HarvestThreshold(1, 0, D(5))])), "harvest.thresholds[0].loss_frac", "a twentieth"),
    (with_(harvest=HarvestPolicy(refresh_gain_frac=D(1))), "harvest.refresh_gain_frac", "two of a hundred"),
    (with_(cash_target=D(-1)), "cash_target", "is negative"),
    (with_(cash_target=D("NaN")), "cash_target", "is no number"),
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
    lambda: with_(rates=TaxRates(D("0.458"), D("0.288"), D("0.42"), PARTS), cash_target=D(0)),
    lambda: with_(limits=PlanLimits(D("0.01"), D("0.2"), 0, 1, D(0), [ENERGY, WeightBound("factor", "beta", D("-0.02"), relative=True)])),
    lambda: with_(losses=LossPolicy("netted", D("0.19"), D(0)), harvest=HarvestPolicy("threshold", [HarvestThreshold(12, 0, D("0.01"))])),
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


def said(record: AccountIntake) -> AccountChanged:
    book = apply_snapshot(AccountBook(record), snapshot(DAY_0, lot("L1", "10")), ())
    content = publishable(book, ())[1]
    assert content is not None
    return content


def test_settings_that_say_nothing_leave_what_is_said_as_it_was() -> None:
    plain = msgspec.json.encode(said(intake()))
    spelled_out = with_(limits=PlanLimits(), losses=LossPolicy("at_rates"), harvest=HarvestPolicy("objective"))
    assert msgspec.json.encode(said(spelled_out)) == plain
    assert not {"limits", "losses", "harvest", "cash_target"} & set(msgspec.json.decode(plain))


def test_settings_are_carried_in_what_is_said() -> None:
    limits = PlanLimits(D("0.01"), D("0.2"), 30, 200, D(1000), [ENERGY])
    record = with_(limits=limits, losses=LossPolicy("netted", D("0.1")), harvest=HarvestPolicy("off"), cash_target=D(5000))
    read = msgspec.json.decode(msgspec.json.encode(said(record)), type=AccountChanged)
    assert (read.limits, read.losses, read.harvest, read.cash_target) == (limits, record.losses, record.harvest, D(5000))
