"""The client's wishes as restrictions over the names of a case, in words the client knows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from services.optimizer.core.transition.case import Restriction, RestrictionKind, WindDown
from services.optimizer.core.transition.result import NotJudged
from services.optimizer.transition.client_form import Form
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import TransitionMarket

CHECK = "Check the ticker"


@dataclass(slots=True)
class Ruled:
    """What the wishes come to: restrictions, purchases elsewhere and wind-downs by position, and what is wrong with them."""

    restrictions: list[Restriction] = field(default_factory=list)
    bought_elsewhere: list[tuple[int, date]] = field(default_factory=list)
    wind_downs: list[WindDown] = field(default_factory=list)
    faults: list[FieldFault] = field(default_factory=list)
    not_judged: list[NotJudged] = field(default_factory=list)

    def mark(self, fault: FieldFault, what: str) -> None:
        """Mark a field, and list what it asked for as not judged."""
        self.faults.append(fault)
        self.not_judged.append(NotJudged(what, fault.message))


def ruled(form: Form, market: TransitionMarket, names: dict[str, int], held: frozenset[int], as_of: date) -> Ruled:
    """Every wish of the form over `names` (positions in the case); what names nothing of the case has nothing to restrict."""
    found = Ruled()
    _categories(form, market, names, held, found)
    for ticker in _known(form.never_own, "never_own", market, found):
        _add(found, RestrictionKind.NEVER_OWN, f"never-own-{ticker}", f"Never own {ticker}", ticker, names)
    for ticker in _known(form.never_sell, "never_sell", market, found):
        _add(found, RestrictionKind.NEVER_SELL, f"never-sell-{ticker}", f"Keep {ticker}", ticker, names)
    for each in form.owned_elsewhere:
        if each.ticker not in market.position:
            found.mark(_unknown(f"owned_elsewhere[{each.at}]", each.ticker), f"Owned elsewhere: {each.ticker}")
            continue
        _add(found, RestrictionKind.NEVER_BUY, f"elsewhere-{each.ticker}", f"Owned elsewhere: {each.ticker}", each.ticker, names)
        if each.bought is not None and each.bought > as_of:
            said = f"{each.ticker} was bought on {each.bought}, after {as_of}"
            fault = FieldFault(0, f"owned_elsewhere[{each.at}].bought", said, "Give purchases that were made")
            found.mark(fault, f"The purchase of {each.ticker} elsewhere")
        elif each.bought is not None and each.ticker in names:
            found.bought_elsewhere.append((names[each.ticker], each.bought))
    found.bought_elsewhere = sorted(dict(sorted(found.bought_elsewhere)).items())  # of each name the last purchase
    found.restrictions = list({each.restriction_id: each for each in found.restrictions}.values())
    _wind_downs(form, names, held, found)
    return found


def _known(tickers: Iterable[str], name: str, market: TransitionMarket, found: Ruled) -> list[str]:
    """The tickers that the market has; the others are marked and not judged."""
    known = []
    for ticker in tickers:
        if ticker in market.position:
            known.append(ticker)
        else:
            found.mark(_unknown(name, ticker), f"{name.replace('_', ' ').capitalize()}: {ticker}")
    return known


def _unknown(place: str, ticker: str) -> FieldFault:
    return FieldFault(0, place, f"The market has no security {ticker}", CHECK)


def _add(found: Ruled, kind: RestrictionKind, restriction_id: str, words: str, ticker: str, names: dict[str, int]) -> None:
    if ticker in names:
        found.restrictions.append(Restriction(restriction_id, kind, words, (names[ticker],)))


def _categories(form: Form, market: TransitionMarket, names: dict[str, int], held: frozenset[int], found: Ruled) -> None:
    known = {category for each in market.securities for category in each.categories}
    for category in form.exclude:
        words = category.replace("_", " ")
        if category not in known:
            remedy = f"Choose among {', '.join(sorted(known)) or 'none'}"
            found.mark(FieldFault(0, "exclude", f"There is no exclusion category {words}", remedy), f"Exclusion: {words}")
            continue
        chosen = tuple(at for ticker, at in names.items() if category in market.securities[market.position[ticker]].categories)
        if chosen:
            excluded = Restriction(f"exclude-{category}", RestrictionKind.NEVER_OWN, f"No {words}", tuple(sorted(chosen)), category)
            found.restrictions.append(excluded)
    funds = [t for t, at in names.items() if at in held and market.securities[market.position[t]].asset_class != "equity"]
    if form.exclude and funds:
        found.not_judged.append(NotJudged(f"Exclusions inside {', '.join(sorted(funds))}", "What a fund holds is not looked through"))


def _wind_downs(form: Form, names: dict[str, int], held: frozenset[int], found: Ruled) -> None:
    for wish in form.wind_down:
        place, what = f"wind_down[{wish.at}].ticker", f"Winding down {wish.ticker}"
        at = names.get(wish.ticker)
        if at is None or at not in held:
            found.mark(FieldFault(0, place, f"{wish.ticker} is not among the lots that are judged", CHECK), what)
            continue
        if at in [each.name for each in found.wind_downs]:
            said = f"{wish.ticker} is to be wound down twice"
            found.mark(FieldFault(0, place, said, "Give it once; the first is used"), f"{what} once more")
            continue
        yearly = None if wish.yearly_frac is None else float(wish.yearly_frac)
        found.wind_downs.append(WindDown(at, float(wish.to_frac), wish.years, yearly))
