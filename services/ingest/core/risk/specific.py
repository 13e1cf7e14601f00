"""Specific variance of each security from what no factor explains, with a prior for those with a short history.

Reference: risk-model-and-evidence, section 1, step 5 and the trap of new listings, whose realised specific standard deviation was
1.8 to 2.4 times the prior in the first month: the prior's is doubled, fading to 1.2 by 60 days and to 1 by 126.
"""

import numpy as np

from services.ingest.core.risk.panel import Floats, half_life_weights, weighted_mean_square
from services.ingest.core.risk.settings import RiskSettings

PRIOR_MULTIPLIER_DAYS = (0.0, 60.0, 126.0)
PRIOR_MULTIPLIER_SD = (2.0, 1.2, 1.0)
UNKNOWN_UNIVERSE_SD = 0.02
LEAST_SHARE_OF_MEDIAN = 0.01
LEAST_SD = 0.001
SEASONED_DAYS = 63


def specific_variance(left: Floats, settings: RiskSettings) -> Floats:
    """(securities,) daily specific variance, positive for every security.

    left: (days, securities) specific returns without the residual factors.  With n days known the estimate has the weight
    n / (n + 40) against the universe's median, times the square of the new listing's multiplier.  A security without any return has
    the prior alone; a universe without any, a daily standard deviation of 0.02.  Never below a hundredth of the median nor a daily
    standard deviation of 0.001, which a name alone in its sector would come to.
    """
    weights = half_life_weights(len(left), settings.specific_half_life_days)
    own = weighted_mean_square(left, weights)
    days = np.isfinite(left).sum(axis=0).astype(np.float64)
    typical = days >= min(SEASONED_DAYS, days.max(initial=0.0))
    seasoned = own[typical & np.isfinite(own) & (own > 0)]
    median = float(np.median(seasoned)) if len(seasoned) else UNKNOWN_UNIVERSE_SD**2
    prior = median * np.interp(days, PRIOR_MULTIPLIER_DAYS, PRIOR_MULTIPLIER_SD) ** 2
    share = days / (days + settings.specific_prior_days)
    blended = share * np.nan_to_num(own) + (1.0 - share) * prior
    variance: Floats = np.maximum(blended, max(LEAST_SHARE_OF_MEDIAN * median, LEAST_SD**2))
    return variance
