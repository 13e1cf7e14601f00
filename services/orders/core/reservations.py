"""What a household holds back for accepted proposals and open orders.

A reservation lasts from the moment a proposal passes its checks until its order ends, or until the proposal ends without one.

Invariants
1. No household ever holds a buy and a potential loss sale of one identity group.
2. Reserving the same proposal twice holds it once.
3. Releasing takes exactly what was reserved for that proposal (or for that security of it), nothing else.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO
from libs.common.schemas.order import BookedLot
from libs.common.schemas.proposal import Side

ReservationKind = Literal["buy", "loss_sale", "gain_sale"]
EXCLUDES: Mapping[ReservationKind, ReservationKind | None] = {"buy": "loss_sale", "loss_sale": "buy", "gain_sale": None}


class Reservation(Struct, frozen=True):
    """One trade of a proposal: the group it binds in the household, the lots it will sell, the dollars a buy will need.

    `loss_sale` is a sale that could become a loss within the run's price collar.
    """

    proposal_id: str
    run_id: str
    household_id: str
    account_id: str
    security_id: str
    identity_group: str
    kind: ReservationKind
    lots: list[BookedLot]
    cash: Decimal

    @property
    def side(self) -> Side:
        return "buy" if self.kind == "buy" else "sell"


class Conflict(Struct, frozen=True):
    """`wanted` can't be held beside `held`: one buys what the other may sell at a loss."""

    held: Reservation
    wanted: Reservation


def without_proposal(held: Iterable[Reservation], proposal_id: str) -> list[Reservation]:
    """What others hold: a proposal never stands in its own way when it is judged again."""
    return [item for item in held if item.proposal_id != proposal_id]


def find_conflict(held: Iterable[Reservation], wanted: Iterable[Reservation]) -> Conflict | None:
    """The first pair that buys and may sell at a loss in one identity group, among `wanted` itself or between it and `held`."""
    standing: dict[tuple[str, ReservationKind], Reservation] = {}
    for item in held:
        standing.setdefault((item.identity_group, item.kind), item)
    for item in wanted:
        excluded = EXCLUDES[item.kind]
        other = None if excluded is None else standing.get((item.identity_group, excluded))
        if other is not None:
            return Conflict(held=other, wanted=item)
        standing.setdefault((item.identity_group, item.kind), item)
    return None


def reserve(held: Iterable[Reservation], proposal_id: str, wanted: Iterable[Reservation]) -> list[Reservation] | Conflict:
    """What the household holds once `wanted` (all of `proposal_id`) is held too, or the conflict that forbids it."""
    others = without_proposal(held, proposal_id)
    new = list(wanted)
    conflict = find_conflict(others, new)
    return others + new if conflict is None else conflict


def release_trade(held: Iterable[Reservation], proposal_ids: Iterable[str], security_id: str) -> list[Reservation]:
    """What stays held once the order in `security_id` of these proposals has ended."""
    ended = set(proposal_ids)
    return [item for item in held if item.security_id != security_id or item.proposal_id not in ended]


def reserved_lots(held: Iterable[Reservation], account_id: str) -> dict[str, Decimal]:
    """Shares held back by lot in one account."""
    shares: dict[str, Decimal] = {}
    for item in held:
        if item.account_id == account_id:
            for lot in item.lots:
                shares[lot.lot_id] = shares.get(lot.lot_id, ZERO) + lot.quantity
    return shares


def reserved_cash(held: Iterable[Reservation], account_id: str) -> Decimal:
    """Dollars held back for buys in one account."""
    return sum((item.cash for item in held if item.account_id == account_id), ZERO)
