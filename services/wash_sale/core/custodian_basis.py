"""The custodian's basis and the household's, side by side, with the cause of each difference; nothing is overwritten.

A custodian sees one account and one security number, so a loss that is replaced in another account, or in another share class, is in its
books only by luck (section 1.15).
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from libs.common.money import CENT, ZERO
from services.wash_sale.core.lots import Layer, quantity_of
from services.wash_sale.core.matching import Wash, denied_in


class Cause(StrEnum):
    """Why two bases differ: the closed list, the first that explains it."""

    AGREES = "agrees"
    UNKNOWN_BASIS = "unknown_basis"
    ACTION_NOT_APPLIED = "corporate_action_not_applied"
    QUANTITY = "quantity"
    ROUNDING = "rounding"
    WASH_ACROSS_ACCOUNTS = "wash_across_accounts"
    WASH_ACROSS_SECURITIES = "wash_across_securities"
    WASH_NOT_APPLIED = "wash_not_applied"
    UNEXPLAINED = "unexplained"


class CustodianLot(Struct, frozen=True):
    """A lot as the custodian reports it: `basis` as adjusted by it, None where it has none."""

    lot_id: str
    security_id: str
    quantity: Decimal
    basis: Decimal | None


class BasisDifference(Struct, frozen=True):
    """Both sides of a lot in shares and dollars; `of_washes` dollars of the household's basis are deferred losses, of which `explained_by`
    names the sales."""

    lot_id: str
    security_id: str
    custodian_quantity: Decimal | None
    ledger_quantity: Decimal | None
    custodian_basis: Decimal | None
    ledger_basis: Decimal | None
    cause: Cause
    of_washes: Decimal
    explained_by: Sequence[str]


def compare_basis(
    account_id: str,
    custodian: Iterable[CustodianLot],
    layers: Iterable[Layer],
    washes: Iterable[Wash],
    securities_of_sales: Mapping[str, str],
    ratios: Mapping[str, Sequence[Decimal]],
    unacted: Mapping[str, tuple[Decimal, Decimal | None]] | None = None,
    every: bool = False,
) -> list[BasisDifference]:
    """The lots of an account whose basis or shares differ, by lot; or every lot, those that agree too.

    `securities_of_sales` names the security of each sale, `ratios` the known splits of each security; `unacted` are each lot's shares and
    basis as they would be without reorganizations, None where there are none.
    """
    ours: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.account_id == account_id:
            ours.setdefault(layer.lot_id, []).append(layer)
    into: dict[str, list[Wash]] = {}
    for wash in washes:
        if wash.replacement_account_id == account_id and not wash.permanent:
            into.setdefault(wash.replacement_lot_id, []).append(wash)
    theirs = {lot.lot_id: lot for lot in custodian}
    found = []
    for lot_id in sorted(ours.keys() | theirs.keys()):
        lot = theirs.get(lot_id)
        both = _Both(account_id, lot_id, lot, ours.get(lot_id, []), into.get(lot_id, []))
        if every or both.differ():
            found.append(both.difference(securities_of_sales, ratios, unacted))
    return found


class _Both:
    """A lot of both sides."""

    def __init__(self, account_id: str, lot_id: str, lot: CustodianLot | None, layers: Sequence[Layer], washes: Sequence[Wash]) -> None:
        self.account_id, self.lot_id, self.lot, self.layers, self.washes = account_id, lot_id, lot, layers, washes
        self.quantity = quantity_of(layers) if layers else None
        bases = [layer.basis for layer in layers]
        self.basis = sum((basis or ZERO for basis in bases), ZERO) if layers and None not in bases else None
        self.adjustment = sum((layer.wash_adjustment for layer in layers), ZERO)

    def differ(self) -> bool:
        return self.lot is None or (self.lot.quantity, self.lot.basis) != (self.quantity, self.basis)

    def difference(
        self,
        securities_of_sales: Mapping[str, str],
        ratios: Mapping[str, Sequence[Decimal]],
        unacted: Mapping[str, tuple[Decimal, Decimal | None]] | None,
    ) -> BasisDifference:
        security_id = self.lot.security_id if self.lot is not None else self.layers[0].security_id
        return BasisDifference(
            self.lot_id,
            security_id,
            None if self.lot is None else self.lot.quantity,
            self.quantity,
            None if self.lot is None else self.lot.basis,
            self.basis,
            Cause.AGREES
            if not self.differ()
            else Cause.ACTION_NOT_APPLIED
            if unacted is not None and self._lacks_action(unacted.get(self.lot_id))
            else self._cause(security_id, securities_of_sales, ratios.get(security_id, ())),
            self.adjustment,
            sorted({wash.loss_id for wash in self.washes}),
        )

    def _lacks_action(self, unacted: tuple[Decimal, Decimal | None] | None) -> bool:
        """Whether the custodian's lot is ours without the action, or is not there and ours came by an action alone."""
        if self.lot is None or unacted is None:
            return self.lot is None and unacted is None and bool(self.layers)
        return unacted != (self.quantity, self.basis) and unacted == (self.lot.quantity, self.lot.basis)

    def _cause(self, security_id: str, securities_of_sales: Mapping[str, str], ratios: Sequence[Decimal]) -> Cause:
        if self.lot is None or self.quantity is None:
            return Cause.QUANTITY
        if self.lot.quantity != self.quantity:
            applied = any(self.lot.quantity * ratio == self.quantity or self.quantity * ratio == self.lot.quantity for ratio in ratios)
            return Cause.ACTION_NOT_APPLIED if applied else Cause.QUANTITY
        if self.lot.basis is None or self.basis is None:
            return Cause.UNKNOWN_BASIS
        return self._cause_of(self.basis - self.lot.basis, security_id, securities_of_sales)

    def _cause_of(self, missing: Decimal, security_id: str, securities_of_sales: Mapping[str, str]) -> Cause:
        if abs(missing) <= CENT * len(self.layers):
            return Cause.ROUNDING
        across = [wash for wash in self.washes if wash.loss_account_id != self.account_id]
        other = [w for w in self.washes if w not in across and securities_of_sales.get(w.loss_id, security_id) != security_id]
        unseen = denied_in(across) + denied_in(other)
        if across and missing in (self.adjustment, unseen):
            return Cause.WASH_ACROSS_ACCOUNTS
        if other and missing in (self.adjustment, unseen):
            return Cause.WASH_ACROSS_SECURITIES
        return Cause.WASH_NOT_APPLIED if self.washes and missing == self.adjustment else Cause.UNEXPLAINED
