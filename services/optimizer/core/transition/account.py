"""Where the client stands today, and what every number of the analysis rests on."""

from decimal import Decimal

from libs.common.money import ZERO, cents_half_even, float_from_decimal
from services.optimizer.core.terms import is_long
from services.optimizer.core.transition.approaches import Today
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.outcome import concentrated
from services.optimizer.core.transition.result import Account, Assumptions, Holding
from services.optimizer.core.transition.words import net_words, percent

DIGITS = 10


def account_of(now: Today) -> Account:
    """The account today, lots folded by name."""
    case, sums = now.case, [ZERO] * 4
    folded: dict[int, list[Decimal]] = {}
    counts: dict[int, int] = {}
    for i, shares, basis, day in zip(case.lots.name.tolist(), case.lots.shares, case.lots.basis_usd, case.lots.acquired, strict=True):
        worth = cents_half_even(shares * case.names.price_usd[i])
        gain = worth - basis
        sums[2 * is_long(day, case.as_of) + (gain < 0)] += gain
        row = folded.setdefault(i, [ZERO, ZERO, ZERO])
        row[0], row[1], row[2] = row[0] + shares, row[1] + worth, row[2] + basis
        counts[i] = counts.get(i, 0) + 1
    return Account(
        value_usd=case.value_usd,
        cash_usd=case.cash_usd,
        lots=len(case.lots.lot_id),
        names=len(folded),
        short_gain_usd=sums[0],
        short_loss_usd=-sums[1],
        long_gain_usd=sums[2],
        long_loss_usd=-sums[3],
        te_frac=now.base.te_frac,
        concentrated_frac=concentrated(case, now.problem.held),
        holdings=[_holding(case, i, counts[i], *folded[i]) for i in sorted(folded)],
    )


def _holding(case: TransitionCase, i: int, lots: int, shares: Decimal, worth: Decimal, basis: Decimal) -> Holding:
    weight = round(float_from_decimal(worth / case.value_usd), DIGITS)
    target = round(float(case.names.target[i]), DIGITS)
    return Holding(case.names.security_id[i], case.names.label[i], lots, shares, worth, basis, worth - basis, weight, target)


def _before(case: TransitionCase) -> str:
    """What every tax is compared with, and what was in the year before any plan."""
    year = case.tax.year
    return (
        "Every tax is what a way adds to the tax of the year beside keeping everything. In the year before any plan: "
        f"{net_words(year.short, 'short-term')} and {net_words(year.long, 'long-term')}, losses carried in and what was realised so far "
        "counted; keeping everything has the use of these too."
    )


def assumptions_of(case: TransitionCase) -> Assumptions:
    """Rates, outlook and what they mean, in words."""
    law, outlook = case.tax.law, case.outlook
    carried = f"{law.carried_short_frac} of a dollar short-term, {law.carried_long_frac} long-term"
    words = [
        "Trades are at the prices shown; the cost of a trade is its half spread and commission. Tax is paid from outside the account.",
        f"In later years every price grows by {percent(outlook.growth_frac)} a year; what comes later is discounted by "
        f"{percent(outlook.discount_frac)} a year.",
        _before(case),
        "Gains and losses are netted as the year's tax return does: short with short, long with long, then the two; "
        f"at most ${law.ordinary_limit:,} of a net loss lowers ordinary income, the rest is carried on.",
        f"A loss carried on counts as worth {carried}.",
        "No lot is sold at a loss while the same or a substantially identical security is bought within 30 days.",
        "Tracking error is expected ahead, from the risk model: how far the account may move apart from the target in a typical year.",
    ]
    return Assumptions(
        prices_as_of=case.as_of,
        simulated=case.simulated,
        short_rate_frac=law.short_frac,
        long_rate_frac=law.long_frac,
        ordinary_rate_frac=law.ordinary_frac,
        growth_frac=outlook.growth_frac,
        discount_frac=outlook.discount_frac,
        horizon_years=outlook.horizon_years,
        risk_aversion=outlook.risk_aversion,
        risk_model=f"{case.names.exposures.shape[1]} factors and each name's own risk",
        words=words,
    )
