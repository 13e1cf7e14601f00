"""Questions to a household's facts that no event asks: what trades would mean, how certain its sales are, the custodian's basis."""

from collections.abc import Mapping, Sequence
from dataclasses import replace as with_values
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.books import Books, books_of, expected_by_lot
from services.wash_sale.core.custodian_basis import BasisDifference, CustodianLot, compare_basis
from services.wash_sale.core.group_facts import group_facts
from services.wash_sale.core.household import PROVISIONAL, AccountFacts, HouseholdLedger
from services.wash_sale.core.intended import IntendedTrade, Meaning, try_out
from services.wash_sale.core.new_names import with_new_names
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.replay import book_of
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.tax_events import LotPart


def all_covered(ledger: HouseholdLedger) -> bool:
    """Whether a feed shows every account of the household: one that only past sales name, or that has left, is not shown."""
    named = {sale.account_id for account in ledger.accounts.values() for sale in account.past_sales}
    return named <= ledger.accounts.keys() and not any(account.departed for account in ledger.accounts.values())


def meaning_of(ledger: HouseholdLedger, securities: SecurityFacts, trades: Sequence[IntendedTrade], as_of: date) -> list[Meaning] | Refusal:
    """What a list of intended trades would mean on a day, group by group; a refusal where the facts contradict each other."""
    ledger = with_new_names(ledger, securities)
    wanted: dict[str, list[IntendedTrade]] = {}
    for trade in trades:
        wanted.setdefault(securities.cluster(trade.security_id), []).append(_with_lot_names(ledger, trade))
    found: dict[str, Meaning] = {}
    for group, facts in group_facts(ledger, securities, wanted).items():
        book = book_of(facts, ledger.accounts, securities, {trade.security_id for trade in wanted[group]})
        if isinstance(book, Refusal):
            return book
        last = max([as_of, *(trade.trade_date for _, trade in facts.trades), *(each.ex_date for each in securities.reorganizations)])
        found |= {meaning.trade_id: meaning for meaning in try_out(book, wanted[group], last, all_covered(ledger))}
    return [found[trade.trade_id] for trade in trades]


def _with_lot_names(ledger: HouseholdLedger, trade: IntendedTrade) -> IntendedTrade:
    account = ledger.accounts.get(trade.account_id)
    if account is None or trade.lots is None:
        return trade
    return replace(trade, lots=tuple(LotPart(account.lot_named(part.lot_id), part.quantity) for part in trade.lots))


def custodian_differences(
    ledger: HouseholdLedger, securities: SecurityFacts, books: Books, every: bool = False
) -> dict[str, list[BasisDifference]]:
    """The accounts' lots whose basis or shares are others at the custodian, by its last version that was compared; or every lot."""
    ledger = with_new_names(ledger, securities)
    washes = [wash for book in books.groups.values() for wash in book.washes]
    sold = {row.trade_id: row.security_id for book in books.groups.values() for row in book.rows}
    ratios = {security_id: [split.ratio for split in splits] for security_id, splits in securities.splits.items()}
    unacted = _without_actions(ledger, securities)
    found = {}
    for account_id, account in sorted(ledger.accounts.items()):
        if not account.departed and account.reported_basis:
            reported = _reported(ledger, account)
            traded = account.reported_basis.keys() - reported.keys()
            ours = [layer for layer in books.layers[account_id] if layer.lot_id not in traded and _named(layer.lot_id, reported)]
            found[account_id] = compare_basis(account_id, reported.values(), ours, washes, sold, ratios, unacted.get(account_id), every)
    return found


def _without_actions(ledger: HouseholdLedger, securities: SecurityFacts) -> dict[str, dict[str, tuple[Decimal, Decimal | None]]]:
    """By account and lot, the shares and basis as they would be without reorganizations; nothing where there are none."""
    if not securities.reorganizations:
        return {}
    for account in ledger.accounts.values():
        cut = {
            lot.lot_id: lot.before(securities.basis_changes_on(lot.security_id, lot.counted_on))
            for lot in account.starting.values()
            if lot.was
        }
        if cut:
            ledger = ledger.with_account(replace(account, starting={**account.starting, **cut}))
    books = books_of(ledger, with_values(securities, reorganizations=()), ledger.accounts)
    if isinstance(books, Refusal):
        return {}
    found: dict[str, dict[str, tuple[Decimal, Decimal | None]]] = {}
    for account_id, layers in books.layers.items():
        lots = found.setdefault(account_id, {})
        for layer in layers:
            quantity, basis = lots.get(layer.lot_id, (ZERO, ZERO))
            known = None if basis is None or layer.basis is None else basis + layer.basis
            lots[layer.lot_id] = (quantity + layer.quantity, known)
    return found


def _named(lot_id: str, reported: Mapping[str, CustodianLot]) -> bool:
    """A purchase that the custodian has not named yet is no difference."""
    return lot_id in reported or not lot_id.startswith(PROVISIONAL)


def _reported(ledger: HouseholdLedger, account: AccountFacts) -> dict[str, CustodianLot]:
    """The custodian's lots under the ledger's names, those that became one lot here added up.

    A lot of which a trade took shares since is left out: the custodian has not said its basis after that yet.
    """
    expected = expected_by_lot(ledger, account)
    found: dict[str, CustodianLot] = {}
    for lot_id, lot in account.reported_basis.items():
        name, quantity, basis = account.lot_named(lot_id), account.reported[lot_id], lot.basis
        before = found.get(name)
        if before is not None:
            quantity += before.quantity
            basis = None if before.basis is None or basis is None else before.basis + basis
        found[name] = CustodianLot(name, lot.security_id, quantity, basis)
    return {name: lot for name, lot in found.items() if expected.get(name, lot.quantity) == lot.quantity}
