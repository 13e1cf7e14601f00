"""An account that follows a transition plan: what is said of it, on the plan and without."""

from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged, LossPolicy, PlanYear, TaxOpening, TaxRates, TransitionPlan, Wish
from libs.common.schemas.plan import NewAccount, PlanChosen
from services.ingest.core.book import AccountBook, adopt_said, apply_snapshot, publishable
from services.ingest.core.plans import record_of
from tests.unit.ingest.book_samples import day, intake, lot, snapshot

D = Decimal
OWN = Wish("own", "never_buy", "security", "AAA")
SHARED = Wish("shared", "never_buy", "security", "BBB")
FROM_PLAN = [Wish("shared", "never_sell", "security", "BBB"), Wish("plan-1", "never_buy", "category", "tobacco")]
PLAN = TransitionPlan("p1", "di-large-cap", "timeline_3", date(2025, 12, 15), [PlanYear(2025, D("1200.50"), D("0.021"))], FROM_PLAN)


def said(book: AccountBook) -> AccountChanged:
    _, changed = publishable(book, [])
    assert changed is not None
    return changed


def held(plan: TransitionPlan | None = None) -> AccountBook:
    record = replace(intake(), wishes=[OWN, SHARED])
    return replace(apply_snapshot(AccountBook(record), snapshot(day(0), lot("X", "100")), []), plan=plan)


def test_a_plan_brings_its_strategy_and_wishes_and_nothing_else() -> None:
    own, planned = said(held()), said(held(PLAN))
    assert (planned.strategy_id, planned.transition) == ("di-large-cap", PLAN)
    assert planned.wishes == [OWN, *FROM_PLAN]
    assert replace(planned, strategy_id=own.strategy_id, wishes=own.wishes, transition=None) == own


def test_a_plan_chosen_and_one_withdrawn_are_each_news_once() -> None:
    book, _ = publishable(held(), [])
    book, chosen = publishable(replace(book, plan=PLAN), [])
    again, nothing = publishable(book, [])
    _, withdrawn = publishable(replace(again, plan=None), [])
    assert (chosen is not None and chosen.version, nothing, withdrawn is not None and withdrawn.version) == (2, None, 3)
    assert withdrawn is not None
    assert (withdrawn.strategy_id, withdrawn.wishes, withdrawn.transition) == ("us500", [OWN, SHARED], None)


def test_the_masters_record_may_come_again_while_a_plan_is_followed() -> None:
    book, _ = publishable(held(PLAN), [])
    _, changed = publishable(replace(book, intake=replace(book.intake, min_trade=D(500))), [])
    assert changed is not None
    assert (changed.min_trade, changed.transition) == (D(500), PLAN)


def test_after_a_restore_the_plan_that_was_said_is_followed_and_the_plans_wishes_are_not_taken_for_the_owners() -> None:
    adopted = adopt_said(held(), said(held(PLAN)))
    assert adopted is not None
    assert (adopted.plan, adopted.intake.wishes) == (PLAN, [OWN])


def test_an_unknown_account_is_taken_on_with_what_its_plan_says() -> None:
    opening = TaxOpening(2025, D(1), D(2), D(3), D(4), D(5), D(6))
    new = NewAccount("T9", "north", "taxable", TaxRates(D("0.37"), D("0.2")), LossPolicy("netted"), opening)
    record = record_of(PlanChosen("A9", "H9", PLAN, new, "ann", "bob"))
    assert record == replace(
        intake("A9", "H9"),
        taxpayer_id="T9",
        strategy_id="di-large-cap",
        rates=TaxRates(D("0.37"), D("0.2")),
        losses=new.losses,
        tax_opening=opening,
    )
