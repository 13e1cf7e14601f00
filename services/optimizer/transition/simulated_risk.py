"""The simulated market's risk model: exposures to factors of unit variance and specific variances, annual.

Factors are independent: the market, four styles, sectors, regions, rates and credit.  An exposure is the yearly volatility that its factor
alone gives the security.
"""

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.transition.simulated_funds import BOND_FUNDS, SHARE_FUNDS, Holds
from services.optimizer.transition.simulated_universe import SECTORS, SEED, Security

STYLES = ("Size", "Value", "Momentum", "Low volatility")
REGIONS = ("Europe", "Asia", "Emerging")
FACTORS = ("Market", *STYLES, *SECTORS, *REGIONS, "Rates", "Credit")
SPECIFIC_VOLATILITY = {"large": 0.19, "mid": 0.26, "small": 0.34}


def share_rows(shares: list[Security]) -> tuple[Floats, Floats]:
    """Exposures [shares, factors] and specific variances."""
    rng = np.random.default_rng(SEED + 1)
    exposures, variances = np.zeros((len(shares), len(FACTORS))), np.zeros(len(shares))
    at = {factor: i for i, factor in enumerate(FACTORS)}
    for row, each in zip(exposures, shares, strict=True):
        row[at["Market"]] = 0.155 * float(np.clip(rng.normal(1 + 0.15 * each.growth, 0.18), 0.4, 1.8))
        row[at["Size"]] = 0.04 * float({"large": -0.5, "mid": 0.5, "small": 1.2}[each.size] + 0.2 * rng.standard_normal())
        row[at["Value"]] = -0.05 * each.growth
        row[at["Momentum"]] = 0.03 * float(rng.standard_normal())
        row[at["Low volatility"]] = 0.03 * float(rng.standard_normal())
        row[at[each.sector]] = 0.075 * float(rng.uniform(0.7, 1.3))
        if each.region in REGIONS:
            row[at[each.region]] = 0.09 * float(rng.uniform(0.8, 1.2))
    for i, each in enumerate(shares):
        variances[i] = (SPECIFIC_VOLATILITY[each.size] * float(rng.uniform(0.75, 1.35))) ** 2
    return exposures, variances


def held_by(holds: Holds, shares: list[Security]) -> Floats:
    """The weights of a fund's shares, by capitalisation."""
    weights = np.array([each.cap_usd if _holds(holds, each) else 0.0 for each in shares])
    result: Floats = weights / weights.sum()
    return result


def _holds(holds: Holds, share: Security) -> bool:
    """Whether a fund of that kind holds the share."""
    in_us, large = share.region == "US", share.size == "large"
    return {
        "US large": in_us and large,
        "US large growth": in_us and large and share.style == "growth",
        "US large value": in_us and large and share.style == "value",
        "US mid and small": in_us and not large,
        "International": not in_us,
        "World": True,
        "Balanced": in_us and large,
    }[holds]


def fund_rows(shares: list[Security], exposures: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Exposures and specific variances of the funds, share funds first."""
    count = len(SHARE_FUNDS) + len(BOND_FUNDS)
    rows, own = np.zeros((count, len(FACTORS))), np.zeros(count)
    rates, credit = FACTORS.index("Rates"), FACTORS.index("Credit")
    for i, fund in enumerate(SHARE_FUNDS):
        weights = held_by(fund.holds, shares) * (1 - fund.bonds_frac)
        rows[i] = weights @ exposures
        rows[i, rates] += 0.055 * fund.bonds_frac
        own[i] = float(weights**2 @ variances) + fund.active_frac**2
    for i, bond in enumerate(BOND_FUNDS, len(SHARE_FUNDS)):
        rows[i, rates], rows[i, credit], own[i] = bond.rates_frac, bond.credit_frac, bond.own_frac**2
    return rows, own
