"""The accounts that show one thing each: A0001 to A0030 of the sample, in households H001 to H022."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from demo.sample.days import DEMO_DAYS
from demo.sample.market import SampleMarket
from demo.sample.picks import Picks, split_adjusted
from demo.sample.plans import FAITH_CATEGORIES, NO_TAX, ExtraBuy, Holding, Plan, cash_flow, opening, wishes
from libs.common.money import cents_from_float_half_even
from libs.common.schemas.account import Budgets, PastSale, TaxRates, Wish

UNKNOWN_SECURITY = "ZZZZZ"
CONTRIBUTION_USD = 80_000
WITHDRAWAL_USD = -60_000
YEAR = DEMO_DAYS[0].business_date.year


def story_plans(market: SampleMarket, picks: Picks) -> list[Plan]:
    """The thirty plans, by account id."""
    plans = [
        *_families(picks),
        *_tax_cases(market, picks),
        *_wishes_cases(market, picks),
        *_life_cases(market, picks),
        *_common_cases(market, picks),
    ]
    return sorted(plans, key=lambda plan: plan.account_id)


def past_loss(market: SampleMarket, picks: Picks, account_id: str, column: int, shares: int) -> PastSale:
    """A sale at a loss on `recent_row` of a name that was bought on `wash_row`: it blocks the household from buying it back."""
    price = split_adjusted(market)[[picks.wash_row, picks.recent_row], column]
    gain = cents_from_float_half_even(float(price[1] - price[0]) * shares)
    day = market.history.days[picks.recent_row]
    return PastSale(account_id, market.universe[column].security_id, Decimal(shares), day, gain)


def _seasoned(picks: Picks, value_usd: int, names: int = 200) -> Holding:
    """A sample bought two years ago, added to once."""
    return Holding("sample", value_usd, ((picks.today_row - 500, 0.85), (picks.today_row - 220, 0.15)), names, harvested=True)


def _families(picks: Picks) -> list[Plan]:
    """H001: every kind of account; H002 and H003: one account's recent purchase blocks another's loss sale."""
    today = picks.today_row
    full = Holding("full", 3_200_000, ((today - 700, 0.7), (today - 300, 0.2), (today - 120, 0.1)))
    ira = Holding("full", 1_600_000, ((today - 640, 1.0),), fractional=True)
    loses_wash = replace(_seasoned(picks, 1_500_000), extra=(ExtraBuy(picks.wash, picks.wash_row, 0.03),))
    buys_wash = replace(_seasoned(picks, 800_000), extra=(ExtraBuy(picks.wash, picks.recent_row, 0.004),))
    loses_pair = replace(
        _seasoned(picks, 1_100_000),
        extra=(ExtraBuy(picks.pair_first, picks.pair_row, 0.03),),
        avoid_columns=frozenset({picks.pair_second}),
    )
    buys_pair = replace(
        _seasoned(picks, 600_000),
        extra=(ExtraBuy(picks.pair_second, picks.recent_row, 0.01),),
        avoid_columns=frozenset({picks.pair_first}),
    )
    return [
        Plan("A0001", "H001", "T001", "taxable", full, tax_opening=opening(YEAR, short_gain=18_000, long_gain=42_000)),
        Plan("A0002", "H001", "T001", "traditional_ira", ira, rates=NO_TAX),
        Plan("A0003", "H001", "T001", "roth_ira", _seasoned(picks, 420_000), rates=NO_TAX),
        Plan("A0004", "H001", "T002", "taxable", replace(_seasoned(picks, 950_000, 180), harvested=False)),
        Plan("A0005", "H002", "T003", "taxable", loses_wash, tax_opening=opening(YEAR, short_gain=30_000)),
        Plan("A0006", "H002", "T004", "taxable", buys_wash),
        Plan("A0007", "H003", "T005", "taxable", loses_pair),
        Plan("A0008", "H003", "T005", "traditional_ira", buys_pair, rates=NO_TAX),
    ]


def _tax_cases(market: SampleMarket, picks: Picks) -> list[Plan]:
    """A name to be sold whole whose price jumped; unknown basis; a budget that binds; a lot that nobody knows."""
    jump = market.jump_security
    sells_jump = replace(_seasoned(picks, 700_000), extra=(ExtraBuy(picks.jump, picks.jump_row, 0.05),))
    transferred = replace(_seasoned(picks, 640_000), unknown_basis_frac=0.4)
    winner = replace(_seasoned(picks, 1_000_000, 110), extra=(ExtraBuy(picks.winner, picks.winner_row, 0.38),))
    unknown = replace(_seasoned(picks, 300_000, 100), foreign_lots=(UNKNOWN_SECURITY,))
    return [
        Plan("A0009", "H004", "T006", "taxable", sells_jump, wishes=wishes("A0009", "must_sell", "security", (jump,))),
        Plan("A0010", "H005", "T007", "taxable", transferred),
        Plan("A0011", "H005", "T007", "traditional_ira", replace(transferred, value_usd=280_000), rates=NO_TAX),
        Plan("A0012", "H006", "T008", "taxable", winner, budgets=Budgets(tax=Decimal(4000)), risk_aversion=Decimal(60)),
        Plan("A0013", "H007", "T009", "taxable", unknown),
    ]


def _wishes_cases(market: SampleMarket, picks: Picks) -> list[Plan]:
    """Faith for a whole household, an industry sold out, do-not-trade, approval by a person."""
    today = picks.today_row
    faith_fresh = Holding("fresh", 900_000, ((picks.recent_row + 2, 1.0),), 150, cash_frac=0.5)
    faith = wishes("A0014", "never_buy", "category", FAITH_CATEGORIES, "household")
    industry = wishes("A0016", "must_sell", "industry", ("Casinos", "Tobacco"))
    manual = Holding("sample", 1_250_000, ((today - 420, 0.9), (today - 60, 0.1)), 160)
    return [
        Plan("A0014", "H008", "T010", "taxable", faith_fresh, wishes=faith, avoided_categories=FAITH_CATEGORIES),
        Plan("A0015", "H008", "T010", "taxable", _seasoned(picks, 1_400_000, 200), avoided_categories=FAITH_CATEGORIES),
        Plan("A0016", "H009", "T011", "taxable", Holding("full", 2_300_000, ((today - 330, 1.0),), harvested=True), wishes=industry),
        Plan("A0017", "H010", "T012", "taxable", _seasoned(picks, 500_000), do_not_trade=True),
        Plan("A0018", "H011", "T013", "taxable", manual, approval="manual"),
        Plan("A0019", "H011", "T014", "taxable", replace(manual, value_usd=610_000), approval="manual", rates=_middle_rates()),
    ]


def _life_cases(market: SampleMarket, picks: Picks) -> list[Plan]:
    """Money out and in, past losses, feeds that go wrong."""
    withdrawal = (cash_flow(date(2025, 12, 19), WITHDRAWAL_USD),)
    contribution = (cash_flow(DEMO_DAYS[1].business_date, CONTRIBUTION_USD),)
    sold = picks.losers[:3]
    losses = tuple(past_loss(market, picks, "A0022", column, 60) for column in sold)
    sold_out = replace(_fresh(picks, 750_000, 120), avoid_columns=frozenset(sold))
    return [
        Plan("A0020", "H012", "T015", "taxable", _seasoned(picks, 1_200_000), cash_flows=withdrawal),
        Plan("A0021", "H013", "T016", "taxable", _seasoned(picks, 900_000), cash_flows=contribution),
        Plan("A0022", "H014", "T017", "taxable", sold_out, past_sales=losses),
        Plan("A0023", "H015", "T018", "taxable", _seasoned(picks, 560_000)),
        Plan("A0024", "H016", "T019", "taxable", _seasoned(picks, 480_000)),
        Plan("A0025", "H017", "T020", "taxable", _seasoned(picks, 1_050_000)),
        Plan("A0030", "H022", "T025", "taxable", _with_fraction(picks), wishes=_sell_fraction(market, picks)),
    ]


def _common_cases(market: SampleMarket, picks: Picks) -> list[Plan]:
    """One of each kind of holdings that the crowd is made of."""
    legacy = Holding("legacy", 820_000, names=44)
    concentrated = replace(_seasoned(picks, 1_300_000, 120), extra=(ExtraBuy(picks.winners[-1], picks.winner_row, 0.42),))
    return [
        Plan("A0026", "H018", "T021", "taxable", legacy, budgets=Budgets(tax=Decimal(15000))),
        Plan("A0027", "H019", "T022", "taxable", concentrated, budgets=Budgets(tax=Decimal(20000))),
        Plan(
            "A0028", "H020", "T023", "taxable", Holding("cash_only", 1_000_000, cash_frac=1.0), wishes=_at_most_one_per_cent(market, picks)
        ),
        Plan("A0029", "H021", "T024", "taxable", _fresh(picks, 2_500_000, 200)),
    ]


def _at_most_one_per_cent(market: SampleMarket, picks: Picks) -> tuple[Wish, ...]:
    heaviest = market.universe[picks.heaviest].security_id
    return wishes("A0028", "max_weight", "security", (heaviest,), limit_frac=Decimal("0.01"))


def _fresh(picks: Picks, value_usd: int, names: int) -> Holding:
    """Funded last week, three fifths of it invested."""
    return Holding("fresh", value_usd, ((picks.today_row - 6, 1.0),), names, cash_frac=0.4)


def _with_fraction(picks: Picks) -> Holding:
    """A position with a part of a share, which leaves only with the whole."""
    extra = (ExtraBuy(picks.fraction, picks.winner_row, 0.02, Decimal("0.625")),)
    return replace(_seasoned(picks, 450_000), extra=extra, fractional=True)


def _sell_fraction(market: SampleMarket, picks: Picks) -> tuple[Wish, ...]:
    return wishes("A0030", "must_sell", "security", (market.universe[picks.fraction].security_id,))


def _middle_rates() -> TaxRates:
    return TaxRates(Decimal("0.35"), Decimal("0.188"))
