"""The cost of a netted year as the least of a few convex functions of its two nets.

With S and L the net short and long gain, n = S + L, x+ the positive part, t rates, M the ordinary limit, v the worth of a carried loss:

    cost = tL n+ + (tS - tL) min(S+, n+) - tO min((-n)+, M) - vL m - (vS - vL) min((-S - M)+, m)        m = (-n - M)+

Each min is a choice between two convex functions, each downward kink in n a choice between two lines.  A *piece* is one choice of all: a
constant, a price on S and on L, and hinges slope x (a S + b L - beyond)+.  Every piece is at least the cost everywhere and equal to it
somewhere, and at every point some piece equals it.  So the least over the pieces of their least cost is the least cost, no piece needs
to keep to its own region, and the least of the pieces' lower bounds is a lower bound.  (transition-method.md, section 4, splits by region
instead.)  Usually there are two: gains of both characters, and the rest.

A hard budget on what netting yields is a choice likewise: min(S+, n+) <= b where S <= b or n <= b.

Units: fractions of account value; rates are fractions.

Invariants
1. min over `pieces(law)` of value(S, L) = cost(law, S, L), for any rates with tL <= tS.
2. Hinges slope upward, so every piece is convex.
3. The union of `budget_choices` is exactly where the netted year is within the budgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True)
class Law:
    """Rates (tS, tL, tO), the ordinary limit M, and the values (vS, vL) of a unit carried."""

    short: float
    long: float
    ordinary: float
    limit: float
    carried_short: float
    carried_long: float


@dataclass(frozen=True, slots=True)
class Line:
    """The quantity short x S + long x L, and a bound or threshold on it."""

    short: float
    long: float
    beyond: float

    def over(self, short_net: float, long_net: float) -> float:
        """How far the quantity lies beyond."""
        return self.short * short_net + self.long * long_net - self.beyond


@dataclass(frozen=True, slots=True)
class Hinge:
    """slope x (line's excess, where positive)."""

    line: Line
    slope: float


@dataclass(frozen=True, slots=True)
class Piece:
    """One convex piece.  `splits_short`: exact for gains of both characters.  `where`: regions outside which it is never needed, each a
    list of lines that must all be passed."""

    constant: float
    short: float
    long: float
    hinges: tuple[Hinge, ...]
    splits_short: bool
    where: tuple[tuple[Line, ...], ...]

    def value(self, short_net: float, long_net: float) -> float:
        """The piece at these nets."""
        charged = sum(hinge.slope * max(hinge.line.over(short_net, long_net), 0.0) for hinge in self.hinges)
        return self.constant + self.short * short_net + self.long * long_net + charged


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets in force, as fractions of account value; None is no limit.  Gains' budgets are not negative."""

    tax: float | None = None
    short_gain: float | None = None
    long_gain: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A line that must not be passed; `budget` names the limit that it comes from, whose unit moves it by `per_unit`."""

    budget: str
    line: Line
    per_unit: float


@dataclass(frozen=True, slots=True)
class BudgetChoice:
    """Rows that keep the budgets together; `splits_short` as in Piece, None where there is no such choice."""

    rows: tuple[BudgetRow, ...]
    splits_short: bool | None


@dataclass(frozen=True, slots=True)
class Reach:
    """The nets that any plan could end at: their least and most."""

    short: tuple[float, float]
    long: tuple[float, float]

    def passes(self, line: Line) -> bool:
        """Whether a line can be passed."""
        return max(line.over(short, long) for short in self.short for long in self.long) > 0


def cost(law: Law, short_net: float, long_net: float) -> float:
    """The year's tax less what its carried losses are worth: the formula at the head of the file."""
    net = short_net + long_net
    gain, loss = max(net, 0.0), max(-net, 0.0)
    ordinary, deduction = min(max(short_net, 0.0), gain), min(loss, law.limit)
    carried = loss - deduction
    carried_short = min(max(-short_net - law.limit, 0.0), carried)
    worth = law.carried_long * carried + (law.carried_short - law.carried_long) * carried_short
    return law.long * gain + (law.short - law.long) * ordinary - law.ordinary * deduction - worth


def marginal(law: Law, short_net: float, long_net: float, step: float) -> tuple[float, float]:
    """Cost of one unit more of net short and of net long gain, over `step` (negative: of loss)."""
    here = cost(law, short_net, long_net)
    return (cost(law, short_net + step, long_net) - here) / step, (cost(law, short_net, long_net + step) - here) / step


def pieces(law: Law) -> tuple[Piece, ...]:
    """The convex pieces; raises ValueError where the long rate is above the short."""
    if law.long > law.short:
        raise ValueError(f"a long rate of {law.long} is above the short rate of {law.short}")
    least = min(law.carried_short, law.carried_long)
    lines = _convex_lines(least, law.ordinary, law.short, law.limit)
    found = [Piece(c, base, base, hinges, False, _where(law, low, high)) for c, base, hinges, low, high in lines]
    if law.short > law.long:
        base = min(least, law.long) if law.limit == 0 else min(least, law.ordinary, law.long)
        hinges = (*_net_hinges((0.0, law.long - base)), Hinge(Line(1.0, 0.0, 0.0), law.short - law.long))
        found.append(Piece(0.0, base, base, hinges, True, ((Line(0.0, 1.0, 0.0), Line(1.0, 1.0, 0.0)),)))
    if law.carried_short != law.carried_long:
        found.append(_carried_apart(law))
    return tuple(found)


def _carried_apart(law: Law) -> Piece:
    """The piece in which short and long carries are told apart: exact where the net loss is beyond the limit."""
    constant, base, hinges, _, _ = _convex_lines(law.carried_long, law.ordinary, law.short, law.limit)[0]
    more = law.carried_short - law.carried_long
    deep = Line(-1.0, -1.0, law.limit)
    if more > 0:
        extra = Hinge(Line(0.0, 1.0, 0.0), more)
        return Piece(constant + more * law.limit, base + more, base, (*hinges, extra), False, ((deep, Line(-1.0, 0.0, law.limit)),))
    extra = Hinge(Line(-1.0, 0.0, law.limit), -more)
    return Piece(constant, base, base, (*hinges, extra), False, ((deep, Line(0.0, -1.0, 0.0)),))


_Line = tuple[float, float, tuple[Hinge, ...], float, float]  # constant, first slope, hinges on n, from where to where it is exact
_INF = float("inf")


def _convex_lines(deep: float, middle: float, gain: float, limit: float) -> list[_Line]:
    """The function of n through 0 with slope `deep` below -limit, `middle` up to 0 and `gain` above, as convex functions of which the
    least is it; the one exact below -limit first."""
    if limit == 0:
        middle = deep
    lift = limit * (deep - middle)
    at_limit, at_zero = max(deep, middle, gain), max(middle, gain)
    if deep <= middle <= gain:
        return [(lift, deep, _net_hinges((-limit, middle - deep), (0.0, gain - middle)), -_INF, _INF)]
    if deep <= middle:
        base = min(deep, gain)
        return [(lift, deep, _net_hinges((-limit, middle - deep)), -_INF, 0.0), (0.0, base, _net_hinges((0.0, gain - base)), 0.0, _INF)]
    left = (lift, deep, _net_hinges((-limit, at_limit - deep)), -_INF, -limit)
    if middle <= gain:
        return [left, (0.0, middle, _net_hinges((0.0, at_zero - middle)), -limit, _INF)]
    return [left, (0.0, middle, (), -limit, 0.0), (0.0, gain, (), 0.0, _INF)]


def _net_hinges(*kinks: tuple[float, float]) -> tuple[Hinge, ...]:
    """Hinges on n at (where, slope), those without a slope left out."""
    return tuple(Hinge(Line(1.0, 1.0, at), slope) for at, slope in kinks if slope > 0)


def _where(law: Law, low: float, high: float) -> tuple[tuple[Line, ...], ...]:
    """Where a function of n alone, exact from `low` to `high`, can be needed: at net losses, and at net gains with a long loss (with
    any, where the rates are one)."""
    losses = (Line(-1.0, -1.0, -min(high, 0.0)), *((Line(1.0, 1.0, low),) if low > -_INF else ()))
    gains = (Line(1.0, 1.0, max(low, 0.0)), *((Line(0.0, -1.0, 0.0),) if law.short > law.long else ()))
    return (*((losses,) if low < 0 else ()), *((gains,) if high > 0 else ()))


def budget_choices(law: Law, limits: Limits, reach: Reach) -> tuple[BudgetChoice, ...]:
    """The choices whose union is the budgets, those without use where no plan reaches left out."""
    if limits.tax is not None and limits.tax < 0:
        return (BudgetChoice((_row("tax", 1.0, 1.0, limits.tax / law.ordinary, 1 / law.ordinary),), None),)
    firsts = _character_choices(law, limits, reach)
    longs = _long_choices(limits, reach)
    return tuple(BudgetChoice((*first.rows, *long), first.splits_short) for first, long in product(firsts, longs))


def _character_choices(law: Law, limits: Limits, reach: Reach) -> Sequence[BudgetChoice]:
    """Tax and short gain: the short gain or the net gain is kept low; which is weaker depends on the sign of L."""
    apart: list[BudgetRow] = []
    netted: list[BudgetRow] = []
    if limits.tax is not None and law.short > 0:
        netted.append(_row("tax", 1.0, 1.0, limits.tax / law.short, 1 / law.short))
        apart.append(_row("tax", law.short, law.long, limits.tax, 1.0))
        if law.long > 0:
            apart.append(_row("tax", 1.0, 1.0, limits.tax / law.long, 1 / law.long))
    if limits.short_gain is not None:
        netted.append(_row("short_gain", 1.0, 1.0, limits.short_gain, 1.0))
        apart.append(_row("short_gain", 1.0, 0.0, limits.short_gain, 1.0))
    if not netted:
        return [BudgetChoice((), None)]
    if reach.long[0] >= 0:
        return [BudgetChoice(tuple(apart), None)]
    if reach.long[1] <= 0 or (limits.short_gain is None and law.short == law.long):
        return [BudgetChoice(tuple(netted), None)]
    return [BudgetChoice(tuple(netted), False), BudgetChoice(tuple(apart), True)]


def _long_choices(limits: Limits, reach: Reach) -> Sequence[tuple[BudgetRow, ...]]:
    """Long gain: the long or the net gain is kept low; which is weaker depends on the sign of S."""
    if limits.long_gain is None:
        return [()]
    long = (_row("long_gain", 0.0, 1.0, limits.long_gain, 1.0),)
    netted = (_row("long_gain", 1.0, 1.0, limits.long_gain, 1.0),)
    if reach.short[0] >= 0:
        return [long]
    return [netted] if reach.short[1] <= 0 else [long, netted]


def _row(budget: str, short: float, long: float, bound: float, per_unit: float) -> BudgetRow:
    return BudgetRow(budget, Line(short, long, bound), per_unit)
