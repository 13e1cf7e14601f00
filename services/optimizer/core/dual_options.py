"""What each name may do as one thing, as the dual method's options.

    HOLD  nothing             BUY  buy                        SELL_NO_LOSS  sell what can't be a loss
    SELL_ANY  sell anything, the way out of its window whole  SELL_ALL      the whole position, free of least trade and least holding

On the buying side of an identity group a name may HOLD, BUY or SELL_NO_LOSS, on the harvesting side HOLD or sell anything.  A group of
one name has both in one: its options exclude each other already.  On a branch every group has the side that the branch gives it.

Invariants
1. Every option is within the problem's hard rules of its name, and every trade that those rules allow is in one of the options.
2. Every name has an option on each side of its group.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.model import Options
from services.optimizer.core.lot_kernels import slots
from services.optimizer.core.problem import Problem

WHOLE = 1e-9  # of a position: what sums of float64 leave


class Kind(IntEnum):
    """What an option does, in the order in which a name's options stand."""

    HOLD = 0
    BUY = 1
    SELL_NO_LOSS = 2
    SELL_ANY = 3
    SELL_ALL = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """What the options are made for: the tranches that may be sold, by tranche whether it is forced out; what may be bought, and the
    least trade, both [names]; the branch's sides [groups], or free ones.

    `ranged`: some rule tells trades from none, or whole sales from others, so that HOLD and SELL_ALL are options of their own.
    """

    tranches: Ints
    forced: Bools
    buy_max: Floats
    least: Floats
    harvest: Bools | None
    ranged: bool


@dataclass(frozen=True, slots=True)
class OptionTable:
    """The options, what each does, and whether it is forced to sell the whole position."""

    options: Options
    kind: Ints
    empties: Bools


@dataclass(frozen=True, slots=True)
class _Traits:
    """[names] What a name has: lots that could be a loss, others, a way out, forced lots; the sums of its lots; whether all of it can go;
    on which side its group may be (`buying`, `harvesting`; `merged` where one side is both)."""

    lossy: Bools
    plain: Bools
    leads_out: Bools
    must: Bools
    whole: Bools
    buying: Bools
    harvesting: Bools
    merged: Bools
    any_sum: Floats
    plain_sum: Floats


def option_table(problem: Problem, ask: Ask) -> OptionTable:
    """Every option of every name, sorted by group, side, name and kind."""
    traits = _traits(problem, ask)
    least, most = _ranges(problem, ask, traits)
    has = _present(problem, ask, traits, least, most)
    side, name, kind = np.nonzero(has)
    group = problem.group[name]
    order = np.argsort(((2 * group + side) * len(problem.held) + name) * len(Kind) + kind, kind="stable")
    side, name, kind, group = side[order], name[order], kind[order], group[order]
    slot_option, slot_lot, slot_forced = _slots(problem, ask, name, kind)
    options = Options(
        name=name,
        buys=kind == Kind.BUY,
        slot_option=slot_option,
        slot_lot=slot_lot,
        slot_forced=slot_forced,
        least=least[name, kind],
        most=most[name, kind],
        side=np.cumsum(np.diff(2 * group + side, prepend=-1) != 0) - 1,
        group=group,
    )
    empties = (traits.must & traits.whole)[name] & ((kind == Kind.SELL_ANY) | ((kind == Kind.SELL_NO_LOSS) & ~traits.lossy[name]))
    return OptionTable(options, kind, empties)


def _traits(problem: Problem, ask: Ask) -> _Traits:
    name, count = problem.name[ask.tranches], len(problem.held)
    loss, size = problem.loss[ask.tranches], problem.size[ask.tranches]

    def named(flags: Bools) -> Bools:
        found: Bools = np.bincount(name[flags], minlength=count) > 0
        return found

    lossy = named(loss)
    several = np.bincount(problem.group)[problem.group] > 1
    any_sum = np.bincount(name, size, count).astype(np.float64)
    everywhere = np.ones(count, dtype=np.bool_)
    return _Traits(
        lossy=lossy,
        plain=named(~loss),
        leads_out=named(problem.way_out[ask.tranches]) & lossy,
        must=named(ask.forced),
        whole=(problem.held > 0) & (any_sum >= problem.held * (1 - WHOLE)) & (problem.weight_min <= 0),
        buying=everywhere if ask.harvest is None else ~ask.harvest[problem.group],
        harvesting=several if ask.harvest is None else ask.harvest[problem.group],
        merged=(~several if ask.harvest is None else ~everywhere),
        any_sum=any_sum,
        plain_sum=np.bincount(name[~loss], size[~loss], count).astype(np.float64),
    )


