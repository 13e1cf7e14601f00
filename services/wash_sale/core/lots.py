"""Lots as layers: shares of one lot that have one basis and one holding period (section 1.5: lots split share by share)."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import CENT, SHARE_STEP, ZERO, split_largest_remainder

How = Literal["purchase", "gift", "inheritance", "spouse"]


class Layer(Struct, frozen=True, gc=False):
    """Shares of a lot.  The layers of a lot are in the order of its shares: a partial sale or match takes the first ones.

    `purchase_id` names the purchase (an order's fills are one, section 1.8); `cost` in dollars, None where unknown; `wash_adjustment` are
    the disallowed losses that this layer's basis took over; `held_since` is the effective date of acquisition; `replaces` says that these
    shares have replaced a loss and can't again (section 1.6).  A gift that had lost value has a second basis and period, which count
    when it is sold at a loss (section 4.2): `loss_cost` and `loss_since`.
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
    how: How = "purchase"
    loss_cost: Decimal | None = None
    loss_since: date | None = None

    @property
    def basis(self) -> Decimal | None:
        """The tax basis in dollars (for a gain); None where the cost is unknown."""
        return None if self.cost is None else self.cost + self.wash_adjustment

    @property
    def loss_basis(self) -> Decimal | None:
        """The tax basis in dollars where it is sold at a loss."""
        return self.basis if self.loss_cost is None else self.loss_cost + self.wash_adjustment


class Parting(Struct, frozen=True, gc=False):
    """A run of layers cut in two."""

    taken: list[Layer]
    kept: list[Layer]


def quantity_of(layers: Sequence[Layer]) -> Decimal:
    """Shares in the layers together."""
    if len(layers) == 1:
        return layers[0].quantity
    return sum((layer.quantity for layer in layers), ZERO)


def cents_of_part(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The first part's dollars when an amount is divided in two: by largest remainder, to the cent, a tie to the first."""
    return (amount * part / whole).quantize(CENT, rounding=ROUND_HALF_UP) if amount else ZERO


def divide(total: Decimal, weights: Sequence[Decimal], step: Decimal = CENT) -> list[Decimal]:
    """Divide dollars (or shares, by `step`) by weights and largest remainder; the parts sum to the total."""
    return [total] if len(weights) == 1 else split_largest_remainder(total, weights, step)


def cut(layer: Layer, quantity: Decimal) -> Parting:
    """Cut `quantity` shares off a layer (at most all); dollars divide to the cent by largest remainder."""
    if quantity == layer.quantity:
        return Parting([layer], [])
    taken, kept = _parts(layer, quantity)
    return Parting([taken], [kept])


def _parts(layer: Layer, quantity: Decimal) -> tuple[Layer, Layer]:
    whole, cost, adjustment, loss_cost = layer.quantity, layer.cost, layer.wash_adjustment, layer.loss_cost
    first_cost = None if cost is None else cents_of_part(cost, quantity, whole)
    first_adjustment = cents_of_part(adjustment, quantity, whole)
    first_loss_cost = None if loss_cost is None else cents_of_part(loss_cost, quantity, whole)
    taken = replace(layer, quantity=quantity, cost=first_cost, wash_adjustment=first_adjustment, loss_cost=first_loss_cost)
    kept = replace(
        layer,
        quantity=whole - quantity,
        cost=None if cost is None or first_cost is None else cost - first_cost,
        wash_adjustment=adjustment - first_adjustment,
        loss_cost=None if loss_cost is None or first_loss_cost is None else loss_cost - first_loss_cost,
    )
    return taken, kept


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


def new_shares(quantities: Sequence[Decimal], new: Decimal, old: Decimal) -> list[Decimal]:
    """Quantities after `new` shares for `old`: exact where that is a plain decimal, else to six places by largest remainder."""
    exact = [quantity * new / old for quantity in quantities]
    if all(part * old == quantity * new for part, quantity in zip(exact, quantities, strict=True)):
        return exact
    total = (sum(quantities, ZERO) * new / old).quantize(SHARE_STEP, rounding=ROUND_HALF_UP)
    return divide(total, quantities, SHARE_STEP)
