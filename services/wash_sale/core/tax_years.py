"""A taxpayer's year, and what an account used of its budgets: realised gains and losses by term, denied losses left out.

A sale of unknown basis counts nowhere until its basis is known.  A taxpayer's opening counts in its own year.  Losses are carried into a
year that has no opening of its own, with the usual deduction of 3,000 taken as used: the filing status and the income are not known here.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO
from libs.common.schemas.account import TaxOpening
from libs.common.schemas.ledger import AccountYear, TaxpayerYear
from services.wash_sale.core.books import Books
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year.netting import Carryover, YearItems, net

NOTHING = TaxOpening(0, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)


def account_years(ledger: HouseholdLedger, books: Books, year: int) -> list[AccountYear]:
    """Net short and long gains of each taxable account's own booked sales in a year."""
    net: dict[tuple[str, str], Decimal] = {}
    for row in _rows(books):
        if row.trade_date.year == year and row.allowed_gain is not None:
            net[row.account_id, row.term] = net.get((row.account_id, row.term), ZERO) + row.allowed_gain
    return [
        AccountYear(account_id, year, net.get((account_id, "short"), ZERO), net.get((account_id, "long"), ZERO))
        for account_id, account in sorted(ledger.accounts.items())
        if account.taxable and not account.departed
    ]


def taxpayer_years(ledger: HouseholdLedger, books: Books, as_of: date) -> list[TaxpayerYear]:
    """Each taxpayer's current year, and the one before where something is known of it."""
    told = openings(ledger, books)
    found: list[TaxpayerYear] = []
    for taxpayer_id in sorted({account.taxpayer_id for account in ledger.accounts.values() if account.taxable}):
        rows: dict[int, list[SaleRow]] = {}
        for row in _rows(books):
            if ledger.accounts[row.account_id].taxpayer_id == taxpayer_id:
                rows.setdefault(row.trade_date.year, []).append(row)
        found += _years_of(taxpayer_id, told.get(taxpayer_id, {}), rows, as_of.year)
    return found


def _years_of(taxpayer_id: str, told: Mapping[int, TaxOpening], rows: Mapping[int, list[SaleRow]], last: int) -> Iterator[TaxpayerYear]:
    """The last two years, with what the years before carried into them."""
    carried = Carryover()
    for year in range(min([last - 1, *told, *rows]), last + 1):
        opening = told.get(year) or replace(NOTHING, carried_short_loss=carried.short, carried_long_loss=carried.long)
        found = _taxpayer_year(taxpayer_id, year, opening, rows.get(year, ()))
        if year == last or (year == last - 1 and (year in rows or year in told or carried != Carryover())):
            yield found
        items = YearItems(found.short_gain, found.short_loss, found.long_gain, found.long_loss)
        carried = net(items, Carryover(found.carried_short_loss, found.carried_long_loss), "single").carryover


def openings(ledger: HouseholdLedger, books: Books) -> dict[str, dict[int, TaxOpening]]:
    """Each taxpayer's openings by year, less the losses in them that purchases booked here have denied."""
    found: dict[str, dict[int, TaxOpening]] = {}
    for account in ledger.accounts.values():
        years = found.setdefault(account.taxpayer_id, {})
        if account.tax_opening is not None and account.tax_opening.year not in years:
            year = account.tax_opening.year
            opening = _opening(ledger, account.taxpayer_id, year)
            years[year] = _less_washed(opening, _washed_past_losses(ledger, books, account.taxpayer_id, year))
    return found


def _rows(books: Books) -> Iterable[SaleRow]:
    return (row for book in books.groups.values() for row in book.rows)


def _opening(ledger: HouseholdLedger, taxpayer_id: str, year: int) -> TaxOpening:
    """The taxpayer's opening of a year: it is told for the taxpayer, so where several accounts tell it the first that joined counts."""
    told = [account for account in ledger.accounts.values() if account.taxpayer_id == taxpayer_id and account.tax_opening is not None]
    for account in sorted(told, key=lambda a: (a.joined, a.account_id)):
        if account.tax_opening is not None and account.tax_opening.year == year:
            return account.tax_opening
    return NOTHING


def _washed_past_losses(ledger: HouseholdLedger, books: Books, taxpayer_id: str, year: int) -> Decimal:
    """Dollars of losses from before the ledger began, of that year, which purchases booked here have denied."""
    accounts = {account.account_id for account in ledger.accounts.values() if account.taxpayer_id == taxpayer_id}
    washes = (wash for book in books.groups.values() for wash in book.washes if wash.past_sale)
    return sum((w.disallowed for w in washes if w.loss_account_id in accounts and w.loss_date.year == year), ZERO)


def _less_washed(opening: TaxOpening, washed: Decimal) -> TaxOpening:
    """The opening less denied losses: its term is not known, so the short loss, which is worth more, goes first."""
    short_loss = max(ZERO, opening.short_loss - washed)
    long_loss = max(ZERO, opening.long_loss - (washed - (opening.short_loss - short_loss)))
    return replace(opening, short_loss=short_loss, long_loss=long_loss)


def _taxpayer_year(taxpayer_id: str, year: int, opening: TaxOpening, rows: Iterable[SaleRow]) -> TaxpayerYear:
    total = {
        ("short", True): opening.short_gain,
        ("short", False): opening.short_loss,
        ("long", True): opening.long_gain,
        ("long", False): opening.long_loss,
    }
    for row in rows:
        gain = row.allowed_gain
        if gain:  # neither unknown nor the nothing of a gift between its two bases
            total[row.term, gain > 0] += abs(gain)
    return TaxpayerYear(
        taxpayer_id,
        year,
        total["short", True],
        total["short", False],
        total["long", True],
        total["long", False],
        opening.carried_short_loss,
        opening.carried_long_loss,
    )
