"""The project's own cases, compared as the verified ones are."""

from typing import Any

import pytest

from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history
from services.wash_sale.core.history_rows import history_rows
from tests.unit.wash_sale.own_cases import IDENTITY, RELATED, RETIREMENT, TRANSFERS
from tests.unit.wash_sale.own_cases_of_actions import OF_ACTIONS
from tests.unit.wash_sale.own_cases_of_combinations import OF_COMBINATIONS
from tests.unit.wash_sale.own_cases_of_names import OF_NAMES
from tests.unit.wash_sale.test_tax_cases import ROWS, unmatched

CASES = [*RETIREMENT, *RELATED, *IDENTITY, *TRANSFERS, *OF_ACTIONS, *OF_COMBINATIONS, *OF_NAMES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_own_case(case: dict[str, Any]) -> None:
    books = books_of_history(case)
    assert not isinstance(books, BadHistory), books.text()
    answer = history_rows(books)
    expected = case["expected"]
    assert [line for name in ROWS if name in expected for line in unmatched(expected[name], answer.get(name, []))] == []


def test_there_are_enough_of_them() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES) >= 40
