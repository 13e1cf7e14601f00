"""The house's own settings of a decision."""

from dataclasses import dataclass, field
from decimal import Decimal

from libs.common.schemas.account import HarvestThreshold

ABOUT_TO_BE_LONG_DAYS, LONG_DAYS = 335, 367
HOUSE_THRESHOLDS = tuple(
    HarvestThreshold(month, age, Decimal(loss))
    for month, by_age in ((1, ("0.05", "0.02", "0.05")), (10, ("0.03", "0.01", "0.03")), (12, ("0.01", "0.005", "0.01")))
    for age, loss in zip((0, ABOUT_TO_BE_LONG_DAYS, LONG_DAYS), by_age, strict=True)
)


@dataclass(frozen=True, slots=True)
class HarvestSettings:
    """The house's figures behind an account's harvest policy (harvest.py).

    `thresholds` for accounts that give none: lower towards the end of the year, and where a short-term loss is about to become long.
    `horizon_days`: how far a new basis is looked after; `lock_up_days`: how long new shares keep losses of the name from counting;
    `later_tax_frac`: the chance, discounted, that the tax on a gain that is kept is ever paid.
    """

    thresholds: tuple[HarvestThreshold, ...] = HOUSE_THRESHOLDS
    horizon_days: int = 365
    lock_up_days: int = 31
    later_tax_frac: float = 0.5


@dataclass(frozen=True, slots=True)
class WaitingSettings:
    """The house's figures behind the value of waiting for a lot to become long-term (waiting.py).

    `horizon_days`: how near that day has to be; `lapse_frac_ann`: the chance, a year, that by then the sale is no longer wanted or the
    gain gone; `discount_frac_ann`: what a dollar saved a year later is worth less.
    """

    horizon_days: int = 60
    lapse_frac_ann: float = 0.5
    discount_frac_ann: float = 0.04


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard to look for trades, and when one is worth making.

    `no_trade_margin_bps`: what a plan must gain beyond its cost, in basis points of the account's invested value.
    `withdrawal_notice_days`: calendar days ahead of its due date from which a withdrawal's cash is raised.
    `drop_rounds`: how many times small trades are dropped.  `final_tolerance` is PDLP's relative tolerance, and `iteration_limit` its
    deadline, where it has to answer instead of the dual method.  `impact_coefficient`: what a trade of a whole day's volume moves its price
    by, in daily volatilities; nothing unless the house knows better (impact.py).
    """

    no_trade_margin_bps: float = 0.5
    withdrawal_notice_days: int = 7
    drop_rounds: int = 2
    final_tolerance: float = 1e-6
    iteration_limit: int = 20_000
    impact_coefficient: float = 0.0
    harvest: HarvestSettings = field(default=HarvestSettings())
    waiting: WaitingSettings = field(default=WaitingSettings())


DEFAULT_POLICY = Policy()
