"""When a loss is taken for its own sake, when a small gain is realised on purpose, and why losses were left.

Both decisions are prices: `policy_frac` is added to what the objective counts on a dollar sold of a lot, beside its tax and its spread.

Threshold.  Below the least loss for its month and its age, a lot's saving is taken out of the objective: the lot may still be sold for
other ends, as if it had cost its price.  The saving is the loss at its rate; where the taxpayer's year is netted, what the lot's loss saves
the year as it stands before the plan, so that a loss which would only be carried is not punished for a saving that it does not bring.
Waiting keeps the choice to take a deeper loss, at the price of a position that may recover; that choice ends with the tax year, and is
worth least where a short-term loss is about to become long-term.  The house's table keeps 95 of a hundred of the benefit at three fifths of
the turnover over most of the year (losses from 5 of a hundred on; measured on ten-year cohorts of index members, where 0, 5 and 10 gave
130, 123 and 113 basis points a year at turnovers of .99, .58 and .40).

Refresh.  A portfolio that only harvests locks up: what is left has gains, and losses dry up.  Selling a small gain buys the right to later,
short-term losses from today's price, for the tax on the gain and a lock-up of a month in which the new shares make losses in the name
worthless.  Per dollar of a lot with basis b (fraction of its price), over a horizon H with price S normal around 1 and volatility s:

    V(b, r) = r E[(b - S)+] - later long E[(S - b)+]          refresh credit = V(1, short, H - lock-up) - V(b, long, H), where positive

`later` is the chance, discounted, that the tax on a gain kept is ever paid.

Sources: Constantinides, Capital market equilibrium with personal tax, Econometrica 51 (1983), for taking losses at once and deferring
gains; Constantinides, Optimal stock trading with personal taxes, JFE 13 (1984), for thresholds under trading costs and the restart of
short-term status; Dammon and Spatt, The optimal trading and pricing of securities with asymmetric capital gains taxes and transaction
costs, RFS 9 (1996), for the option to restart.

Invariants
1. A policy price is never below what takes a loss's saving out, and a credit never exceeds the refresh credit; gains above the policy's
   size, and everything in an IRA or Roth, have none.
2. A deeper loss of the same lot is never worth less to the objective: thresholds turn its saving on once.
"""

from collections.abc import Sequence
from datetime import date
from math import erf, exp, pi, sqrt

import numpy as np

from libs.common.money import ZERO, float_from_decimal
from libs.common.schemas.account import HarvestThreshold
from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.tax_law import Nets, TaxPosition
from services.optimizer.core.inputs import Case
from services.optimizer.core.lots import HeldLot
from services.optimizer.core.policy import HarvestSettings
from services.optimizer.core.tax_position import tax_position
from services.optimizer.core.waiting import loss_worth

YEAR_DAYS = 365.0


def policy_prices(case: Case, settings: HarvestSettings) -> list[float]:
    """By lot, in the case's order: what the account's harvest policy adds to the price of selling a dollar of it."""
    harvest = case.account.harvest
    plain = harvest.mode == "objective" and harvest.refresh_gain_frac is None
    if not case.taxable or plain:
        return [0.0] * len(case.lots)
    volatility, position, prices = volatilities(case), tax_position(case), [0.0] * len(case.lots)
    most = 0.0 if harvest.refresh_gain_frac is None else float_from_decimal(harvest.refresh_gain_frac)
    for n in np.flatnonzero(case.lots.has_basis & (case.lots.gain_frac <= most)).tolist():
        prices[n] = _price_of(case, case.lots[n], float(volatility[case.lots.at[n]]), position, settings)
    return prices


def volatilities(case: Case) -> Floats:
    """[securities] Yearly volatility by the risk model."""
    snapshot = case.snapshot
    found: Floats = np.sqrt((snapshot.exposures**2).sum(axis=1) + snapshot.specific_var_ann)
    return found


