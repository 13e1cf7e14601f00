"""What sales take of lots: the same in whole units and one by one, in numbers and in the digits that they are written with."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.optimizer.core.arrays import Ints
from services.optimizer.core.taking import Asked, Taken, by_units, one_by_one
from tests.unit.optimizer.samples import OLD, Lot, Security, world
from tests.unit.optimizer.test_lots import good

UNITS = st.integers(1, 5_000_000).map(lambda units: f"{Decimal(units) / 10_000:.4f}")


def written(taken: Taken) -> tuple[object, ...]:
    rest = {lot: Decimal(left) for lot, left in taken.rest.items()}
    return taken.first.tolist(), taken.lot.tolist(), [str(each) for each in taken.shares], [str(each) for each in taken.quantity], rest


@given(st.lists(st.lists(UNITS, min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_both_ways_write_the_same(held: list[list[str]], data: st.DataObject) -> None:
    texts = [text.rstrip("0").rstrip(".") if data.draw(st.booleans()) else text for own in held for text in own]
    case = good(world([Security("N0", "100", "1")], [Lot(f"L{n}", "N0", text, "90", OLD) for n, text in enumerate(texts)], "500"))
    sale: Ints = np.repeat(np.arange(len(held)), [len(own) for own in held])
    total = np.bincount(sale, [float(text) for text in texts])
    whole = np.array([data.draw(st.booleans()) or each < 1 for each in total])
    wanted = np.array([float(data.draw(st.integers(1, max(1, int(each))))) for each in total])
    asked = Asked(np.arange(len(held)), wanted, whole, np.arange(len(texts)), sale)
    assert case.lots.shares.exact
    assert written(by_units(case.lots, asked)) == written(one_by_one(case.lots, asked))
