"""Who owns the accounts of the real-price book, when they bought, and what their owners asked for."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from libs.common.schemas.account import AccountType, TaxRates, Wish

Style = Literal["full", "sample", "cash_only"]
TOP_RATES = TaxRates(Decimal("0.408"), Decimal("0.238"))
NO_TAX = TaxRates(Decimal(0), Decimal(0))
WEAPONS_AND_FUELS = ("fossil_fuel", "nuclear_weapons", "tobacco", "weapons_defense")
FAITH = ("adult_entertainment", "alcohol", "gambling", "interest_based_finance", "tobacco")
SPRING_2016, AUTUMN_2016, AUTUMN_2017 = date(2016, 4, 15), date(2016, 9, 16), date(2017, 10, 20)
PEAK_2018, LOW_2018, SUMMER_2019 = date(2018, 9, 20), date(2018, 12, 24), date(2019, 7, 26)


@dataclass(frozen=True)
class Purchase:
    """One name bought by itself: dollars at the close of a day."""

    ticker: str
    day: date
    dollars: float


@dataclass(frozen=True)
class Plan:
    """One account: dollars put in on each of `days`, most on the first, which buys all chosen names; each later one buys some again.

    `avoided`: exclusion categories that it never bought.  `unknown_basis_frac`: part of its lots whose basis the custodian lost.
    """

    account_id: str
    household_id: str
    taxpayer_id: str
    style: Style
    dollars: float
    days: tuple[date, ...] = ()
    names: int = 0
    account_type: AccountType = "taxable"
    avoided: tuple[str, ...] = ()
    wishes: tuple[Wish, ...] = ()
    purchases: tuple[Purchase, ...] = ()
    unknown_basis_frac: float = 0.0
    do_not_trade: bool = False

    @property
    def rates(self) -> TaxRates:
        return TOP_RATES if self.account_type == "taxable" else NO_TAX


def never_buy(account_id: str, categories: tuple[str, ...], scope: Literal["account", "household"] = "account") -> tuple[Wish, ...]:
    """One wish a category."""
    return tuple(Wish(f"{account_id}-{category}", "never_buy", "category", category, scope) for category in categories)


def _wish(account_id: str, kind: Literal["never_buy", "never_sell", "must_sell", "hold"], ticker: str) -> Wish:
    return Wish(f"{account_id}-{kind}-{ticker}", kind, "security", ticker)


PLANS = (
    Plan("R01", "HR01", "T01", "full", 6e6, (SPRING_2016, AUTUMN_2016, AUTUMN_2017, PEAK_2018, LOW_2018, SUMMER_2019)),
    Plan("R02", "HR02", "T02", "sample", 9e5, (AUTUMN_2016, PEAK_2018), names=150),
    Plan("R03", "HR02", "T03", "sample", 6e5, (AUTUMN_2017, SUMMER_2019), names=100),
    # An IRA of the same person bought last week what R04 holds at a loss.
    Plan(
        "R04",
        "HR03",
        "T04",
        "sample",
        1.2e6,
        (PEAK_2018, SUMMER_2019),
        names=120,
        purchases=(Purchase("MYL", PEAK_2018, 30_000.0), Purchase("KHC", AUTUMN_2017, 30_000.0)),
    ),
    Plan(
        "R05",
        "HR03",
        "T04",
        "sample",
        4e5,
        (AUTUMN_2017,),
        100,
        "traditional_ira",
        purchases=(Purchase("MYL", date(2019, 12, 5), 8_000.0),),
    ),
    # The spouse bought the other share class of what R06 holds at a loss; and there is a Roth.
    Plan("R06", "HR04", "T06", "sample", 1e6, (AUTUMN_2017, LOW_2018), names=140, purchases=(Purchase("UAA", SPRING_2016, 40_000.0),)),
    Plan("R07", "HR04", "T07", "sample", 7e5, (PEAK_2018,), names=110, purchases=(Purchase("UA", date(2019, 12, 3), 9_000.0),)),
    Plan("R08", "HR04", "T06", "sample", 3e5, (PEAK_2018,), names=100, account_type="roth_ira"),
    Plan("R09", "HR05", "T09", "full", 4e6, (AUTUMN_2017, PEAK_2018, SUMMER_2019)),
    Plan(
        "R10",
        "HR06",
        "T10",
        "sample",
        1.5e6,
        (AUTUMN_2016, PEAK_2018),
        names=200,
        avoided=WEAPONS_AND_FUELS,
        wishes=never_buy("R10", WEAPONS_AND_FUELS, "household"),
    ),
    # Its owner turned to these rules after the purchases: what they name may stay, and may not grow.
    Plan("R11", "HR07", "T11", "full", 5e6, (SPRING_2016, PEAK_2018), wishes=never_buy("R11", FAITH)),
    Plan("R12", "HR08", "T12", "sample", 1e6, (AUTUMN_2017,), names=120, purchases=(Purchase("AAPL", SPRING_2016, 300_000.0),)),
    Plan("R13", "HR09", "T13", "cash_only", 8e5),
    Plan("R14", "HR10", "T14", "cash_only", 5e5, wishes=never_buy("R14", FAITH, "household")),
    Plan("R15", "HR10", "T14", "sample", 4.5e5, (PEAK_2018,), 120, "traditional_ira", avoided=FAITH),
    Plan("R16", "HR11", "T16", "sample", 9e5, (SPRING_2016, PEAK_2018), names=150, unknown_basis_frac=0.2),
    Plan(
        "R17",
        "HR12",
        "T17",
        "sample",
        1e6,
        (PEAK_2018,),
        names=130,
        purchases=(Purchase("GE", PEAK_2018, 20_000.0), Purchase("XOM", PEAK_2018, 20_000.0), Purchase("SLB", PEAK_2018, 20_000.0)),
        wishes=(
            _wish("R17", "never_buy", "AMZN"),
            _wish("R17", "must_sell", "GE"),
            _wish("R17", "never_sell", "XOM"),
            _wish("R17", "hold", "SLB"),
            Wish("R17-max-AAPL", "max_weight", "issuer", "cik-0000320193", limit_frac=Decimal("0.02")),
        ),
    ),
    Plan("R18", "HR13", "T18", "full", 4.5e6, (PEAK_2018, LOW_2018)),
    Plan("R19", "HR13", "T19", "sample", 5e5, (AUTUMN_2017,), names=100, do_not_trade=True),
    Plan("R20", "HR14", "T20", "sample", 1e6, (SPRING_2016, AUTUMN_2017, PEAK_2018, SUMMER_2019), names=180),
)
