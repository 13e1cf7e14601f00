"""Lots as columns: what a column says is what exact decimals say, layers and unknown bases included."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from libs.common.money import float_from_decimal
from libs.common.schemas.ledger import TaxLotColumns
from services.optimizer.core.decimals import power, units_of, units_of_decimals
from services.optimizer.core.decline import Decline
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.lot_kernels import alike, could_be_losses, gain_fractions
from services.optimizer.core.market import prepare
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.terms import first_long_day, last_long_start
from services.optimizer.core.windows import could_be_loss
from tests.unit.optimizer.samples import OLD, RECENT, Lot, Security, World, world

D = Decimal
SECURITIES = [Security("AAA", "100.25", "0.5"), Security("BBB", "33.333333", "0.5")]


def decimals(places: int, most: int) -> st.SearchStrategy[Decimal]:
    return st.integers(1, most).map(lambda units: D(units).scaleb(-places))


def case_of(made: World) -> Case | Decline:
    snapshot = prepare(made.market)
    assert not isinstance(snapshot, Decline)
    return join(made.account, made.screen, made.ledger, snapshot, made.run, [], DEFAULT_POLICY)


def good(made: World) -> Case:
    found = case_of(made)
    assert isinstance(found, Case)
    return found


@given(decimals(6, 10**11), decimals(4, 10**8), st.integers(-100, 100), st.sampled_from([2, 4, 8]))
def test_a_gain_is_the_decimal_one_rounded_once(shares: Decimal, price: Decimal, part: int, places: int) -> None:
    basis = round(shares * price * (1 + D(part) / 10_000), places)
    exact = float_from_decimal((shares * price - basis) / (shares * price))
    a, b, c = (units_of([str(each)]) for each in (shares, price, basis))
    more = a.places + b.places - c.places
    found = np.empty(1)
    gain_fractions(a.units, b.units, c.units, power(max(-more, 0)), power(max(more, 0)), found)
    assert found[0] == pytest.approx(exact, rel=1e-15 if c.exact else 1e-9, abs=1e-15)
    if a.exact and b.exact and c.exact:
        assert found[0] == exact


@given(decimals(6, 10**10), decimals(4, 10**7), decimals(2, 10**9))
def test_products_compare_exactly(a: Decimal, b: Decimal, c: Decimal) -> None:
    basis, shares, price = (np.array([float(each)]) for each in (a.scaleb(6), c.scaleb(2), D(1)))
    above = np.empty(1, dtype=np.bool_)
    could_be_losses(basis, shares, price, 1e8, float(b.scaleb(4)), above)
    assert above[0] == (a * b > c)
    could_be_losses(basis, basis, price, 1.0, 1.0, above)
    assert not above[0]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, -0.1]), st.integers(0, 2)), max_size=30))
def test_lots_that_are_alike_are_numbered_by_name_and_first_lot(rows: list[tuple[int, float, float, int]]) -> None:
    wanted: dict[tuple[int, float, float, int], list[int]] = {}
    for n, row in enumerate(rows):
        wanted.setdefault(row, []).append(n)
    tranches = sorted(wanted.values(), key=lambda lots: (rows[lots[0]][0], lots[0]))
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 4).T
    of_lot, first, order, begins = (np.empty(len(rows) + 1, dtype=np.intp) for _ in range(4))
    count = alike(
        columns[0].astype(np.intp), columns[1].copy(), columns[2].copy(), columns[3].astype(np.intp), of_lot, first, order, begins
    )
    assert [order[begins[k] : begins[k + 1]].tolist() for k in range(count)] == tranches
    assert first[:count].tolist() == [lots[0] for lots in tranches]
    assert all(of_lot[n] == k for k, lots in enumerate(tranches) for n in lots)


@pytest.mark.parametrize(
    "texts", [["1.5", "100", "0.000001"], ["7"], [], ["-3.25", "1"], ["1E+2", "2.50"], ["123456789012345678.5", "1"], ["5.", ".5"]]
)
def test_units_are_the_numbers(texts: list[str]) -> None:
    found = units_of(texts)
    assert found.units.tolist() == [float(D(text).scaleb(found.places)) for text in texts]
    assert found.own_places.tolist() == units_of_decimals([D(text) for text in texts]).own_places.tolist()
    assert found.exact == ("123456789012345678.5" not in texts)


@pytest.mark.parametrize("day", [date(2024, 2, 28), date(2024, 2, 29), date(2025, 3, 1), date(2025, 2, 28), date(2026, 1, 15)])
def test_the_last_long_start_is_the_last(day: date) -> None:
    last = last_long_start(day)
    assert first_long_day(last) <= day < first_long_day(date.fromordinal(last.toordinal() + 1))


def test_columns_say_what_lots_say() -> None:
    lots = [
        Lot("a", "AAA", "10.5", "100.24"),
        Lot("b", "AAA", "3", "100.2600", RECENT),
        Lot("c", "BBB", "7.000001", None),
        Lot("d", "BBB", "4", "32.333332999999"),
    ]
    made = world(SECURITIES, lots, "500")
    case = good(made)
    assert case.positions == {"AAA": D("13.5"), "BBB": D("11.000001")}
    assert [str(each) for each in case.positions.values()] == ["13.5", "11.000001"]
    for n, lot in enumerate(case.lots):
        price = case.snapshot.price[case.lots.at[n]]
        assert price is not None
        gain = D(1) if lot.basis is None else (lot.quantity * price - lot.basis) / (lot.quantity * price)
        assert case.lots.gain_frac[n] == float_from_decimal(gain)
        assert lot.loss == could_be_loss(lot.basis, lot.quantity * price, made.run.price_collar_bps) == case.lots.loss[n]
        assert case.lots.is_long[n] == (lot.term == "long")
    assert [lot.term for lot in case.lots] == ["long", "short", "none", "long"]
    assert case.lots[-1] == case.lots[3]


def test_layers_are_one_lot_of_the_youngest() -> None:
    made = world(SECURITIES, [Lot("a", "AAA", "10", "90"), Lot("b", "BBB", "5", "20")], "500")
    layered = TaxLotColumns(
        ["a", "b", "a"], ["AAA", "BBB", "AAA"], ["4", "5.0", "6"], ["300", "100", "700.5"], [None] * 3, [str(OLD), None, str(RECENT)]
    )
    ledger = structs.replace(made.ledger, accounts=[structs.replace(made.ledger.accounts[0], lots=layered)])
    first, second = good(replace(made, ledger=ledger)).lots
    assert (first.basis, first.held_since, first.term, first.loss) == (D("1000.5"), RECENT, "short", True)
    assert (second.basis, second.held_since, second.term, second.loss) == (D(100), None, "short", False)
    unknown = structs.replace(layered, tax_basis=["300", "100", None])
    ledger = structs.replace(made.ledger, accounts=[structs.replace(made.ledger.accounts[0], lots=unknown)])
    first, _ = good(replace(made, ledger=ledger)).lots
    assert (first.basis, first.term, first.loss) == (None, "none", True)


@pytest.mark.parametrize(
    ("ids", "quantities", "message"),
    [
        (["a", "b"], ["10", "6"], "shares of lot b"),
        (["a", "z"], ["10", "5"], "shares of lot b"),
        (["a", "a"], ["4", "6"], "number of lots"),
    ],
)
def test_lots_that_differ_are_named(ids: list[str], quantities: list[str], message: str) -> None:
    made = world(SECURITIES, [Lot("a", "AAA", "10", "90"), Lot("b", "BBB", "5", "20")], "500")
    lots = structs.replace(made.ledger.accounts[0].lots, lot_id=ids, quantity=quantities)
    ledger = structs.replace(made.ledger, accounts=[structs.replace(made.ledger.accounts[0], lots=lots)])
    found = case_of(replace(made, ledger=ledger))
    assert isinstance(found, Decline)
    assert message in found.message
