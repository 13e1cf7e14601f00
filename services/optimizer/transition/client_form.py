"""What a consultative review form holds once it is read (form.py), as far as it could be read."""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.federal_tax import FilingStatus
from libs.common.money import ZERO
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.lots_csv import FormLot, LeftOut

AccountKind = Literal["taxable", "traditional_ira", "roth_ira"]
ACCOUNT_KINDS: tuple[AccountKind, ...] = ("traditional_ira", "roth_ira")  # the taxable account is that of the lots


class StateRates(Struct, frozen=True):
    """A state's rates on short- and long-term gains, as the user supplies them."""

    state: str
    short_frac: Decimal
    long_frac: Decimal


class Elsewhere(Struct, frozen=True):
    """A security owned in an account outside, and when it was last bought there."""

    ticker: str
    bought: date | None
    at: int = 0  # its place in the form's list


class WindDownWish(Struct, frozen=True):
    """A concentrated position to reduce to `to_frac` of the account within `years`, at most `yearly_frac` of the account a year."""

    ticker: str
    to_frac: Decimal
    years: int
    yearly_frac: Decimal | None
    at: int = 0  # its place in the form's list


class OutsideAsset(Struct, frozen=True):
    """Something the client keeps outside, told for completeness."""

    what: str
    value_usd: Decimal | None


class PlacedAccount(Struct, frozen=True):
    """One of the client's accounts of a total portfolio, with its value."""

    kind: AccountKind
    value_usd: Decimal


class YearSoFar(Struct, frozen=True):
    """The year's realised gains and losses and the losses carried into it, all positive."""

    short_gain: Decimal = ZERO
    short_loss: Decimal = ZERO
    long_gain: Decimal = ZERO
    long_loss: Decimal = ZERO
    carried_short_loss: Decimal = ZERO
    carried_long_loss: Decimal = ZERO


class Form(Struct, frozen=True):
    """The form as far as it could be read; None and empty where nothing was given.  Money in dollars, rates as fractions."""

    client_name: str = ""
    household: str = ""
    as_of: date | None = None
    market: str = ""
    strategy: str = ""
    compare: tuple[str, ...] = ()
    cash: Decimal = ZERO
    lots: tuple[FormLot, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    short_rate: Decimal | None = None
    long_rate: Decimal | None = None
    ordinary_rate: Decimal | None = None
    income: Decimal | None = None
    filing_status: FilingStatus | None = None
    state: str = ""
    state_rates: tuple[StateRates, ...] = ()
    exclude: tuple[str, ...] = ()
    never_own: tuple[str, ...] = ()
    never_sell: tuple[str, ...] = ()
    owned_elsewhere: tuple[Elsewhere, ...] = ()
    tax_budget: Decimal | None = None
    short_gain_budget: Decimal | None = None
    long_gain_budget: Decimal | None = None
    year: YearSoFar = YearSoFar()
    wind_down: tuple[WindDownWish, ...] = ()
    charity: Decimal = ZERO
    te_target: Decimal | None = None
    timelines: tuple[int, ...] = (3, 5)
    outside: tuple[OutsideAsset, ...] = ()
    growth: Decimal | None = None
    discount: Decimal | None = None
    horizon_years: int | None = None
    risk_aversion: Decimal | None = None
    min_trade: Decimal = ZERO
    volatility_target: Decimal | None = None
    risk_score: int | None = None
    accounts: tuple[PlacedAccount, ...] = ()


class Reading(Struct, frozen=True):
    """The form, and everything that is wrong with what was given."""

    form: Form
    faults: list[FieldFault]

    @property
    def unread(self) -> bool:
        """No form was found in what was given: a fault of no field says why, and what a form lacks need not be said."""
        return any(not each.field for each in self.faults)


def reading(form: Form, faults: list[FieldFault]) -> Reading:
    """The form with everything that is marked among what it leaves out, each once; a lot that is left out says why itself."""
    of_lots = [each.why for each in form.left_out]
    marked = [
        each for each in faults if each.field and not (each.field.startswith("lots[") and any(each.message in why for why in of_lots))
    ]
    out = dict.fromkeys(_without_name(LeftOut(each.what(), str(each.message)), form.client_name) for each in marked)
    return Reading(replace(form, left_out=(*form.left_out, *(each for each in out if each not in form.left_out))), faults)


def _without_name(out: LeftOut, client_name: str) -> LeftOut:
    """What is listed goes into events and files that never hold the client's name, even where it stands in a wrong field."""
    name = " ".join(client_name.lower().split())
    if not name or name not in f"{out.what}; {out.why}".lower().replace("_", " "):
        return out
    return LeftOut("A field of the form" if name in out.what.lower() else out.what, "It can't be read")
