"""The catalogue of strategies, as data (strategies/*.json), and the target weights of each in a market.

A strategy is one of four kinds: `direct_index` holds what its rule names, by capitalisation; `multi_manager` is allocations over several
managers' model portfolios, netted; `core` is fixed allocations over other strategies; `bonds` is a sleeve of bond funds.

Invariants
1. Weights are above zero and sum to 1 within 1e-12, whatever the strategy is made of.
2. Netting: a name's weight is the sum of what each manager's model gives it, times the manager's allocation.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from services.optimizer.core.transition.case import ApproachKind
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import MarketSecurity, TransitionMarket, Weights

STRATEGIES = Path(__file__).parent / "strategies"
StrategyKind = Literal["direct_index", "multi_manager", "core", "bonds"]


class UniverseRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Which securities an index holds, by capitalisation; `style_share` is the share of it that counts, by style (all, when left out)."""

    regions: list[str]
    sizes: list[str]
    asset_class: str = "equity"
    style_share: dict[str, float] = {}


class Allocation(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a strategy: a manager, another strategy or a security, and its fixed share."""

    of: str
    allocation_frac: Decimal


class Refusal(Struct, frozen=True, forbid_unknown_fields=True):
    """An approach that the strategy does not offer, and why."""

    approach: ApproachKind
    reason: str


class Yields(Struct, frozen=True, forbid_unknown_fields=True):
    """What it pays a year, as fractions: taxed as ordinary income, taxed at the long-term rate, not taxed."""

    ordinary_frac: Decimal = Decimal(0)
    qualified_frac: Decimal = Decimal(0)
    exempt_frac: Decimal = Decimal(0)


class Strategy(Struct, frozen=True, forbid_unknown_fields=True):
    """One strategy of the catalogue."""

    strategy_id: str
    label: str
    kind: StrategyKind
    words: str
    cash_frac: Decimal = Decimal(0)
    universe: UniverseRule | None = None
    allocations: list[Allocation] = []
    not_offered: list[Refusal] = []
    yields: Yields = Yields()

    def offers(self, approach: ApproachKind) -> bool:
        """Whether the approach may be chosen for it."""
        return all(each.approach is not approach for each in self.not_offered)


class Catalogue(Struct, frozen=True):
    """Strategies in the order of their ids."""

    strategies: list[Strategy]

    def find(self, strategy_id: str) -> Strategy | None:
        """The strategy of that id."""
        return next((each for each in self.strategies if each.strategy_id == strategy_id), None)

    def for_clients(self) -> list[Strategy]:
        """What a client may move to: everything but the sleeves."""
        return [each for each in self.strategies if each.kind != "bonds"]


def read_catalogue(directory: Path = STRATEGIES) -> Catalogue | FieldFault:
    """Every strategy of a directory, or the first file that is none."""
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Strategy))
        except (OSError, msgspec.DecodeError, json.JSONDecodeError) as error:
            return FieldFault(0, path.name, f"It is no strategy: {error}", "See docs/transition-intake.md for its members")
    return Catalogue(sorted(found, key=lambda each: each.strategy_id))


def weights_of(strategy: Strategy, catalogue: Catalogue, market: TransitionMarket) -> Weights | FieldFault:
    """The strategy's target in this market, by security; the market's own model of that id goes first.  A fault where it can't be made."""
    given = market.models.get(strategy.strategy_id)
    if given is not None:
        return _normal(given)
    return made_weights(strategy, catalogue, market)


def made_weights(strategy: Strategy, catalogue: Catalogue, market: TransitionMarket) -> Weights | FieldFault:
    """The strategy's target as its rule makes it."""
    found: Weights | FieldFault
    if strategy.kind == "direct_index":
        found = _by_rule(strategy, market)
    elif strategy.kind == "multi_manager":
        found = _of_managers(strategy, market)
    elif strategy.kind == "core":
        found = _of_strategies(strategy, catalogue, market)
    else:
        found = {each.of: each.allocation_frac for each in strategy.allocations if each.of in market.position}
    if isinstance(found, FieldFault):
        return found
    return _normal(found) or _impossible(strategy, "the market has none of its securities")


def netted(models: dict[str, Weights], allocations: dict[str, Decimal]) -> Weights:
    """One portfolio of several managers' models: what one sells and another buys never reaches the market."""
    found: Weights = {}
    for manager, share in allocations.items():
        for security_id, weight in models[manager].items():
            found[security_id] = found.get(security_id, Decimal(0)) + share * weight
    return found


def netting_words(strategy: Strategy, market: TransitionMarket) -> list[str]:
    """What netting the managers comes to, for a multi-manager strategy."""
    books = [set(model) for manager, model in market.managers.get(strategy.strategy_id, {}).items() if _allocated(strategy, manager)]
    every, shared = set().union(*books), sum(sum(each in book for book in books) > 1 for each in set().union(*books))
    if strategy.kind != "multi_manager" or not every:
        return []
    told = f"{len(every)} securities, {shared} of them held by several managers."
    return [f"{len(books)} managers' models are netted before anything trades: {told}"]


def _allocated(strategy: Strategy, manager: str) -> bool:
    return any(each.of == manager for each in strategy.allocations)


def _of_managers(strategy: Strategy, market: TransitionMarket) -> Weights | FieldFault:
    models = market.managers.get(strategy.strategy_id, {})
    missing = [each.of for each in strategy.allocations if each.of not in models]
    if missing:
        return _impossible(strategy, f"the market has no model portfolio of {missing[0]} (managers/{strategy.strategy_id}.csv)")
    return netted(models, {each.of: each.allocation_frac for each in strategy.allocations})


def _of_strategies(strategy: Strategy, catalogue: Catalogue, market: TransitionMarket) -> Weights | FieldFault:
    models: dict[str, Weights] = {}
    for each in strategy.allocations:
        part = catalogue.find(each.of)
        weights = _impossible(strategy, f"there is no strategy {each.of}") if part is None else weights_of(part, catalogue, market)
        if isinstance(weights, FieldFault):
            return weights
        models[each.of] = weights
    return netted(models, {each.of: each.allocation_frac for each in strategy.allocations})


def _by_rule(strategy: Strategy, market: TransitionMarket) -> Weights:
    rule = strategy.universe
    if rule is None:
        return {}
    return {each.security_id: _share(rule, each) for each in market.securities if _share(rule, each) > 0}


def _share(rule: UniverseRule, each: MarketSecurity) -> Decimal:
    """Dollars of capitalisation that count for the index; whole dollars, so that sums are exact."""
    inside = each.region in rule.regions and each.size in rule.sizes and each.asset_class == rule.asset_class and each.price_usd is not None
    counted = rule.style_share.get(each.style, 0.0) if rule.style_share else 1.0
    return Decimal(round(each.cap_usd * counted)) if inside else Decimal(0)


def _normal(weights: Weights) -> Weights:
    """The weights above zero, divided by their sum."""
    total = sum(weights.values(), Decimal(0))
    return {each: weights[each] / total for each in sorted(weights) if weights[each] > 0} if total > 0 else {}


def _impossible(strategy: Strategy, why: str) -> FieldFault:
    return FieldFault(0, "strategy", f"{strategy.label} can't be made in this market: {why}", "Choose another strategy, or another market")
