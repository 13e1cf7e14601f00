"""An analysis made by hand, with everything that one can hold, for tests of what draws it; its numbers are plausible, not computed."""

from datetime import date
from decimal import Decimal
from functools import partial

from services.optimizer.core.transition.result import (
    Account,
    Analysis,
    Approach,
    Assumptions,
    Certificate,
    FrontierPoint,
    Holding,
    LotSale,
    NameTrade,
    NotJudged,
    Realised,
    RestrictionCost,
    ShadowPrice,
    YearOutcome,
)

VALUE = Decimal("4852316.47")
TE_BEFORE = 0.0613
AS_OF = date(2026, 1, 15)
MORE_TAX = "$1,000.00 more of tax this year would lower the tracking error by about 0.03 percentage points."
LESS_ACORN = "Letting 1% of Acorn Robotics go would lower the tracking error by about 0.06 percentage points."
COMPLETION = "The rest of the account completes the portfolio around what is left of Acorn Robotics."
REASON = "What must be sold realises $12,410.22 of short-term gain; raise the short-term budget to at least that."
LABELS = [
    "Acorn Robotics",
    "Birch Logistics",
    "Cedar Semiconductor",
    "Dune Energy",
    "Elm Health",
    "Fjord Shipping",
    "Grove Foods",
    "Harbor Insurance",
    "Iris Media",
    "Juniper Bank",
    "Kestrel Air",
    "Larch Software",
    "Maple Rail",
    "Nettle Chemicals",
    "Otter Tobacco",
    "Pine Telecom",
    "Quarry Metals",
    "Reed Retail",
    "Spruce Utilities",
    "Thorn Defense",
]
NO_GAINS = Realised(*[Decimal("0.00")] * 5)


