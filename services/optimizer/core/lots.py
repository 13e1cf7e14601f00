"""An account's lots as columns, joined with the ledger's basis and dates; a lot's own decimals are made when it is asked for.

Invariants
1. A lot of several layers is one lot: its basis is their sum, its holding period that of the youngest, and it could be a loss if one could.
2. What a column says of a lot is what `HeldLot` says of it, the gain rounded once to float64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import overload

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from libs.common.money import ZERO
from libs.common.schemas.account import LotColumns
from libs.common.schemas.ledger import TaxLotColumns
from libs.common.schemas.proposal import Term
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.decimals import Units, power, units_of
from services.optimizer.core.lot_kernels import could_be_losses, gain_fractions
from services.optimizer.core.market import Snapshot
from services.optimizer.core.terms import last_long_start

Days = NDArray[np.datetime64]
COLLAR_PLACES = 4  # a collar is in basis points
TERMS: tuple[Term, ...] = ("none", "short", "long")


class HeldLot(Struct, frozen=True, gc=False):
    """One lot: the account's quantity, the ledger's basis in dollars for all of it, and its term if sold on the run's date.

    A lot of several layers is one lot here: its basis is their sum, it is long only if all of them are, and `loss` (a sale of it
    could be a loss) holds if it does for one of them.  `held_since` is the start of its youngest layer's holding period, None where
    one is not known.
    """

    lot_id: str
    security_id: str
    quantity: Decimal
    basis: Decimal | None
    term: Term
    loss: bool
    held_since: date | None = None


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """The ledger's columns, the lot that each row is of [rows], and the rows of each lot: `order[begins[n] : begins[n + 1]]`; `same`: row n
    is lot n, by the same id."""

    columns: TaxLotColumns
    lot: Ints
    order: Sequence[int]
    begins: Sequence[int]
    same: bool = False

    def of(self, n: int) -> Sequence[int]:
        """The rows of a lot, as the ledger has them."""
        return self.order[self.begins[n] : self.begins[n + 1]]

    def quantity(self, n: int) -> Decimal:
        """Shares of a lot."""
        return sum((Decimal(self.columns.quantity[row]) for row in self.of(n)), ZERO)


@dataclass(frozen=True, slots=True)
class Lots(Sequence[HeldLot]):
    """The lots in the account's order.  Columns: `at` row in the snapshot; `shares` of the account, as units; `gain_frac` gain on a dollar
    sold (basis zero where it is not known); `basis_usd` (likewise); `has_basis`; `is_long`; `loss` a sale could be a loss; `since` (NaT:
    not known).
    """

    columns: LotColumns
    rows: LedgerRows
    taxable: bool
    at: Ints
    shares: Units
    gain_frac: Floats
    basis_usd: Floats
    has_basis: Bools
    is_long: Bools
    loss: Bools
    since: Days
    _made: dict[int, HeldLot] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)
    _plain: list[tuple[list[bool], list[bool], list[bool]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, n: int) -> HeldLot: ...
    @overload
    def __getitem__(self, n: slice) -> list[HeldLot]: ...
    def __getitem__(self, n: int | slice) -> HeldLot | list[HeldLot]:
        found = self._made.get(n) if isinstance(n, int) else None
        if found is not None:
            return found
        if isinstance(n, slice):
            return [self[each] for each in range(*n.indices(len(self)))]
        found = self._made[n] = self._lot(range(len(self))[n])
        return found

    def __iter__(self) -> Iterator[HeldLot]:
        return (self[n] for n in range(len(self)))

    @property
    def number(self) -> dict[str, int]:
        """By lot id its number."""
        if not self._number:
            self._number.update(zip(self.lot_id, range(len(self)), strict=True))
        return self._number

    @property
    def lot_id(self) -> list[str]:
        """By lot; the ledger's where they are the same, since the join has hashed those."""
        return self.rows.columns.lot_id if self.rows.same else self.columns.lot_id

    def quantity(self, n: int) -> Decimal:
        """Shares of a lot."""
        return Decimal(self.columns.quantity[n])

    def basis(self, n: int) -> Decimal | None:
        """Dollars of basis of a lot, None where it is not known."""
        if not self.has_basis[n]:
            return None
        texts = self.rows.columns.tax_basis
        begin, end = self.rows.begins[n], self.rows.begins[n + 1]
        if end - begin == 1:
            return Decimal(texts[self.rows.order[begin]] or 0)
        return sum((Decimal(texts[row] or 0) for row in self.rows.of(n)), ZERO)

    @property
    def shares_float(self) -> Floats:
        """By lot its shares, to the nearest float64."""
        shares: Floats = self.shares.units / power(self.shares.places)
        return shares

    def terms(self, numbers: Ints) -> list[Term]:
        """Of sales of these lots; none where there is no gain to speak of."""
        if not self.taxable:
            return ["none"] * len(numbers)
        kinds = np.where(self.has_basis, 1 + self.is_long, 0)[numbers].tolist()
        return [TERMS[kind] for kind in kinds]

    def _lot(self, n: int) -> HeldLot:
        if not self._plain:
            self._plain.append((self.has_basis.tolist(), self.is_long.tolist(), self.loss.tolist()))
        ((has_basis, is_long, loss),) = self._plain
        columns, basis = self.columns, self._basis(n) if has_basis[n] else None
        term: Term = "none" if not self.taxable or basis is None else "long" if is_long[n] else "short"
        return HeldLot(columns.lot_id[n], columns.security_id[n], Decimal(columns.quantity[n]), basis, term, loss[n], self.since[n].item())

    def _basis(self, n: int) -> Decimal:
        texts, rows = self.rows.columns.tax_basis, self.rows.of(n)
        return Decimal(texts[rows[0]] or 0) if len(rows) == 1 else sum((Decimal(texts[row] or 0) for row in rows), ZERO)


