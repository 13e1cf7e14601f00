"""Lots as layers: shares of one lot that have one basis and one holding period (section 1.5: lots split share by share)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import ZERO, split_largest_remainder


class Layer(Struct, frozen=True):
    """Shares of a lot.  The layers of a lot are in the order of its shares: a partial sale or match takes the first ones.

    `purchase_id` names the purchase (an order's fills are one, section 1.8); `quantity` is in today's shares; `cost` in dollars, None where
    unknown; `wash_adjustment` are the disallowed losses that this layer's basis took over; `held_since` is the effective date of
    acquisition; `replaces` says that these shares have replaced a loss and can't again (section 1.6).
    """

    account_id: str
    lot_id: str
    purchase_id: str
    security_id: str
    quantity: Decimal
    cost: Decimal | None
    acquired: date | None
    held_since: date | None
    wash_adjustment: Decimal = ZERO
    replaces: bool = False

    @property
    def basis(self) -> Decimal | None:
        """The tax basis in dollars; None where the cost is unknown."""
        return None if self.cost is None else self.cost + self.wash_adjustment


class Parting(Struct, frozen=True):
    """A run of layers cut in two."""

    taken: list[Layer]
    kept: list[Layer]


def quantity_of(layers: Sequence[Layer]) -> Decimal:
    """Shares in the layers together."""
    return sum((layer.quantity for layer in layers), ZERO)


def cut(layer: Layer, quantity: Decimal) -> Parting:
    """Cut `quantity` shares off a layer (at most all); dollars divide to the cent by largest remainder."""
    if quantity == layer.quantity:
        return Parting([layer], [])
    weights = [quantity, layer.quantity - quantity]
    costs = [None, None] if layer.cost is None else split_largest_remainder(layer.cost, weights)
    adjustments = split_largest_remainder(layer.wash_adjustment, weights)
    taken, kept = (
        replace(layer, quantity=part, cost=cost, wash_adjustment=adjustment)
        for part, cost, adjustment in zip(weights, costs, adjustments, strict=True)
    )
    return Parting([taken], [kept])


def take(layers: Sequence[Layer], quantity: Decimal) -> Parting:
    """Take the first `quantity` shares of a lot's layers; the caller has checked that they are there."""
    taken: list[Layer] = []
    for position, layer in enumerate(layers):
        if quantity == 0:
            return Parting(taken, list(layers[position:]))
        parting = cut(layer, min(quantity, layer.quantity))
        taken += parting.taken
        quantity -= parting.taken[0].quantity
        if parting.kept:
            return Parting(taken, [*parting.kept, *layers[position + 1 :]])
    return Parting(taken, [])
