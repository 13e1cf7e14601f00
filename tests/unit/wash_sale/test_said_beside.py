"""A ledger that was said, read beside the one that follows it: what is the same in both is not decoded, and the outcome is no other."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.packing import pack
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated
from services.wash_sale import history_store
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.transitions import apply_account
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, day, lot

NAMES = {"AAA": "AAA", "BBB": "BBB"}


def said() -> LedgerUpdated:
    """A ledger of two accounts."""
    securities = SecurityFacts(NAMES, {})
    facts = HouseholdLedger("H1")
    for account_id in ("A1", "A2"):
        lots = [lot(f"{account_id}-L{i}", name, "10", "1234.5", day(-500 - i)) for i, name in enumerate(NAMES)]
        facts = apply_account(facts, account(account_id, lots=lots), securities)  # type: ignore[assignment]
    content = ledger_content(facts, securities, day(3))
    assert isinstance(content, LedgerUpdated)
    return replace(content, version=4)


def with_basis(ledger: LedgerUpdated, basis: str) -> LedgerUpdated:
    """The same with another basis of a lot of the first account."""
    first = ledger.accounts[0]
    lots = replace(first.lots, tax_basis=[basis, *first.lots.tax_basis[1:]])
    return replace(ledger, accounts=[replace(first, lots=lots), *ledger.accounts[1:]])


@pytest.mark.parametrize(
    "after",
    [
        said(),
        replace(said(), version=5, as_of=day(4)),
        with_basis(said(), "1"),
        replace(said(), accounts=said().accounts[1:]),
        replace(said(), accounts=[]),
        replace(said(), accounts=[LedgerAccount("A3", 1, 0, said().accounts[0].lots, ["X"]), *said().accounts]),
    ],
    ids=["the same", "a day on", "another basis", "an account left", "all left", "an account joined"],
)
def test_what_was_said_is_read_as_it_was_said(after: LedgerUpdated) -> None:
    before = said()
    assert before.accounts[0].lots.tax_basis[0] == str(Decimal("1234.5"))
    assert history_store.said_beside(pack(before), after) == before


def test_nothing_of_a_ledger_is_left_out() -> None:
    assert history_store._LedgerAsWritten.__struct_fields__ == LedgerUpdated.__struct_fields__
    assert history_store._AccountAsWritten.__struct_fields__ == LedgerAccount.__struct_fields__
