"""The custodian's basis beside the household's: each difference has a cause."""

from decimal import Decimal
from typing import Any

import pytest

from libs.common.schemas.market import Reorganization
from services.wash_sale.core.books import books_of
from services.wash_sale.core.custodian_basis import BasisDifference, Cause, CustodianLot, compare_basis
from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history
from services.wash_sale.core.household_questions import custodian_differences
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS
from tests.unit.wash_sale import samples
from tests.unit.wash_sale.own_cases import CLASSES, L1, S1, T1, T2, Row, after, buy, case, tx

D = Decimal
WASHED = [L1, S1, buy("L2", after(5), 100, 4100)]
ACROSS = [{**L1, "account": "T2"}, {**S1, "account": "T2"}, buy("L2", after(5), 100, 4100)]
CLASS_B = [{**L1, "security": "XYZ.B"}, {**S1, "security": "XYZ.B"}, buy("L2", after(5), 100, 4100)]


def differences(transactions: list[Row], quantity: str, basis: str | None, lot_id: str = "L2", **more: Any) -> list[BasisDifference]:
    books = books_of_history(case("H", transactions, [], [], [], (T1, T2), **more))
    assert not isinstance(books, BadHistory), books.text()
    reported = [CustodianLot(lot_id, "XYZ", D(quantity), None if basis is None else D(basis))]
    securities = {row.trade_id: row.security_id for row in books.rows}
    return compare_basis("T1", reported, books.layers, books.washes, securities, {"XYZ": (D(2),)})


@pytest.mark.parametrize(
    ("transactions", "quantity", "basis", "cause", "of_washes"),
    [
        pytest.param(ACROSS, "100", "4100", Cause.WASH_ACROSS_ACCOUNTS, 1000, id="the custodian can't see the other account's loss"),
        pytest.param(WASHED, "100", "4100", Cause.WASH_NOT_APPLIED, 1000, id="it could, and has not adjusted yet"),
        pytest.param(CLASS_B, "100", "4100", Cause.WASH_ACROSS_SECURITIES, 1000, id="it sees one security number only"),
        pytest.param([L1], "100", None, Cause.UNKNOWN_BASIS, 0, id="it does not know the basis"),
        pytest.param([L1, tx("split", after(1), ratio="2")], "100", "5000", Cause.ACTION_NOT_APPLIED, 0, id="it has not split yet"),
        pytest.param([L1], "90", "5000", Cause.QUANTITY, 0, id="it has fewer shares"),
        pytest.param([L1], "100", "5000.01", Cause.ROUNDING, 0, id="a cent"),
        pytest.param([L1], "100", "4800", Cause.UNEXPLAINED, 0, id="nothing explains it"),
    ],
)
def test_causes(transactions: list[Row], quantity: str, basis: str | None, cause: Cause, of_washes: int) -> None:
    lot_id = "L2" if len(transactions) == 3 else "L1"
    (found,) = differences(transactions, quantity, basis, lot_id, identity_groups=CLASSES)
    assert (found.cause, found.of_washes) == (cause, D(of_washes))
    assert found.explained_by == (["S1"] if of_washes else [])


def test_what_agrees_is_not_listed_and_what_only_one_side_has_is() -> None:
    assert differences(WASHED, "100", "5100") == []
    assert [(each.lot_id, each.cause) for each in differences([L1], "5", "1", "X")] == [("L1", Cause.QUANTITY), ("X", Cause.QUANTITY)]


def test_what_the_custodian_has_not_said_yet_is_no_difference() -> None:
    """A purchase without its name, a lot of which a trade took shares since, an account whose basis never came."""
    first = samples.account(lots=[samples.lot("L1", "XYZ", "100", "5000", samples.day(-400))])
    events = [first, samples.buy("t", 1, samples.day(1), "10", "400"), samples.sell("s", 2, samples.day(2), "900", {"L1": "20"})]
    ledger = samples.applied(events)
    books = books_of(ledger, NO_SECURITY_FACTS, ledger.accounts)
    assert not isinstance(books, Refusal)
    assert custodian_differences(ledger, NO_SECURITY_FACTS, books) == {"A1": []}
    never = samples.applied([samples.account()])
    books = books_of(never, NO_SECURITY_FACTS, never.accounts)
    assert not isinstance(books, Refusal) and custodian_differences(never, NO_SECURITY_FACTS, books) == {}


@pytest.mark.parametrize(
    ("action", "shown", "causes"),
    [
        pytest.param(samples.paid("A", samples.day(2), "return_of_capital", "2"), [("L1", "A", "100", "1000")], ["L1"], id="basis"),
        pytest.param(samples.merger("A", samples.day(2), "B", "2"), [("L1", "A", "100", "1000")], ["L1"], id="shares"),
        pytest.param(
            samples.spin_off("A", samples.day(2), "C", "1", "5", "5"), [("L1", "A", "100", "1000")], ["L1", "L1/C"], id="spun off"
        ),
        pytest.param(samples.paid("A", samples.day(2), "cash_merger", "2"), [("L1", "A", "100", "1000")], ["L1"], id="cash"),
        pytest.param(samples.paid("A", samples.day(2), "return_of_capital", "2"), [("L1", "A", "100", "800")], [], id="applied"),
        pytest.param(samples.paid("A", samples.day(2), "return_of_capital", "2"), [("L1", "A", "100", "850")], None, id="something else"),
    ],
)
def test_an_action_that_the_custodian_has_not_applied(action: Reorganization, shown: list[tuple[str, str, str, str]], causes: Any) -> None:
    securities = samples.acted(action)
    first = samples.account(lots=[samples.lot("L1", "A", "100", "1000", samples.day(-400))])
    second = samples.account(lots=[samples.lot(*each, samples.day(-400)) for each in shown], version=2, business_date=samples.day(3))
    ledger = samples.applied([first, second], securities)
    books = books_of(ledger, securities, ledger.accounts)
    assert not isinstance(books, Refusal)
    found = custodian_differences(ledger, securities, books)["A1"]
    if causes is None:
        assert [each.cause for each in found] == [Cause.UNEXPLAINED]
    else:
        assert [(each.lot_id, each.cause) for each in found] == [(lot_id, Cause.ACTION_NOT_APPLIED) for lot_id in causes]
