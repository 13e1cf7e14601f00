"""Gifts to charity, gifts and inheritances received, lot methods and dividends, from given figures (sections 4.2, 4.3, 5.3, 6.7, 7)."""

from typing import cast

from libs.common.money import ZERO
from services.wash_sale.core import received
from services.wash_sale.core.calculations.inputs import Answer, day_of, dollars, needed_day, taken, year_of
from services.wash_sale.core.history_fields import Fields
from services.wash_sale.core.holding_period import Term, term_of
from services.wash_sale.core.lot_methods import LotMethod, allowed_method
from services.wash_sale.core.refusals import RefusalCode
from services.wash_sale.core.tax_year.dividends import dividend_holding
from services.wash_sale.core.tax_year.giving import Donation, GiftCarryover, benefit, deduct


def charity(inputs: Fields) -> Answer:
    """A donation's deduction, and for comparison the same with the election to use basis and without."""
    elected = inputs.raw.get("elect_basis") is True
    return {**_deducted(inputs, elected), "without_election": _deducted(inputs, False), "with_election": _deducted(inputs, True)}


def _deducted(inputs: Fields, elect_basis: bool) -> Answer:
    year, donee = year_of(inputs), inputs.text("donee") if inputs.has("donee") else "public_charity"
    donation = Donation(inputs.dollars("basis"), inputs.dollars("fmv"), _term(inputs), elect_basis, donee)
    carried = dollars(inputs, "carryover_in")
    earlier = [GiftCarryover(year - 1, carried)] if carried else []
    found = taken(deduct(year, inputs.number("agi"), [donation], earlier), inputs)
    answer: Answer = {
        "contribution_amount": found.contribution,
        "deduction_allowed": found.deduction,
        "carryover": found.carryover,
        "floor": found.floor,
        "gain_recognized": found.gain_recognised,
        "loss_forfeited": found.loss_forfeited,
    }
    if inputs.has("marginal_rate"):
        answer["tax_saved"] = benefit(year, found.deduction, inputs.price("marginal_rate"))
    return answer


def _term(inputs: Fields) -> Term:
    """By the days where they are given; a term that contradicts them is an error."""
    stated: Term = "long" if inputs.choice("term", ("long", "short"), "short") == "long" else "short"
    since, given = day_of(inputs, "hp_date", "acquired"), day_of(inputs, "donated")
    if since is None or given is None:
        return stated
    term = term_of(since, given)
    if inputs.has("term") and term != stated:
        raise inputs.bad(RefusalCode.NOT_READABLE, "term", f"{stated}, but by the days it is {term}")
    return term


def inherited_back(inputs: Fields) -> Answer:
    """The basis of what an heir inherits; what the heir (or the heir's spouse) gave within a year, appreciated, keeps the decedent's.

    `beneficiary` is the original donor, the donor's spouse, or anybody else.
    """
    words = inputs.text("beneficiary").lower().replace("'s", "").split() if inputs.has("beneficiary") else ["donor"]
    from_heir = "donor" in words and "not" not in words
    within = from_heir and inputs.number("months_between") <= received.RETURNED_WITHIN_MONTHS
    decedent_basis, at_gift = inputs.dollars("donor_basis"), inputs.dollars("fmv_at_gift")
    return {"basis": received.inherited_basis(inputs.dollars("fmv_at_death"), decedent_basis, within, at_gift > decedent_basis)}


def gift_received(inputs: Fields) -> Answer:
    """The bases of a gift; gift tax paid raises them by the appreciation's part of it."""
    donor_basis, value = inputs.dollars("donor_basis"), dollars(inputs, "fmv", "fmv_at_gift")
    on_appreciation = dollars(inputs, "gift_tax_on_appreciation")
    if paid := dollars(inputs, "gift_tax", "gift_tax_paid"):
        taxable = dollars(inputs, "taxable_gift", "net_gift") or max(ZERO, value - dollars(inputs, "annual_exclusion", "exclusion"))
        on_appreciation = received.gift_tax_on_appreciation(donor_basis, value, paid, taxable)
    found = received.gift_basis(donor_basis, value, on_appreciation)
    return {
        "basis": found.for_gain,
        "gain_basis": found.for_gain,
        "loss_basis": found.for_loss,
        "gift_tax_on_appreciation": on_appreciation,
        "basis_increase": found.for_gain - donor_basis,
    }


def lot_method(inputs: Fields) -> Answer:
    """Whether a security allows a way of choosing lots, and what applies where it does not."""
    wanted = cast(LotMethod, inputs.choice("requested_method", ("fifo", "specific_id", "average"), "fifo"))
    allowed = allowed_method(inputs.text("security_type"), wanted)
    return {"allowed": allowed == wanted, "fallback": None if allowed == wanted else allowed}


def dividend(inputs: Fields) -> Answer:
    """Whether a dividend is qualified by the days held."""
    hedged = inputs.number("hedged_days") if inputs.has("hedged_days") else ZERO
    found = dividend_holding(
        needed_day(inputs, "ex_date", "ex_dividend_date"),
        needed_day(inputs, "acquired", "bought", "buy_date"),
        day_of(inputs, "sold", "sell_date"),
        int(hedged),
    )
    return {
        "window_start": found.first_day,
        "window_end": found.last_day,
        "days_held": found.days_held,
        "qualified": found.qualified,
    }
