"""A form's analyses: of its strategy, of the ones it compares, or of those nearest to what is held."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as with_

import numpy as np
from msgspec.structs import replace

from libs.common.money import float_from_decimal
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.result import Analysis, NotJudged
from services.optimizer.transition.case import Judged, case_of
from services.optimizer.transition.catalogue import Catalogue
from services.optimizer.transition.client_form import Form
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import TransitionMarket

MOST_COMPARED = 3
Progress = Callable[[str, float], None]
Analyse = Callable[[TransitionCase, Progress], Analysis]


@dataclass(frozen=True, slots=True)
class ToAnalyse:
    """The cases of a form, the nearest first unless the form names an order, and every field that is marked."""

    judged: list[Judged]
    faults: list[FieldFault]


def cases_of(form: Form, market: TransitionMarket, catalogue: Catalogue) -> ToAnalyse:
    """The cases to analyse: none where every strategy is in the way."""
    named = [form.strategy] if form.strategy else list(form.compare)
    judged: list[Judged] = []
    faults: dict[FieldFault, None] = {}
    in_the_way: dict[NotJudged, None] = {}
    for strategy_id in named or [each.strategy_id for each in catalogue.for_clients()]:
        found = case_of(form, market, catalogue, strategy_id)
        faults.update(dict.fromkeys(found.faults if isinstance(found, Judged) else found))
        if isinstance(found, Judged):
            judged.append(found)
        else:
            in_the_way.update(
                (NotJudged(f"Strategy {strategy_id}", each.message), None) for each in found if not each.field.startswith("lots")
            )
    if not named:
        judged = sorted(judged, key=lambda each: distance(each.case))[:MOST_COMPARED]
    judged = [with_(each, not_judged=[*each.not_judged, *in_the_way]) for each in judged]
    return ToAnalyse(judged, list(faults))


def distance(case: TransitionCase) -> float:
    """The yearly tracking error of what is held, cash counted as without risk."""
    names = case.names
    active = -names.target.copy()
    for at, shares in zip(case.lots.name.tolist(), case.lots.shares, strict=True):
        active[at] += float_from_decimal(shares * names.price_usd[at] / case.value_usd)
    factors = active @ names.exposures
    return float(np.sqrt(factors @ factors + active**2 @ names.specific_var))


def analysed(judged: Judged, market: TransitionMarket, analyse: Analyse, progress: Progress) -> Analysis:
    """The engine's analysis with what intake alone knows: what is not judged, and what the rates and prices are."""
    found = analyse(judged.case, progress)
    assumptions = replace(
        found.assumptions, words=[*judged.words, *found.assumptions.words], risk_model=market.risk_model, prices_as_of=market.as_of
    )
    return replace(found, assumptions=assumptions, not_judged=[*judged.not_judged, *found.not_judged])
