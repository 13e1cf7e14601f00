"""Wash matching, section 1: which shares replace which loss, what is denied, and where it goes."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.holding_period import counted_once, tacked
from services.wash_sale.core.lots import Layer, cents_of_part, cut
from services.wash_sale.core.policy import Policy
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_events import TaxAccount

WASH_WINDOW = timedelta(days=30)
"""Before and after the sale, ends included: 61 calendar days (section 1.1)."""


class Wash(Struct, frozen=True, gc=False):
    """`quantity` replacement shares (of the day they replaced) denied `disallowed` dollars of a loss; `permanent`: no basis takes it over.

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


class Loss(Struct, frozen=True, gc=False):
    """A loss as far as it is not washed yet: `quantity` in shares of the day it is matched on and `amount` in dollars are what is left.

    `row` is the sale row it belongs to, None for a sale from before the ledger began.  `uses_up`: shares sold at a gain that use up
    replacements under that policy; nothing of them is denied.
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
    uses_up: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to deny."""
        return not self.quantity or not (self.amount or self.uses_up)


class Purchase(Struct, frozen=True, gc=False):
    """Shares of a lot that were bought, or taken in a fully taxable exchange, on a day: they may replace a loss (section 1.7)."""

    day: date
    number: int
    purchase_id: str
    account_id: str
    security_id: str
    lot_id: str
    settled: bool


class Match(Struct, frozen=True, gc=False):
    """What is left of a loss, a lot's layers afterwards, and what was washed."""

    loss: Loss
    layers: list[Layer]
    washes: list[Wash]


def may_replace(loss: Loss, purchase: Purchase, accounts: Mapping[str, TaxAccount], policy: Policy) -> bool:
    """Whether shares of a purchase within the window may replace a loss at all (sections 1.8, 1.11, and 8 for older candidates)."""
    if loss.purchase_id == purchase.purchase_id or (purchase.settled and loss.row is None):
        return False
    if policy.older_candidate == "never" and loss.acquired is not None and purchase.day < loss.acquired:
        return False
    return accounts[loss.account_id].scope == accounts[purchase.account_id].scope if loss.account_id in accounts else True


def match(loss: Loss, layers: Sequence[Layer], purchase_id: str, accounts: Mapping[str, TaxAccount], policy: Policy) -> Match:
    """Let the free shares of one purchase in a lot replace what is left of a loss, the lot's first shares first."""
    after: list[Layer] = []
    washes: list[Wash] = []
    for layer in layers:
        if loss.over or layer.replaces or layer.purchase_id != purchase_id:
            after.append(layer)
            continue
        parting = cut(layer, min(layer.quantity, loss.quantity))
        replacing = parting.taken[0]
        wash = _deny(loss, replacing, permanent=_permanent(loss, replacing.account_id, accounts, policy))
        loss = replace(loss, quantity=loss.quantity - wash.quantity, amount=loss.amount - wash.disallowed)
        if not loss.uses_up:
            washes.append(wash)
        after += [_replaced(replacing, loss, wash, policy), *parting.kept]
    return Match(loss, after, washes)


def _permanent(loss: Loss, account_id: str, accounts: Mapping[str, TaxAccount], policy: Policy) -> bool:
    """Whether the denied loss is gone: in an IRA or Roth (1.12), or under one reading in the lot of a related taxpayer."""
    account = accounts[account_id]
    if not account.taxable:
        return True
    return policy.related_basis == "permanent" and accounts[loss.account_id].taxpayer_id != account.taxpayer_id


def _deny(loss: Loss, replacing: Layer, permanent: bool) -> Wash:
    """The dollars, to the cent, of the replaced shares."""
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
        cents_of_part(loss.amount, replacing.quantity, loss.quantity),
        permanent,
        past_sale=loss.row is None,
    )


class SoldShares(NamedTuple):
    """Shares of a purchase that are sold, by row, and have replaced nothing yet; only one reading of section 8 asks for them."""

    row: int
    quantity: Decimal


def match_sold(
    loss: Loss, sold: SoldShares, row: SaleRow, accounts: Mapping[str, TaxAccount], policy: Policy
) -> tuple[Loss, Wash, SaleRow]:
    """Let sold shares replace what is left of a loss: the basis of their sale takes it over, unless it is gone."""
    assert row.acquired is not None, "only a dated purchase is a candidate"
    quantity = min(sold.quantity, loss.quantity)
    denied = cents_of_part(loss.amount, quantity, loss.quantity)
    permanent = _permanent(loss, row.account_id, accounts, policy)
    names = (loss.loss_id, loss.account_id, loss.lot_id, loss.sold, row.account_id, row.lot_id, row.acquired)
    wash = Wash(*names, quantity, denied, permanent, past_sale=loss.row is None)
    if not permanent and row.basis is not None and row.raw_gain is not None:
        row = replace(row, basis=row.basis + denied, raw_gain=row.raw_gain - denied)
    return replace(loss, quantity=loss.quantity - quantity, amount=loss.amount - denied), wash, row


def _replaced(layer: Layer, loss: Loss, wash: Wash, policy: Policy) -> Layer:
    """The replacement: basis and holding period take the loss over (sections 1.9, 1.10), but not where the loss is gone."""
    if wash.permanent or loss.uses_up:
        return replace(layer, replaces=True)
    return replace(
        layer,
        replaces=True,
        wash_adjustment=layer.wash_adjustment + wash.disallowed,
        held_since=_effective(layer, loss, policy),
    )


def _effective(layer: Layer, loss: Loss, policy: Policy) -> date | None:
    """The replacement's effective date of acquisition, by the method chosen (section 8, tacking)."""
    if policy.tacking == "loss_date":
        return loss.held_since if loss.held_since is not None else layer.held_since
    effective = tacked(layer.held_since, loss.held_since, loss.sold)
    if policy.tacking == "no_double_count":
        return counted_once(effective, layer.acquired, loss.acquired, loss.sold)
    return effective


def denied_in(washes: Sequence[Wash]) -> Decimal:
    """Dollars denied together."""
    return sum((wash.disallowed for wash in washes), ZERO)