def usd(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")


def sample_analysis(names: int = 20, years_of_longest: int = 5) -> Analysis:
    """`names`: how many holdings, and as many that come."""
    return Analysis(
        strategy_id="direct_large_cap",
        strategy_label="Direct index large cap",
        account=_account(names),
        approaches=_approaches(names, years_of_longest),
        frontier=[_point(i) for i in range(24)],
        knee=9,
        restrictions=[
            RestrictionCost("never_sell:ACRN", "Keep Acorn Robotics", 0.0214, 0.0057, usd(171204.11), usd(186550.90)),
            RestrictionCost("category:tobacco", "No tobacco", 0.0059, 0.0057, usd(174911.02), usd(175633.47)),
            RestrictionCost("never_buy:JUNI", "Juniper Bank is owned elsewhere", 0.0057, 0.0057, usd(175633.47), usd(175633.47)),
        ],
        assumptions=Assumptions(
            prices_as_of=AS_OF,
            simulated=True,
            short_rate_frac=Decimal("0.408"),
            long_rate_frac=Decimal("0.238"),
            ordinary_rate_frac=Decimal("0.37"),
            growth_frac=0.06,
            discount_frac=0.04,
            horizon_years=10,
            risk_aversion=20.0,
            risk_model="statistical factors of 60 months of returns, 2025-12-31",
            words=["Prices of every security grow alike.", "Tax rates stay as they are."],
        ),
        not_judged=[
            NotJudged("State tax of New York", "no rate file for the state was given"),
            NotJudged("Lot 17 (OLDCO)", "the ticker is not in the security master"),
        ],
        joint="pending",
    )


def _account(names: int) -> Account:
    holdings = []
    for i in range(names):
        share = 0.28 if i == 0 else 0.70 / max(1, names - 1)
        value = usd(float(VALUE) * share)
        basis = usd(float(value) * (0.21 if i == 0 else 0.55 + 0.045 * (i % 14)))
        holdings.append(
            Holding(_ticker(i), _label(i), 3 + i % 5, Decimal(900 + 13 * i), value, basis, value - basis, share, max(0.0, 0.04 - 0.003 * i))
        )
    return Account(
        VALUE, usd(97046.33), 118, names, usd(41877.02), usd(18340.55), usd(1644920.18), usd(88102.44), TE_BEFORE, 0.28, holdings
    )


def _label(i: int) -> str:
    return LABELS[i % len(LABELS)] + (f" {i // len(LABELS) + 1}" if i >= len(LABELS) else "")


def _ticker(i: int) -> str:
    return _label(i).replace(" ", "").upper()[:4] + (str(i // len(LABELS) + 1) if i >= len(LABELS) else "")


def _point(i: int) -> FrontierPoint:
    part = i / 23
    return FrontierPoint(
        tax_usd=usd(-21640.37 + 197000 * part),
        te_frac=0.0038 + 0.0575 * (1 - part) ** 2.6,
        gap_bps=0.01 + 0.015 * (i % 5),
        gap_te_frac=0.00001 * (1 + i % 3),
        short_gain_usd=usd(-18340.55 + 300 * i),
        long_gain_usd=usd(-88102.44 + 41000 * i),
        turnover_frac=0.04 + 0.6 * part,
    )


def _realised(tax: float) -> Realised:
    return Realised(usd(max(0.0, tax * 0.06)), usd(17311.90), usd(max(0.0, tax * 4.4)), usd(60233.15), usd(tax))


def _year(number: int, tax: float, te: float, concentrated: float) -> YearOutcome:
    return YearOutcome(
        number=number,
        on=date(AS_OF.year + number - 1, 1, 15),
        realised=_realised(tax),
        te_frac=te,
        turnover_frac=0.21 / number,
        trades=96 - 7 * number,
        cost_usd=usd(1190.44 / number),
        carried_short_usd=usd(0),
        carried_long_usd=usd(8120.35 if number == 1 else 0),
        unrealised_usd=usd(1580355.21 - 3.9 * tax * number),
        value_usd=usd(float(VALUE) * 1.06 ** (number - 1) - tax),
        concentrated_frac=concentrated,
    )


def _plan(names: int, years: int) -> list[NameTrade]:
    trades = []
    for i in range(names):
        for year in range(1, years + 1):
            shares, price = Decimal(300 + 11 * i), 41.37 + 3.9 * i
            amount = usd(float(shares) * price / years)
            gain = usd(float(amount) * (0.78 if i == 0 else 0.33 - 0.035 * (i % 14)))
            half = usd(float(amount) / 2)
            lots = [
                LotSale(f"{_ticker(i)}-1", date(2014, 5, 12), Decimal(int(shares) // 2), half, usd(float(gain) / 2), True),
                LotSale(f"{_ticker(i)}-2", date(2025, 9, 3), Decimal(int(shares) // 3), amount - half, gain - usd(float(gain) / 2), False),
            ]
            trades.append(NameTrade(year, _ticker(i), _label(i), -shares, -amount, gain, lots))
            trades.append(
                NameTrade(year, f"T{i:03d}", f"Target company {i + 1}", Decimal(52 + i), usd(52.0 * (61 + 7 * i) / years), usd(0))
            )
    return trades


def _years(taxes: list[float], te_end: float, left: float) -> list[YearOutcome]:
    count = len(taxes)
    return [_year(n, tax, TE_BEFORE + (te_end - TE_BEFORE) * n / count, 0.28 + (left - 0.28) * n / count) for n, tax in enumerate(taxes, 1)]


def _planned(names: int, approach_id: str, kind: str, label: str, taxes: list[float], te: float, left: float, **more: object) -> Approach:
    total = sum(taxes)
    fields: dict[str, object] = {
        "te_before_frac": TE_BEFORE,
        "te_after_frac": te,
        "realised": _realised(total),
        "tax_now_usd": usd(taxes[0]),
        "tax_usd": sum((usd(each) for each in taxes), Decimal(0)),
        "tax_frac": taxes[0] / float(VALUE),
        "saved_usd": usd(389112.87) - usd(total),
        "unrealised_usd": usd(1580355.21 - 3.9 * total),
        "turnover_frac": 0.31,
        "trades": 212 + 31 * len(taxes),
        "cost_usd": usd(2411.09 + 120 * len(taxes)),
        "concentrated_frac": left,
        "names_restricted": 3,
        "years_to_half_percent": None if te > 0.005 else len(taxes) - 1,
        "break_even_years": 3.4 + len(taxes) / 10,
        "years": _years(taxes, te, left),
        "certificate": Certificate("certified", 41.2071, 41.1752, 0.0319, "dual bound, branches fixed"),
        "plan": _plan(names, len(taxes)),
    }
    return Approach(approach_id, kind, label, "planned", **{**fields, **more})  # type: ignore[arg-type]


def _approaches(names: int, years: int) -> list[Approach]:
    of = partial(_planned, names)
    nothing: dict[str, object] = {"plan": [], "years": [], "turnover_frac": 0.0, "trades": 0, "cost_usd": usd(0), "break_even_years": None}
    keep = of("keep", "keep", "Keep everything", [0.0], TE_BEFORE, 0.28, certificate=Certificate("exact"), realised=NO_GAINS, **nothing)
    budget_price = ShadowPrice("tax_budget", MORE_TAX, usd(1000), -0.0003, usd(1000))
    keep_price = ShadowPrice("never_sell:ACRN", LESS_ACORN, None, -0.0006, usd(1120.45))
    long, budget = [44120.5 - 2400 * i for i in range(years)], [24998.71, 24996.12, 24999.9, 24991.5, 24987.33]
    numerical = Certificate("numerical", 63.90, 61.70, 2.2, "joint problem over all years, floating-point duals")
    bare = Certificate("certified", 55.1, 55.02, 0.08, "each year certified; together within the stated gap")
    return [
        keep,
        of(
            "sell_all",
            "sell_all",
            "Sell all, buy the target",
            [389112.87],
            0.0004,
            0.0,
            certificate=Certificate("exact"),
            break_even_years=9.2,
        ),
        of("immediate", "immediate", "All the way now, at the least tax", [175633.47], 0.0031, 0.04, shadow_prices=[keep_price]),
        of("timeline_3", "timeline", "Timeline of three years", [71204.11, 58110.62, 40388.05], 0.0031, 0.04, certificate=numerical),
        of("timeline_5", "timeline", f"Timeline of {years_words(years)} years", long, 0.0031, 0.04, certificate=numerical),
        of(
            "tax_budget", "tax_budget", "Tax budget of $25,000 a year", budget, 0.0147, 0.11, shadow_prices=[budget_price], certificate=bare
        ),
        of("te_target", "te_target", "Tracking error of 1.50%", [98211.4], 0.01499, 0.12),
        of(
            "wind_down",
            "wind_down",
            "Acorn Robotics down to 10% in three years",
            [61022.9, 44801.32, 30117.0],
            0.0246,
            0.1,
            notes=[COMPLETION],
        ),
        of(
            "gift",
            "gift",
            "Give $150,000.00 to charity in kind",
            [143301.2],
            0.0034,
            0.03,
            gifted_usd=usd(149987.4),
            gain_avoided_usd=usd(118311.75),
            notes=["The deduction for a gift of appreciated stock is limited to 30% of income."],
        ),
        Approach("gain_budget", "gain_budget", "Gain budgets", "out_of_reach", REASON),
        Approach(
            "tax_budget_multi",
            "tax_budget",
            "Tax budget a year",
            "not_offered",
            "A multi-manager strategy is offered with the timeline only.",
        ),
    ]


def years_words(count: int) -> str:
    return {3: "three", 5: "five", 10: "ten"}.get(count, str(count))
