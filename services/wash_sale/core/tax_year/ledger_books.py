"""A household's ledger, as the service keeps it, as the tax year's books."""

from libs.common.schemas.account import TaxOpening
from services.wash_sale.core.books import Books, books_of
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.tax_year.household import HouseholdBooks
from services.wash_sale.core.tax_year.netting import Carryover, YearItems
from services.wash_sale.core.tax_year.report import YearFacts
from services.wash_sale.core.tax_years import openings


def books_for_tax(ledger: HouseholdLedger, books: Books, securities: SecurityFacts) -> HouseholdBooks:
    """The books with what each taxpayer's accounts told of the year in which they joined.

    An account that left keeps its sales in the household's years, its lots are no one's here.
    """
    told = openings(ledger, books)
    return HouseholdBooks(
        household_id=ledger.household_id,
        rows=[row for book in books.groups.values() for row in book.rows],
        layers=[layer for name, held in books.layers.items() if not ledger.accounts[name].departed for layer in held],
        gifts=[gift for book in books.groups.values() for gift in book.gifts],
        taxpayer_of={name: account.taxpayer_id for name, account in ledger.accounts.items() if account.taxable},
        alone=[row for name, account in ledger.accounts.items() if account.taxable for row in _alone(ledger, name, securities)],
        openings={taxpayer: {year: _facts(opening) for year, opening in years.items()} for taxpayer, years in told.items()},
    )


def _alone(ledger: HouseholdLedger, account_id: str, securities: SecurityFacts) -> list[SaleRow]:
    """The sale rows of one account by itself, as its broker sees it: no other account, every security a group by itself."""
    trades = {security_id: [trade for trade in trades if trade.account_id == account_id] for security_id, trades in ledger.trades.items()}
    own = HouseholdLedger(ledger.household_id, {account_id: ledger.accounts[account_id]}, trades)
    books = books_of(own, SecurityFacts({}, securities.splits, (), securities.reorganizations), ())
    return [] if isinstance(books, Refusal) else [row for book in books.groups.values() for row in book.rows]


def _facts(opening: TaxOpening) -> YearFacts:
    return YearFacts(
        carried=Carryover(opening.carried_short_loss, opening.carried_long_loss),
        opening=YearItems(opening.short_gain, opening.short_loss, opening.long_gain, opening.long_loss),
    )
