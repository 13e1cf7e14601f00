"""What the optimizer is told of an account beside its budgets: rates, plan limits, loss and harvest policy, wanted cash.

Whether a sector, industry, factor or security of that name exists is not judged here: it may come with a later snapshot.
"""

from collections.abc import Iterator
from decimal import Decimal

from libs.common.schemas.account import HarvestPolicy, LossPolicy, PlanLimits, TaxRates, WeightBound
from services.ingest.core.intake_problem import IntakeProblem

ZERO, ONE = Decimal(0), Decimal(1)
TWO = Decimal(2)
MONTHS = range(1, 13)


def plan_setting_problems(
    rates: TaxRates, limits: PlanLimits, losses: LossPolicy, harvest: HarvestPolicy, cash_target: Decimal | None
) -> list[IntakeProblem]:
    """Everything about these members that can't be taken; all their numbers are finite."""
    found = [*_of_rates(rates), *_of_limits(limits), *_of_losses(losses, rates), *_of_harvest(harvest)]
    if cash_target is not None and cash_target < 0:
        found.append(IntakeProblem("cash_target", "is negative", "Give the dollars to keep in cash, or leave it out for the band"))
    return found


def _of_rates(rates: TaxRates) -> Iterator[IntakeProblem]:
    if rates.ordinary_frac is not None and not ZERO <= rates.ordinary_frac < ONE:
        yield IntakeProblem("rates.ordinary_frac", f"{rates.ordinary_frac} is not a fraction from 0 to 1", "0.37 is 37 of a hundred")
    parts = rates.parts
    if parts is None:
        return
    for name in parts.__struct_fields__:
        if not ZERO <= getattr(parts, name) < ONE:
            yield IntakeProblem(f"rates.parts.{name}", f"{getattr(parts, name)} is not a fraction from 0 to 1", "0.05 is five of a hundred")
    shared = parts.state_frac + parts.net_investment_frac
    for name, total, sum_of in (
        ("short_frac", rates.short_frac, parts.federal_short_frac + shared),
        ("long_frac", rates.long_frac, parts.federal_long_frac + shared),
    ):
        if total != sum_of:
            yield IntakeProblem(f"rates.{name}", f"is {total}, its parts sum to {sum_of}", "Give the sum, or leave the parts out")


def _of_limits(limits: PlanLimits) -> Iterator[IntakeProblem]:
    cap, turnover = limits.tracking_error_frac, limits.turnover_frac
    if cap is not None and not ZERO < cap <= ONE:
        yield IntakeProblem(
            "limits.tracking_error_frac", f"{cap} is no yearly fraction above 0, up to 1", "0.01 is one of a hundred a year"
        )
    if turnover is not None and not ZERO <= turnover <= TWO:
        yield IntakeProblem("limits.turnover_frac", f"{turnover} is not from 0 to 2", "Bought plus sold over value: 0.1 is a tenth")
    for name in ("trades", "names"):
        count = getattr(limits, name)
        if count is not None and count < (0 if name == "trades" else 1):
            yield IntakeProblem(f"limits.{name}", f"{count} is too few", "Give a number of names, or leave it out for no limit")
    if limits.min_holding is not None and limits.min_holding < 0:
        yield IntakeProblem("limits.min_holding", "is negative", "Give dollars, or leave it out for none")
    for index, bound in enumerate(limits.weights):
        same = any((other.by, other.target, other.relative) == (bound.by, bound.target, bound.relative) for other in limits.weights[:index])
        yield from _of_bound(f"limits.weights[{index}]", bound, same)


def _of_bound(place: str, bound: WeightBound, again: bool) -> Iterator[IntakeProblem]:
    least, most = bound.least_frac, bound.most_frac
    if not bound.target or bound.target != bound.target.strip():
        yield IntakeProblem(f"{place}.target", f"{bound.target!r} is empty or padded", "Name it as the market snapshot does")
    if again:
        yield IntakeProblem(f"{place}.target", f"{bound.by} {bound.target} is bounded twice", "Give both sides in one bound")
    if least is None and most is None:
        yield IntakeProblem(f"{place}.most_frac", "neither side is bounded", "Give least_frac, most_frac or both")
    lowest = ZERO if bound.by != "factor" and not bound.relative else -ONE
    for name, side in (("least_frac", least), ("most_frac", most)):
        if side is not None and not lowest <= side <= ONE:
            yield IntakeProblem(f"{place}.{name}", f"{side} is no fraction from {lowest} to 1", "0.05 is five of a hundred")
    if least is not None and most is not None and least > most:
        yield IntakeProblem(f"{place}.least_frac", f"{least} is above the most, {most}", "Give the lower bound as least_frac")


def _of_losses(losses: LossPolicy, rates: TaxRates) -> Iterator[IntakeProblem]:
    most = max(min(rates.short_frac, rates.long_frac), ZERO)
    for name, carried in (("carried_frac", losses.carried_frac), ("carried_long_frac", losses.carried_long_frac)):
        if carried is not None and not ZERO <= carried <= most:
            said = f"{carried} is not from 0 to the lower of the two rates, {most}"
            yield IntakeProblem(f"losses.{name}", said, "A carried dollar of loss saves no more than it would save now")
    if losses.counts != "netted" and (losses.carried_frac or losses.carried_long_frac):
        yield IntakeProblem("losses.carried_frac", f"has no meaning for {losses.counts}", "Leave it out, or let losses count netted")
    if losses.counts != "at_rates" and rates.long_frac > rates.short_frac:
        said = f"{rates.long_frac} is above the short rate, {rates.short_frac}"
        yield IntakeProblem("rates.long_frac", said, "A year is netted only where long-term gains are not taxed more; else count at_rates")
    if losses.ordinary_limit < 0:
        yield IntakeProblem("losses.ordinary_limit", "is negative", "Give dollars a year: 3000, or 0 for none")


def _of_harvest(harvest: HarvestPolicy) -> Iterator[IntakeProblem]:
    if harvest.thresholds and harvest.mode != "threshold":
        yield IntakeProblem("harvest.thresholds", f"have no meaning for {harvest.mode}", "Leave them out, or choose mode threshold")
    for index, each in enumerate(harvest.thresholds):
        place = f"harvest.thresholds[{index}]"
        if each.from_month not in MONTHS:
            yield IntakeProblem(f"{place}.from_month", f"{each.from_month} is no month", "1 is January, 12 December")
        if each.from_age_days < 0:
            yield IntakeProblem(f"{place}.from_age_days", "is negative", "Give days since the purchase, 0 for every lot")
        if not ZERO <= each.loss_frac <= ONE:
            yield IntakeProblem(f"{place}.loss_frac", f"{each.loss_frac} is no fraction from 0 to 1", "0.05 is a loss of a twentieth")
    if harvest.refresh_gain_frac is not None and not ZERO <= harvest.refresh_gain_frac < ONE:
        yield IntakeProblem("harvest.refresh_gain_frac", f"{harvest.refresh_gain_frac} is not from 0 to 1", "0.02: two of a hundred")
