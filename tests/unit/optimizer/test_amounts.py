"""Columns are rounded as decimals are, ties and signs of zeros included."""

from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import CENT
from services.optimizer.core.amounts import LARGEST, away_from_zero, to_nearest

SHARES = st.integers(1, 10**9).map(lambda units: Decimal(units).scaleb(-4))
PRICES = st.one_of(st.integers(1, 10**6).map(lambda cents: Decimal(cents).scaleb(-2)), st.sampled_from([Decimal("0.5"), Decimal("12.125")]))
PARTS = st.sampled_from(
    [Decimal(1), Decimal("0.0005"), Decimal("0.00035"), Decimal("-0.25"), Decimal("1e-9"), Decimal("-1e-9"), Decimal("0.000593")]
)


@given(st.lists(st.tuples(SHARES, PRICES, PARTS), min_size=1, max_size=20))
def test_to_the_nearest_cent(rows: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    exact = [(shares * price * part).quantize(CENT, ROUND_HALF_EVEN) for shares, price, part in rows]
    columns = np.array([[float(each) for each in row] for row in rows]).T
    estimate = 100.0 * columns[0] * columns[1] * columns[2]
    found = to_nearest(estimate, np.abs(estimate), CENT, exact.__getitem__)
    assert [str(each) for each in found.values] == [str(each) for each in exact]
    assert found.steps.tolist() == [float(each / CENT) for each in exact]


@given(st.lists(st.tuples(SHARES, PRICES), min_size=1, max_size=20))
def test_up_to_the_next_cent(rows: list[tuple[Decimal, Decimal]]) -> None:
    exact = [(shares * price).quantize(CENT, ROUND_UP) for shares, price in rows]
    estimate = np.array([100.0 * float(shares) * float(price) for shares, price in rows])
    found = away_from_zero(estimate, estimate, CENT, exact.__getitem__)
    assert [str(each) for each in found.values] == [str(each) for each in exact]


def test_only_what_float64_leaves_open_is_worked_out() -> None:
    asked = []

    def exact(i: int) -> Decimal:
        asked.append(i)
        return Decimal("7.77")

    estimate = np.array([12.3, 12.5, 0.2, -12.5, 13.0, LARGEST * 2, np.nan])
    found = to_nearest(estimate, np.abs(estimate), CENT, exact)
    assert asked == [1, 2, 3, 5, 6]
    assert found.values[0] == Decimal("0.12") and found.values[4] == Decimal("0.13") and found.values[1] == Decimal("7.77")
