"""Holdings by message: the checks that a line of a file meets."""

from datetime import date

import pytest
from msgspec.structs import replace

from libs.common.schemas.custody import CustodyHoldings, CustodyLot
from services.ingest.core.custody_message import problem_of, snapshot_of_message
from tests.unit.ingest.book_samples import D
from tests.unit.ingest.holdings_samples import LINES, read

DAY = date(2025, 12, 15)
LOT = CustodyLot("L1", "AAA", D(100), D("1234.56"), date(2024, 5, 31))
MESSAGE = CustodyHoldings("north", "A1", DAY, 1, "trade_date", D("1000.50"), D(0), [LOT, CustodyLot("L2", "BBB", D("12.345678"))])

REFUSED: list[tuple[CustodyHoldings, str]] = [
    (replace(MESSAGE, sequence=0), "sequence: 0"),
    (replace(MESSAGE, business_date=date(2095, 12, 15)), "business_date: 2095-12-15 is days after"),
    (replace(MESSAGE, cash_settled=D("NaN")), "cash_settled: NaN"),
    (replace(MESSAGE, cash_unsettled=D("1e30")), "cash_unsettled:"),
    (replace(MESSAGE, lots=[LOT, LOT]), "lots[1].lot_id: 'L1' comes twice"),
    (replace(MESSAGE, lots=[replace(LOT, lot_id="")]), "lots[0].lot_id: '' is no id"),
    (replace(MESSAGE, lots=[replace(LOT, security_id="A A")]), "lots[0].security_id: 'A A'"),
    (replace(MESSAGE, lots=[LOT, replace(LOT, quantity=D(0))]), "lots[1].quantity: 0"),
    (replace(MESSAGE, lots=[replace(LOT, quantity=D(-1))]), "lots[0].quantity: -1"),
    (replace(MESSAGE, lots=[replace(LOT, quantity=D("Infinity"))]), "lots[0].quantity: Infinity"),
    (replace(MESSAGE, lots=[replace(LOT, quantity=D("0.0000001"))]), "lots[0].quantity:"),
    (replace(MESSAGE, lots=[replace(LOT, cost_basis=D(-1))]), "lots[0].cost_basis: -1"),
    (replace(MESSAGE, lots=[replace(LOT, acquired=date(2025, 12, 16))]), "lots[0].acquired: 2025-12-16"),
]


@pytest.mark.parametrize(("message", "said"), REFUSED, ids=[c[1] for c in REFUSED])
def test_what_can_not_be_trusted_names_the_member(message: CustodyHoldings, said: str) -> None:
    problem = problem_of(message, DAY)
    assert problem is not None and problem.startswith(said)


def test_a_good_message_is_the_same_snapshot_as_the_file() -> None:
    assert problem_of(MESSAGE, DAY) is None
    assert snapshot_of_message(MESSAGE) == read(LINES)[1][0].snapshot
    padded = replace(MESSAGE, cash_settled=D("1000.5"), lots=[MESSAGE.lots[1], replace(LOT, quantity=D("1E+2"))])
    assert problem_of(padded, DAY) is None
    assert snapshot_of_message(padded) == snapshot_of_message(MESSAGE)