def ledger_rows(columns: LotColumns, ledger: TaxLotColumns, aliases: dict[str, str]) -> LedgerRows | int:
    """The ledger's rows under the custodian's lot id where a provisional lot has become the custodian's; or the number of the ledger's
    lots, where they are not the account's."""
    names = [aliases.get(each, each) for each in ledger.lot_id] if aliases else ledger.lot_id
    distinct = len(set(names))
    if distinct != len(columns.lot_id):
        return distinct
    if names == columns.lot_id:
        count = len(names)
        return LedgerRows(ledger, np.arange(count), range(count), range(count + 1), names is ledger.lot_id)
    number = {lot_id: n for n, lot_id in enumerate(columns.lot_id)}
    lot = np.array([number.get(each, -1) for each in names], dtype=np.intp)
    order = np.argsort(lot, kind="stable")
    begins = np.searchsorted(lot[order], np.arange(len(columns.lot_id) + 1))
    return LedgerRows(ledger, lot, order.tolist(), begins.tolist())


def lots_of(
    columns: LotColumns, rows: LedgerRows, shares: Units, at: Ints, snapshot: Snapshot, taxable: bool, on: date, collar_bps: int
) -> Lots:
    """The columns of lots that were found to agree with the ledger and to have prices.  `on` is the day of a sale."""
    ledger = rows.columns
    known, texts = _known(ledger.tax_basis)
    basis = units_of(texts)
    shares_of_rows = shares if ledger.quantity == columns.quantity else units_of(ledger.quantity)
    lossy = (_could_be_loss(basis, shares_of_rows, snapshot, at[rows.lot], collar_bps) | ~known) & taxable
    since = np.array(_filled(ledger.holding_period_start, "NaT"), dtype="datetime64[D]")
    has_basis, whole_basis, loss, since = _merged(rows, len(at), known, basis.units, lossy, since)
    known_basis = basis._replace(units=np.where(has_basis, whole_basis, 0.0))
    gain = _gain_frac(known_basis, shares, snapshot, at) if taxable else np.zeros(len(at))
    return Lots(
        columns=columns,
        rows=rows,
        taxable=taxable,
        at=at,
        shares=shares,
        gain_frac=gain,
        basis_usd=known_basis.units / power(basis.places),
        has_basis=has_basis,
        is_long=has_basis & (since <= np.datetime64(last_long_start(on), "D")) & taxable,
        loss=loss,
        since=since,
    )


def _known(texts: list[str | None]) -> tuple[Bools, list[str]]:
    """Which there are, and all of them, nought where there is none."""
    found = [each for each in texts if each is not None]
    if len(found) == len(texts):
        return np.ones(len(texts), dtype=np.bool_), found
    return np.array([each is not None for each in texts]), _filled(texts, "0")


def _filled(texts: list[str | None], nothing: str) -> list[str]:
    return [nothing if each is None else each for each in texts]


def _merged(rows: LedgerRows, count: int, known: Bools, basis: Floats, lossy: Bools, since: Days) -> tuple[Bools, Floats, Bools, Days]:
    """The ledger's rows as lots: whether all layers have a basis, its sum, whether one could be a loss, and the youngest's start."""
    if isinstance(rows.order, range):
        return known, basis, lossy, since
    if len(rows.lot) == count:
        own = np.array(rows.order, dtype=np.intp)
        return known[own], basis[own], lossy[own], since[own]
    youngest = np.full(count, np.datetime64("0001-01-01", "D"))
    np.maximum.at(youngest, rows.lot, since)
    all_known = np.bincount(rows.lot[~known], minlength=count) == 0
    total = np.bincount(rows.lot, basis, count).astype(np.float64)
    return all_known, total, np.bincount(rows.lot[lossy], minlength=count) > 0, youngest


def _gain_frac(basis: Units, shares: Units, snapshot: Snapshot, at: Ints) -> Floats:
    """(proceeds - basis) / proceeds at the pinned price."""
    more, found = shares.places + snapshot.price_places - basis.places, np.empty(len(at))
    gain_fractions(shares.units, snapshot.price_units[at], basis.units, power(max(-more, 0)), power(max(more, 0)), found)
    return found


def _could_be_loss(basis: Units, shares: Units, snapshot: Snapshot, at: Ints, collar_bps: int) -> Bools:
    """As windows.could_be_loss, of a known basis."""
    more, found = shares.places + snapshot.price_places + COLLAR_PLACES - basis.places, np.empty(len(at), dtype=np.bool_)
    least_price = snapshot.price_units[at] * float(10**COLLAR_PLACES - collar_bps)
    could_be_losses(basis.units, shares.units, least_price, power(max(-more, 0)), power(max(more, 0)), found)
    return found
