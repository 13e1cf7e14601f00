"""What a later version of a ledger says otherwise about the past: the payload of pma.ledger.restated.

A day that goes by, a sale, purchase or action of today, a split, a lot's new name and an account that joins restate nothing; a late trade,
a bust, a corrected basis or identity do, and so does a purchase that denies a loss of the days before.
"""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from libs.common.schemas.ledger import LedgerRestated, LedgerUpdated, RealisedSale, RestatedLot, RestatedSale, TaxLotColumns, Window
from services.wash_sale.core.securities import SecurityFacts

SaleKey = tuple[str, str, str, int]


def restatement(before: LedgerUpdated, after: LedgerUpdated, securities: SecurityFacts) -> LedgerRestated | None:
    """What `after` says otherwise about the days before `before.as_of`; None where nothing.  `first_version` is left at `from_version`."""
    first_day = date(after.as_of.year - 1, 1, 1)  # a ledger shows no older sales
    old = _by_key(sale for sale in before.sales if sale.trade_date >= first_day)
    new = _by_key(after.sales)
    sales = [RestatedSale(sale, new.get(key)) for key, sale in old.items() if key not in new or _figures(new[key]) != _figures(sale)]
    added = [sale for key, sale in new.items() if key not in old]
    known = {account.account_id for account in before.accounts}
    sales += [RestatedSale(None, sale) for sale in added if sale.trade_date < before.as_of and sale.account_id in known]
    today = {securities.group(sale.security_id) for sale in added if sale.trade_date >= before.as_of}
    for action in securities.reorganizations:
        if action.ex_date > before.as_of:
            today |= {securities.group(each) for each in (action.security_id, action.new_security_id) if each is not None}
    lots = [lot for lot in _lots(before, after) if securities.group(lot.security_id) not in today]
    closed = [each for each in _missing(before, after) if each.until >= after.as_of and securities.group(each.security_ids[0]) not in today]
    opened = [each for each in _missing(after, before) if each.trade_date < before.as_of and each.account_id in known]
    if not (sales or lots or opened or closed):
        return None
    touched = {row.security_id for sale in sales for row in (sale.before, sale.after) if row is not None}
    touched |= {lot.security_id for lot in lots} | {name for window in (*closed, *opened) for name in window.security_ids}
    alike = {name for each in touched for name in securities.securities(securities.group(each))}
    names = (after.household_id, before.version, before.version, after.version, after.as_of)
    return LedgerRestated(*names, sales, lots, closed, opened, sorted(touched | alike))


def was_decided_otherwise(older: LedgerUpdated, after: LedgerUpdated, restated: LedgerRestated, securities: SecurityFacts) -> bool:
    """Whether a proposal that pins the older version was decided on other facts of these securities than are known now."""
    found = restatement(older, after, securities)
    return found is not None and not set(found.securities).isdisjoint(restated.securities)


def _by_key(sales: Iterable[RealisedSale]) -> dict[SaleKey, RealisedSale]:
    """By account, trade, security and place: a lot may get another name, and its shares split."""
    found: dict[SaleKey, RealisedSale] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for sale in sales:
        key = (sale.account_id, sale.trade_id, sale.security_id)
        counts[key] = counts.get(key, 0) + 1
        found[*key, counts[key]] = sale
    return found


def _figures(sale: RealisedSale) -> tuple[object, ...]:
    return (sale.trade_date, sale.proceeds, sale.basis, sale.raw_gain, sale.disallowed, sale.allowed_gain, sale.term)


def _window_keys(ledger: LedgerUpdated) -> dict[tuple[str, str, date, str], Window]:
    """By what is blocked, whose, and since when: the lots in it may get other names."""
    windows = [("buys", each) for each in ledger.blocked_buys] + [("loss_sales", each) for each in ledger.blocked_loss_sales]
    return {(kind, each.identity_group, each.trade_date, each.account_id): each for kind, each in windows}


def _missing(one: LedgerUpdated, other: LedgerUpdated) -> list[Window]:
    there = _window_keys(other)
    return [window for key, window in _window_keys(one).items() if key not in there]


Row = tuple[str, str, str, str | None, str | None]
"""A layer as it is written: security, lot, shares, basis, effective date; most are the same in both versions and need no conversion."""


class _Held(NamedTuple):
    quantity: Decimal
    basis: Decimal | None
    held_since: date | None


def _lots(before: LedgerUpdated, after: LedgerUpdated) -> list[RestatedLot]:
    """Lots with the same shares and another basis or date."""
    was = {account.account_id: account.lots for account in before.accounts}
    found = []
    for account in after.accounts:
        lots = was.get(account.account_id)
        if lots is None or lots == account.lots:
            continue
        old, new = _rows(lots), _rows(account.lots)
        changed = {row[:2] for row in set(old) ^ set(new)}
        one, other = _held(old, changed), _held(new, changed)
        found += [
            RestatedLot(account.account_id, *key, one[key].basis, other[key].basis, one[key].held_since, other[key].held_since)
            for key in sorted(one.keys() & other.keys())
            if one[key].quantity == other[key].quantity and one[key] != other[key]
        ]
    return found


def _rows(lots: TaxLotColumns) -> list[Row]:
    return list(zip(lots.security_id, lots.lot_id, lots.quantity, lots.tax_basis, lots.holding_period_start, strict=True))


def _held(rows: Iterable[Row], wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], _Held]:
    """The wanted lots with their layers added up; the earliest effective date stands for the lot."""
    found: dict[tuple[str, str], _Held] = {}
    for security_id, lot_id, quantity, written_basis, written_since in rows:
        key = (security_id, lot_id)
        if key not in wanted:
            continue
        so_far = found.get(key, _Held(Decimal(0), Decimal(0), None))
        basis = None if so_far.basis is None or written_basis is None else so_far.basis + Decimal(written_basis)
        days = [so_far.held_since] if so_far.held_since is not None else []
        days += [date.fromisoformat(written_since)] if written_since is not None else []
        found[key] = _Held(so_far.quantity + Decimal(quantity), basis, min(days, default=None))
    return found
