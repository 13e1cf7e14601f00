"""What a later version of a household's ledger says otherwise than an earlier one: past sales, windows, basis.

A proposal pins the version that it was decided on; what changed since in a security that it trades is a fact that it did not know.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, RealisedSale, Window


class SaleChange(Struct, frozen=True):
    """A sale as it was said and as it is said now; None where it was not there, or is no more (a bust)."""

    before: RealisedSale | None
    after: RealisedSale | None


class LotChange(Struct, frozen=True):
    """A lot whose shares, basis (dollars) or effective date of acquisition are others now."""

    account_id: str
    security_id: str
    lot_id: str
    quantity_before: Decimal
    quantity: Decimal
    basis_before: Decimal | None
    basis: Decimal | None
    held_since_before: date | None
    held_since: date | None


class LedgerChanges(Struct, frozen=True):
    """From one version to another.  `restated` are sales that both know and judge differently, `new_sales` the others.

    `securities` are all that any of it touches: a proposal that was decided on `from_version` and trades one of them was decided on other
    facts.
    """

    household_id: str
    from_version: int
    to_version: int
    restated: Sequence[SaleChange]
    new_sales: Sequence[RealisedSale]
    lots: Sequence[LotChange]
    windows_opened: Sequence[Window]
    windows_closed: Sequence[Window]
    securities: Sequence[str]


def changes_between(before: LedgerUpdated, after: LedgerUpdated) -> LedgerChanges:
    """Compare two versions; sales that are too old for the later one to show are left out."""
    restated, new_sales = _sales(before, after)
    lots = _lots(before.accounts, after.accounts)
    opened = _only_in(after, before)
    closed = _only_in(before, after)
    touched = {row.security_id for change in restated for row in (change.before, change.after) if row is not None}
    touched |= {row.security_id for row in new_sales} | {lot.security_id for lot in lots}
    touched |= {security_id for window in (*opened, *closed) for security_id in window.security_ids}
    return LedgerChanges(after.household_id, before.version, after.version, restated, new_sales, lots, opened, closed, sorted(touched))


def _sales(before: LedgerUpdated, after: LedgerUpdated) -> tuple[list[SaleChange], list[RealisedSale]]:
    shown_from = date(after.as_of.year - 1, 1, 1)
    old = _numbered(row for row in before.sales if row.trade_date >= shown_from)
    new = _numbered(after.sales)
    restated = [SaleChange(row, new.get(key)) for key, row in old.items() if new.get(key) != row]
    return restated, [row for key, row in new.items() if key not in old]


def _numbered(rows: Iterable[RealisedSale]) -> dict[tuple[str, str, str, int], RealisedSale]:
    """By account, trade, lot and layer: a lot sold out of several layers has several rows."""
    found: dict[tuple[str, str, str, int], RealisedSale] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (row.account_id, row.trade_id, row.lot_id)
        counts[key] = counts.get(key, 0) + 1
        found[*key, counts[key]] = row
    return found


class _Held(Struct, frozen=True):
    quantity: Decimal
    basis: Decimal | None
    held_since: date | None


NOT_HELD = _Held(Decimal(0), Decimal(0), None)


def _lots(before: Iterable[LedgerAccount], after: Iterable[LedgerAccount]) -> list[LotChange]:
    old, new = _held(before), _held(after)
    changed = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    return [_lot_change(key, old.get(key, NOT_HELD), new.get(key, NOT_HELD)) for key in changed]


def _lot_change(key: tuple[str, str, str], old: _Held, new: _Held) -> LotChange:
    return LotChange(*key, old.quantity, new.quantity, old.basis, new.basis, old.held_since, new.held_since)


def _held(accounts: Iterable[LedgerAccount]) -> dict[tuple[str, str, str], _Held]:
    """Lots with their layers added up; the earliest effective date of them stands for the lot."""
    found: dict[tuple[str, str, str], _Held] = {}
    for account in accounts:
        for lot in account.lots.rows():
            key = (account.account_id, lot.security_id, lot.lot_id)
            so_far = found.get(key)
            if so_far is None:
                found[key] = _Held(lot.quantity, lot.tax_basis, lot.holding_period_start)
                continue
            basis = None if so_far.basis is None or lot.tax_basis is None else so_far.basis + lot.tax_basis
            dates = [day for day in (so_far.held_since, lot.holding_period_start) if day is not None]
            found[key] = _Held(so_far.quantity + lot.quantity, basis, min(dates, default=None))
    return found


def _only_in(one: LedgerUpdated, other: LedgerUpdated) -> list[Window]:
    there = [*other.blocked_buys, *other.blocked_loss_sales]
    return [window for window in (*one.blocked_buys, *one.blocked_loss_sales) if window not in there]
