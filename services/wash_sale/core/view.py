"""The household's ledger as of a day, as the payload of pma.ledger.updated."""

from collections.abc import Iterable
from datetime import date

from libs.common.money import plain
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, RealisedSale, TaxLotColumns
from services.wash_sale.core.books import Books, books_of, disagreements, expected_by_lot, held_by_lot, in_another_security
from services.wash_sale.core.household import AccountFacts, HouseholdLedger
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.new_names import with_new_names
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.tax_years import account_years, taxpayer_years
from services.wash_sale.core.windows import blocked_buys, blocked_loss_sales


def ledger_content(ledger: HouseholdLedger, securities: SecurityFacts, as_of: date) -> LedgerUpdated | Refusal:
    """Everything the ledger says as of a day, under version 0 and no run.  The accounts that left show no lots but keep their windows."""
    ledger = with_new_names(ledger, securities)
    books = books_of(ledger, securities, ledger.accounts)
    if isinstance(books, Refusal):
        return books
    present = [account for _, account in sorted(ledger.accounts.items()) if not account.departed]
    return LedgerUpdated(
        household_id=ledger.household_id,
        version=0,
        as_of=as_of,
        run_id=None,
        accounts=[_account(ledger, account, books, securities) for account in present],
        blocked_buys=blocked_buys(ledger, books, securities, as_of),
        blocked_loss_sales=blocked_loss_sales(books, securities, as_of),
        taxpayers=taxpayer_years(ledger, books, as_of),
        account_years=account_years(ledger, books, as_of.year),
        sales=realised_sales(books, as_of.year - 1),
    )


def realised_sales(books: Books, first_year: int) -> list[RealisedSale]:
    """The sale rows since the beginning of a year, by date, account and lot; a lot sold out of several layers has a row a layer."""
    rows = [row for book in books.groups.values() for row in book.rows if row.trade_date.year >= first_year]
    return [
        RealisedSale(
            row.trade_id,
            row.account_id,
            row.security_id,
            row.lot_id,
            row.quantity,
            row.trade_date,
            row.proceeds,
            row.basis,
            row.raw_gain,
            row.disallowed,
            row.allowed_gain,
            row.term,
        )
        for row in sorted(rows, key=lambda r: (r.trade_date, r.account_id, r.trade_id, r.lot_id))
    ]


def _account(ledger: HouseholdLedger, account: AccountFacts, books: Books, securities: SecurityFacts) -> LedgerAccount:
    layers = books.layers[account.account_id]
    differing = disagreements(held_by_lot(layers), expected_by_lot(ledger, account))
    if others := in_another_security(account, layers, securities):
        differing = sorted({*differing, *others})
    return LedgerAccount(account.account_id, account.version, account.trade_seq, tax_lot_columns(layers), differing)


def tax_lot_columns(layers: Iterable[Layer]) -> TaxLotColumns:
    """Layers as columns, by security, date acquired (unknown first) and lot; those of a lot in the order of its shares."""
    ordered = sorted(layers, key=lambda layer: (layer.security_id, layer.acquired or date.min, layer.lot_id))
    bases = [layer.basis for layer in ordered]
    return TaxLotColumns(
        lot_id=[layer.lot_id for layer in ordered],
        security_id=[layer.security_id for layer in ordered],
        quantity=[plain(layer.quantity) for layer in ordered],
        tax_basis=[None if basis is None else plain(basis) for basis in bases],
        acquired=[None if layer.acquired is None else layer.acquired.isoformat() for layer in ordered],
        holding_period_start=[None if layer.held_since is None else layer.held_since.isoformat() for layer in ordered],
    )
