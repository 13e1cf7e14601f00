"""Stock given to charity: what is deducted, what carries over, and which lots to give (section 7).

Public charities only; another donee is refused by name.  Limits are parts of adjusted gross income (the contribution base), rounded to the
cent, ties to even.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec
from msgspec import Struct

from libs.common.money import ZERO, cents_half_even
from services.wash_sale.core.holding_period import Term
from services.wash_sale.core.tax_year.tables import TaxRefusal, TaxRefusalCode

APPRECIATED_LIMIT_FRAC = Decimal("0.30")
"""Long-term appreciated stock at its value (IRC 170(b)(1)(C))."""
BASIS_LIMIT_FRAC = Decimal("0.50")
"""Everything else, and long-term stock deducted at its basis by election (IRC 170(b)(1)(C)(iii))."""
CARRYOVER_YEARS = 5
FLOOR_FROM_YEAR, FLOOR_FRAC = 2026, Decimal("0.005")
"""From 2026 only what exceeds this part of AGI is deducted (P.L. 119-21)."""
BENEFIT_CAP_FRAC = Decimal("0.35")
"""From 2026 the deduction saves no more than about this part of itself in the top bracket (P.L. 119-21)."""


class Donation(Struct, frozen=True):
    """Shares given to a public charity: dollars, and the term on the day of the gift, wash-sale tacking included."""

    basis: Decimal
    value: Decimal
    term: Term
    elect_basis: bool = False
    donee: str = "public_charity"

    @property
    def appreciated_long(self) -> bool:
        """Whether a sale that day would have made a long-term gain."""
        return self.term == "long" and self.value > self.basis

    @property
    def at_value_under_30(self) -> bool:
        """Whether it counts at its value, under the lower limit."""
        return self.appreciated_long and not self.elect_basis

    @property
    def contribution(self) -> Decimal:
        """What counts as given: the value; the basis for short-term appreciated stock and by election (IRC 170(e)(1))."""
        return self.value if self.at_value_under_30 else min(self.value, self.basis)

    @property
    def loss_forfeited(self) -> Decimal:
        """A loss that giving the shares away gives up: selling first would have kept it."""
        return max(ZERO, self.basis - self.value)


class GiftCarryover(Struct, frozen=True, forbid_unknown_fields=True):
    """Gifts of an earlier year that its limit kept back, `appreciated` where they stand under the limit of 30 of a hundred."""

    year: int
    amount: Decimal
    appreciated: bool = True


class GiftYear(Struct, frozen=True):
    """A year's deduction for gifts of stock, and what goes on into later years (by year of the gift).  `floor` is what does not count."""

    contribution: Decimal
    deduction: Decimal
    floor: Decimal
    carryovers: tuple[GiftCarryover, ...]
    expired: Decimal
    loss_forfeited: Decimal
    gain_recognised: Decimal = ZERO

    @property
    def carryover(self) -> Decimal:
        """Dollars that go on, of all years."""
        return sum((each.amount for each in self.carryovers), ZERO)


def deduct(year: int, agi: Decimal, gifts: Sequence[Donation], carried: Sequence[GiftCarryover] = ()) -> GiftYear | TaxRefusal:
    """A year's deduction: this year's gifts first, then the carryovers, oldest first, each under its limit (IRC 170(b), (d)).

    From 2026 the floor comes off what the limits allow, and what the floor takes carries over only in a year that exceeds a limit
    (IRC 170(d)(1)(C)).  A carryover lapses after five years.
    """
    for gift in gifts:
        if gift.donee != "public_charity":
            return TaxRefusal(TaxRefusalCode.DONEE_NOT_COVERED, "donee", gift.donee, "public_charity")
    parts = _parts(year, gifts, carried)
    taken = _within_limits(parts, agi)
    allowed = sum(taken, ZERO)
    floor = cents_half_even(FLOOR_FRAC * max(ZERO, agi)) if year >= FLOOR_FROM_YEAR else ZERO
    deduction = max(ZERO, allowed - floor)
    left = [GiftCarryover(part.year, part.amount - each, part.appreciated) for part, each in zip(parts, taken, strict=True)]
    kept = _with_floor([each for each in left if each.amount > 0], allowed - deduction, year)
    return GiftYear(
        contribution=sum((gift.contribution for gift in gifts), ZERO),
        deduction=deduction,
        floor=floor,
        carryovers=tuple(each for each in kept if year - each.year < CARRYOVER_YEARS),
        expired=_too_old(carried, year - 1) + _too_old(kept, year),
        loss_forfeited=sum((gift.loss_forfeited for gift in gifts), ZERO),
    )