def _ranges(problem: Problem, ask: Ask, traits: _Traits) -> tuple[Floats, Floats]:
    """[names, kinds] Least and most of what an option trades."""
    count = len(problem.held)
    least, most = np.zeros((count, len(Kind))), np.full((count, len(Kind)), np.inf)
    exempt = traits.must | traits.leads_out | (problem.held > problem.weight_max)
    exempt |= np.bincount(problem.name, problem.must_sell, count) > 0
    holding = problem.rules.min_holding
    room = problem.held - np.minimum(np.maximum(problem.weight_min, holding), problem.held)
    for kind in (Kind.SELL_NO_LOSS, Kind.SELL_ANY):
        least[:, kind] = np.where(exempt, 0.0, ask.least)
        most[:, kind] = np.where(traits.must, np.inf, room)
    least[:, Kind.BUY] = np.maximum(ask.least, holding - problem.held)
    return least, most


def _present(problem: Problem, ask: Ask, traits: _Traits, least: Floats, most: Floats) -> Bools:
    """[2 sides, names, kinds] Which options there are; side 1 is the harvesting one."""
    fits = least <= most
    free, ranged = ~traits.must, ask.ranged
    has = np.zeros((2, len(problem.held), len(Kind)), dtype=np.bool_)
    has[0, :, Kind.BUY] = traits.buying & free & (ask.buy_max > 0) & (least[:, Kind.BUY] <= ask.buy_max)
    plain = traits.plain & fits[:, Kind.SELL_NO_LOSS] & (least[:, Kind.SELL_NO_LOSS] <= traits.plain_sum)
    inside_any = traits.merged & traits.lossy & (~traits.leads_out | traits.must)
    has[0, :, Kind.SELL_NO_LOSS] = traits.buying & plain & ~inside_any
    has[1, :, Kind.SELL_NO_LOSS] = traits.harvesting & plain & ~traits.lossy
    way_out = np.bincount(problem.name, problem.size * problem.way_out, len(problem.held))
    any_lot = traits.lossy & fits[:, Kind.SELL_ANY] & (least[:, Kind.SELL_ANY] <= traits.any_sum) & (way_out <= most[:, Kind.SELL_ANY])
    whole = traits.whole & free if ranged else np.zeros(len(problem.held), dtype=np.bool_)
    for kind, wanted in ((Kind.SELL_ANY, any_lot), (Kind.SELL_ALL, whole & traits.lossy)):
        has[0, :, kind] = traits.merged & wanted
        has[1, :, kind] = traits.harvesting & wanted
    has[0, :, Kind.SELL_ALL] |= traits.buying & whole & ~traits.lossy
    has[1, :, Kind.SELL_ALL] |= traits.harvesting & whole & ~traits.lossy
    for side, there in enumerate((traits.buying, traits.harvesting)):
        idle = has[side, :, Kind.BUY] | has[side, :, Kind.SELL_NO_LOSS] | (has[side, :, Kind.SELL_ANY] & ~traits.leads_out)
        has[side, :, Kind.HOLD] = there & ((free & (~idle | ranged)) | ~has[side].any(axis=1))
    return has


def _slots(problem: Problem, ask: Ask, name: Ints, kind: Ints) -> tuple[Ints, Ints, Bools]:
    """Option, lot and whether it is forced, of every lot that an option may sell; sorted by option, then lot.  Lots are sorted by name."""
    of, sells = problem.name[ask.tranches], np.maximum(kind - Kind.BUY, 0)
    begins = np.searchsorted(of, np.arange(len(problem.held) + 1))
    begin, end = begins[name], begins[name + 1]
    most = int(((end - begin) * (sells > 0)).sum())
    option, lot, forced = np.empty(most, dtype=np.intp), np.empty(most, dtype=np.intp), np.empty(most, dtype=np.bool_)
    loss, way_out = problem.loss[ask.tranches], problem.way_out[ask.tranches]
    count = slots(sells, begin, end, loss, ask.forced, way_out, option, lot, forced)
    return option[:count], lot[:count], forced[:count]
