"""Wash matching, section 1: which shares replace which loss, what is denied, and where it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import split_largest_remainder
from services.wash_sale.core.holding_period import tacked
from services.wash_sale.core.household import AccountFacts
from services.wash_sale.core.lots import Layer, cut

WASH_WINDOW = timedelta(days=30)
"""Before and after the sale, ends included: 61 calendar days (section 1.1)."""


class Wash(Struct, frozen=True):
    """`quantity` replacement shares (in today's shares) denied `disallowed` dollars of a loss; `permanent` in a retirement account.

    `past_sale`: the loss was taken before the ledger began.
    """

    loss_id: str
    loss_account_id: str
    loss_lot_id: str
    loss_date: date
    replacement_account_id: str
    replacement_lot_id: str
    replacement_date: date
    quantity: Decimal
    disallowed: Decimal
    permanent: bool
    past_sale: bool


@dataclass
class Loss:
    """A loss as far as it is not washed yet: `quantity` in today's shares and `amount` in dollars are what is left of it.

    `row` is the sale row it belongs to, None for a sale from before the ledger began.
    """

    loss_id: str
    account_id: str
    security_id: str
    lot_id: str
    purchase_id: str
    sold: date
    acquired: date | None
    held_since: date | None
    quantity: Decimal
    amount: Decimal
    row: int | None


def match(loss: Loss, layers: Sequence[Layer], purchase_id: str, accounts: Mapping[str, AccountFacts]) -> tuple[list[Layer], list[Wash]]:
    """Let the free shares of one purchase in a lot replace what is left of a loss; `loss` is lowered by what they take.

    Returns the lot's layers afterwards and what was washed.  Shares of the loss's own purchase never replace it (section 1.8).
    """
    if loss.purchase_id == purchase_id:
        return list(layers), []
    after: list[Layer] = []
    washes: list[Wash] = []
    for layer in layers:
        if loss.amount == 0 or layer.replaces or layer.purchase_id != purchase_id:
            after.append(layer)
            continue
        parting = cut(layer, min(layer.quantity, loss.quantity))
        replacing = parting.taken[0]
        wash = _deny(loss, replacing, permanent=not accounts[layer.account_id].taxable)
        washes.append(wash)
        after += [_replaced(replacing, loss, wash), *parting.kept]
    return after, washes


def _deny(loss: Loss, replacing: Layer, permanent: bool) -> Wash:
    """Take the replaced shares and their dollars, to the cent, off the loss."""
    left = loss.quantity - replacing.quantity
    disallowed, amount_left = split_largest_remainder(loss.amount, [replacing.quantity, left])
    loss.quantity, loss.amount = left, amount_left
    assert replacing.acquired is not None, "only a dated purchase is a candidate"
    return Wash(
        loss.loss_id,
        loss.account_id,
        loss.lot_id,
        loss.sold,
        replacing.account_id,
        replacing.lot_id,
        replacing.acquired,
        replacing.quantity,
        disallowed,
        permanent,
        past_sale=loss.row is None,
    )


def _replaced(layer: Layer, loss: Loss, wash: Wash) -> Layer:
    """The replacement: basis and holding period take the loss over (sections 1.9, 1.10), but not in an IRA or Roth (1.12)."""
    if wash.permanent:
        return replace(layer, replaces=True)
    return replace(
        layer,
        replaces=True,
        wash_adjustment=layer.wash_adjustment + wash.disallowed,
        held_since=tacked(layer.held_since, loss.held_since, loss.sold),
    )