def _too_old(carryovers: Iterable[GiftCarryover], year: int) -> Decimal:
    """Dollars that can't be used after a year: their five years are over."""
    return sum((each.amount for each in carryovers if year - each.year >= CARRYOVER_YEARS), ZERO)


def _parts(year: int, gifts: Sequence[Donation], carried: Sequence[GiftCarryover]) -> list[GiftCarryover]:
    """This year's gifts by limit, then the carryovers by year, in the order in which limits take them."""
    now = [
        GiftCarryover(year, sum((gift.contribution for gift in gifts if gift.at_value_under_30 is under_30), ZERO), under_30)
        for under_30 in (False, True)
    ]
    live = [each for each in carried if year - each.year <= CARRYOVER_YEARS]
    return [*now, *sorted(live, key=lambda each: (each.year, each.appreciated))]


def _within_limits(parts: Sequence[GiftCarryover], agi: Decimal) -> list[Decimal]:
    """What each part may deduct: all under half of AGI, and those at value under 30 of a hundred of it too."""
    base = max(ZERO, agi)
    room, room_30 = cents_half_even(BASIS_LIMIT_FRAC * base), cents_half_even(APPRECIATED_LIMIT_FRAC * base)
    allowed = []
    for part in parts:
        taken = min(part.amount, room, room_30 if part.appreciated else room)
        room -= taken
        room_30 -= taken if part.appreciated else ZERO
        allowed.append(taken)
    return allowed


def _with_floor(kept: Sequence[GiftCarryover], floor: Decimal, year: int) -> list[GiftCarryover]:
    """What the floor took goes on with this year's gifts, or the newest, where a limit was exceeded; else it is lost."""
    if not kept:
        return []
    newest = max(kept, key=lambda each: (each.year == year, each.year, each.appreciated))
    return [msgspec.structs.replace(each, amount=each.amount + floor) if each is newest else each for each in kept]


def benefit(year: int, deduction: Decimal, marginal_rate_frac: Decimal) -> Decimal:
    """What a deduction saves at a marginal rate, under the cap of its year."""
    rate = min(marginal_rate_frac, BENEFIT_CAP_FRAC) if year >= FLOOR_FROM_YEAR else marginal_rate_frac
    return cents_half_even(deduction * rate)


class OpenLot(Struct, frozen=True):
    """An open layer with its market value in dollars; `basis` is None where it is unknown.  `held_since` decides `term`."""

    account_id: str
    lot_id: str
    security_id: str
    quantity: Decimal
    basis: Decimal | None
    value: Decimal
    acquired: date | None
    held_since: date | None
    term: Term


class GiftCandidate(Struct, frozen=True):
    """A layer worth giving: its whole gain is never taxed, and its whole value is deducted, under the limits."""

    rank: int
    lot: OpenLot
    gain_avoided: Decimal
    gain_avoided_frac: Decimal
    """Of the value, rounded to six places."""


def gift_candidates(lots: Iterable[OpenLot]) -> list[GiftCandidate]:
    """The appreciated long-term layers of known basis, by gain avoided, the most first; at equal gain the smaller value first."""
    gains = [(lot.value - lot.basis, lot) for lot in lots if lot.basis is not None and lot.term == "long" and lot.value > lot.basis]
    ordered = sorted(gains, key=lambda found: (-found[0], found[1].value, found[1].account_id, found[1].lot_id, str(found[1].held_since)))
    return [
        GiftCandidate(rank, lot, gain, (gain / lot.value).quantize(Decimal("0.000001")))
        for rank, (gain, lot) in enumerate(ordered, start=1)
    ]