def _price_of(case: Case, lot: HeldLot, volatility: float, position: TaxPosition | None, settings: HarvestSettings) -> float:
    gain = gain_frac(case, lot)
    if gain is None:
        return 0.0
    if gain < 0:
        return 0.0 if counts(case, lot, settings) else saved_frac(case, lot, position)
    most = case.account.harvest.refresh_gain_frac
    age = age_days(lot, case.run.as_of)
    if most is None or gain > float_from_decimal(most) or age is None or age <= settings.lock_up_days:
        return 0.0
    short, long = (float_from_decimal(rate) for rate in (case.account.rates.short_frac, case.account.rates.long_frac))
    return -refresh_credit(1 - gain, volatility, short, long, settings)


def saved_frac(case: Case, lot: HeldLot, position: TaxPosition | None) -> float:
    """What the loss of the whole lot saves, on a dollar sold of it: at its rate, or as the taxpayer's year is netted; never negative."""
    price = case.snapshot.price[case.snapshot.position[lot.security_id]]
    if lot.basis is None or price is None:
        return 0.0
    proceeds = lot.quantity * price
    loss, rates = max(lot.basis - proceeds, ZERO), case.account.rates
    if position is None:
        saved = loss * (rates.long_frac if lot.term == "long" else rates.short_frac)
    else:
        saved = max(ZERO, loss_worth(position.law, position.year, Nets(long=loss) if lot.term == "long" else Nets(short=loss)))
    return float_from_decimal(saved / proceeds)


def gain_frac(case: Case, lot: HeldLot) -> float | None:
    """Gain on a dollar sold of the lot; None where its basis is not known."""
    price = case.snapshot.price[case.snapshot.position[lot.security_id]]
    if lot.basis is None or price is None:
        return None
    proceeds = lot.quantity * price
    return float_from_decimal((proceeds - lot.basis) / proceeds)


def counts(case: Case, lot: HeldLot, settings: HarvestSettings) -> bool:
    """Whether a loss of this lot counts in the objective, by the account's policy."""
    least = threshold_frac(case, lot, settings)
    gain = gain_frac(case, lot)
    if least is None or gain is None:
        return False
    return gain < 0 and -gain / (1 - gain) >= least


def threshold_frac(case: Case, lot: HeldLot, settings: HarvestSettings) -> float | None:
    """The least loss, as a fraction of basis, that counts for this lot on the run's date; None where none does."""
    harvest = case.account.harvest
    if harvest.mode == "off":
        return None
    if harvest.mode == "objective":
        return 0.0
    return applying(harvest.thresholds or settings.thresholds, case.run.as_of.month, age_days(lot, case.run.as_of) or 0)


def applying(thresholds: Sequence[HarvestThreshold], month: int, age: int) -> float:
    """Of those begun by this month and age the one of the latest month, then of the greatest age; nothing is asked before the first."""
    begun = [each for each in thresholds if each.from_month <= month and each.from_age_days <= age]
    latest = max(begun, key=lambda each: (each.from_month, each.from_age_days), default=None)
    return 0.0 if latest is None else float_from_decimal(latest.loss_frac)


def age_days(lot: HeldLot, as_of: date) -> int | None:
    """Days since the holding period began; None where that is not known."""
    return None if lot.held_since is None else (as_of - lot.held_since).days


def refresh_credit(basis: float, volatility: float, short: float, long: float, settings: HarvestSettings) -> float:
    """What a new basis at today's price is worth, per dollar of a lot whose basis is this fraction of its price; never negative."""
    whole = settings.horizon_days / YEAR_DAYS
    locked = (settings.horizon_days - settings.lock_up_days) / YEAR_DAYS
    later = settings.later_tax_frac * long
    new = _kept(1.0, volatility * sqrt(locked), short, later)
    old = _kept(basis, volatility * sqrt(whole), long, later)
    return max(0.0, new - old)


def _kept(basis: float, deviation: float, loss_rate: float, gain_rate: float) -> float:
    """What a dollar with this basis is expected to save in losses less what it is expected to pay on gains."""
    below = _expected_below(basis, deviation)
    return loss_rate * below - gain_rate * (below + 1.0 - basis)


def _expected_below(strike: float, deviation: float) -> float:
    """E[(strike - S)+] of a price S, normal around 1."""
    distance = (strike - 1.0) / deviation
    under = 0.5 * (1.0 + erf(distance / sqrt(2.0)))
    return (strike - 1.0) * under + deviation * exp(-0.5 * distance**2) / sqrt(2.0 * pi)
