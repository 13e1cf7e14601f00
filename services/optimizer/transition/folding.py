"""A plan's trades folded by name, for people: what leaves and what comes, over all its years.

Invariants
1. Over the names of one side, the amounts sum to the plan's amounts of that side, to the cent; gains likewise.
2. Largest first; equal amounts by security.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from libs.common.money import ZERO
from services.optimizer.core.transition.result import LotSale, NameTrade
from services.optimizer.transition import figures


class FoldedLot(Struct, frozen=True):
    """A lot that leaves, written out."""

    lot_id: str
    acquired: str
    shares: str
    proceeds: str
    gain: str
    term: str


class FoldedName(Struct, frozen=True):
    """One name on one side of a plan; `when`: the years of its trades; `lots` is empty for what comes."""

    security_id: str
    label: str
    shares: str
    amount: str
    gain: str
    when: str
    amount_usd: Decimal
    gain_usd: Decimal
    lots: list[FoldedLot]


class Side(Struct, frozen=True):
    """What leaves, or what comes: each name, and the sums."""

    names: list[FoldedName]
    amount: str
    gain: str


def folded(plan: Sequence[NameTrade], leaving: bool) -> Side:
    """The names that a plan reduces (`leaving`), or those that it adds to."""
    by_name: dict[str, list[NameTrade]] = {}
    for trade in plan:
        if (trade.shares < 0) == leaving and trade.shares:
            by_name.setdefault(trade.security_id, []).append(trade)
    names = sorted((_name(trades) for trades in by_name.values()), key=lambda each: (-each.amount_usd, each.security_id))
    amount, gain = (sum((getattr(each, f"{what}_usd") for each in names), ZERO) for what in ("amount", "gain"))
    return Side(names, figures.money(amount), figures.money(gain))


def first_names(side: Side, most: int) -> tuple[list[FoldedName], str | None]:
    """The largest names, at most so many, and a line for the others."""
    if len(side.names) <= most:
        return side.names, None
    others = side.names[most:]
    amount = sum((each.amount_usd for each in others), ZERO)
    names = "1 smaller name" if len(others) == 1 else f"{figures.count(len(others))} smaller names"
    return side.names[:most], f"Not listed, but counted in the last line: {names}, {figures.money(amount)} together."


def _name(trades: list[NameTrade]) -> FoldedName:
    amount = abs(sum((each.amount_usd for each in trades), ZERO))
    gain = sum((each.gain_usd for each in trades), ZERO)
    return FoldedName(
        security_id=trades[0].security_id,
        label=trades[0].label,
        shares=figures.quantity(sum((each.shares for each in trades), ZERO)),
        amount=figures.money(amount),
        gain=figures.money(gain),
        when=_years([each.year for each in trades]),
        amount_usd=amount,
        gain_usd=gain,
        lots=[_lot(lot) for each in trades for lot in each.lots],
    )


def _years(numbers: list[int]) -> str:
    """Year 2; years 1–3; years 1, 3."""
    found = sorted(set(numbers))
    if len(found) == 1:
        return f"year {found[0]}"
    if found[-1] - found[0] == len(found) - 1:
        return f"years {found[0]}–{found[-1]}"
    return "years " + ", ".join(map(str, found))


def _lot(lot: LotSale) -> FoldedLot:
    term = "given to charity" if lot.given else "long-term" if lot.long_term else "short-term"
    return FoldedLot(
        lot.lot_id,
        figures.day(lot.acquired),
        figures.quantity(lot.shares),
        figures.money(lot.proceeds_usd),
        figures.money(lot.gain_usd),
        term,
    )
