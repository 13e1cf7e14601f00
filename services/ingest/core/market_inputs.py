"""What a market snapshot is made from: the content of the market files as typed, frozen values (docs/file-formats.md)."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from libs.common.schemas.market import Reorganization

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]
PriceBasis = Literal["unadjusted", "split_adjusted"]
ActionKind = Literal["split", "dividend"]


@dataclass(frozen=True, slots=True)
class Security:
    """One line of the security master; None where the file leaves the choice to us.

    adv_usd: median daily dollar volume.  market_cap_usd: the latest known, dollars.
    """

    security_id: str
    name: str
    issuer_id: str
    identity_group: str
    sector: str
    industry: str
    categories: tuple[str, ...]
    adv_usd: float
    half_spread_bps: float | None = None
    market_cap_usd: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WideTable:
    """values: (days, securities), NaN where there is none; columns are the securities of the market in order; dates rise."""

    dates: Dates
    values: Floats

    def until(self, as_of: date) -> "WideTable":
        """Without any row dated after `as_of`."""
        days = int(np.searchsorted(self.dates, np.datetime64(as_of, "D"), side="right"))
        return WideTable(self.dates[:days], self.values[:days])


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """A strategy's target as given: fractions that sum to about 1."""

    strategy_id: str
    security_id: tuple[str, ...]
    weight_frac: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """split: `value` new shares for one old, a stock dividend of the same security included.  dividend: `value` dollars a share, be it
    cash, capital that is returned or shares that are spun off.

    Effective from the open of `ex_date`.
    """

    security_id: str
    ex_date: date
    kind: ActionKind
    value: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class MarketInputs:
    """Everything that a snapshot is made from; `securities` are ordered by id and give the columns of the wide tables.

    With price_basis unadjusted, closes are what was paid on the day and splits are applied from `actions`; with split_adjusted they
    are in shares of the file's last day already, and so are the accounts' lots.
    """

    simulated: bool
    price_basis: PriceBasis
    securities: tuple[Security, ...]
    closes: WideTable
    models: tuple[ModelWeights, ...]
    actions: tuple[Action, ...]
    capitalisation: WideTable | None = None
    reorganizations: tuple[Reorganization, ...] = ()

    def until(self, as_of: date) -> "MarketInputs":
        """Without anything dated after `as_of`: what follows can't look ahead."""
        return replace(
            self,
            closes=self.closes.until(as_of),
            actions=tuple(action for action in self.actions if action.ex_date <= as_of),
            reorganizations=tuple(one for one in self.reorganizations if one.ex_date <= as_of),
            capitalisation=self.capitalisation.until(as_of) if self.capitalisation else None,
        )
