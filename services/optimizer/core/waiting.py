"""What it is worth to wait until a gain is long-term, and what a loss is worth.

Waiting.  Sold today, a short-term lot's gain is taxed as short; sold from its first long-term day on (IRC 1222, terms.py) as long.  Near
that day the plan's choice is not between selling and keeping for ever but between selling now and some days later, so holding has a
value that a one-period problem does not see: what the later sale would save, times the chance that it is still wanted and the gain
still there, discounted.  The objective gets it as a price on selling now (`policy_frac`).  The multi-year plans of transition-method.md,
section 3, find most of their advantage over one-period plans in just this wait.  What is saved is the difference between two netted
years: nothing where losses absorb the gain under either character.  Losses have no such price: that a short-term loss is about to become
a long-term one is the harvest policy's concern (harvest.py).

Sources: Constantinides, Optimal stock trading with personal taxes, JFE 13 (1984): realise losses short-term, gains long-term; Dammon and
Spatt, RFS 9 (1996): the option value of holding back short-term gains near the end of the holding period.

Invariants
1. A price is never negative, and at most what is saved by the character alone; it is zero at a loss, for a long-term lot, beyond the
   horizon, and where the holding period is not known.
2. The price falls with the days to wait.
3. A loss is never worth less than nothing nor, a dollar, more than the dearest rate of its year.
"""

from datetime import date
from decimal import Decimal
from math import ceil

import numpy as np

from libs.common.money import ZERO, float_from_decimal
from services.optimizer.core.dual.tax_law import Nets, TaxLaw, TaxPosition, year_cost
from services.optimizer.core.inputs import Case
from services.optimizer.core.lots import HeldLot
from services.optimizer.core.policy import WaitingSettings
from services.optimizer.core.tax_position import tax_position
from services.optimizer.core.terms import first_long_day

YEAR_DAYS = 365.0


def waiting_prices(case: Case, settings: WaitingSettings) -> list[float]:
    """By lot, in the case's order: what waiting adds to the price of selling a dollar of it now."""
    if not case.taxable:
        return [0.0] * len(case.lots)
    position, lots, prices = tax_position(case), case.lots, [0.0] * len(case.lots)
    begun = np.datetime64(case.run.as_of, "D") - lots.since >= np.timedelta64(ceil(YEAR_DAYS - settings.horizon_days), "D")
    for n in np.flatnonzero(begun & lots.has_basis & ~lots.is_long & (lots.gain_frac > 0)).tolist():
        prices[n] = _price_of(case, lots[n], position, settings)
    return prices


def _price_of(case: Case, lot: HeldLot, position: TaxPosition | None, settings: WaitingSettings) -> float:
    days = days_to_wait(lot, case.run.as_of, settings.horizon_days)
    price = case.snapshot.price[case.snapshot.position[lot.security_id]]
    if days is None or lot.basis is None or price is None:
        return 0.0
    value = lot.quantity * price
    gain, rates = value - lot.basis, case.account.rates
    if gain <= 0:
        return 0.0
    saved = gain * (rates.short_frac - rates.long_frac) if position is None else saved_by_waiting(position.law, position.year, gain)
    return expected_saving(float_from_decimal(saved / value), days, settings)


def days_to_wait(lot: HeldLot, as_of: date, horizon_days: int) -> int | None:
    """Days from `as_of` to the first on which a sale of the whole lot is long-term; None where it is long already, not known when, or
    farther than the horizon."""
    if lot.term != "short" or lot.held_since is None or (as_of - lot.held_since).days < YEAR_DAYS - horizon_days:
        return None
    days = (first_long_day(lot.held_since) - as_of).days
    return days if days <= horizon_days else None


def saved_by_waiting(law: TaxLaw, year: Nets, gain: Decimal) -> Decimal:
    """Dollars by which the year costs less where a gain of so many dollars is long-term instead of short; never negative."""
    return max(ZERO, year_cost(law, year + Nets(short=gain)) - year_cost(law, year + Nets(long=gain)))


def expected_saving(saved: float, days: int, settings: WaitingSettings) -> float:
    """What is saved after so many days (of a dollar, or dollars), times the chance that it comes to it, discounted."""
    years = max(days, 0) / YEAR_DAYS
    kept: float = (1.0 - settings.lapse_frac_ann) ** years
    discount: float = (1.0 + settings.discount_frac_ann) ** -years
    return max(saved, 0.0) * kept * discount


def loss_worth(law: TaxLaw, year: Nets, loss: Nets) -> Decimal:
    """Dollars that a further loss (positive, by character) saves the year by the account's policy: against gains first, then ordinary
    income, then what carrying it is worth."""
    return year_cost(law, year) - year_cost(law, year + Nets(-loss.short, -loss.long))
