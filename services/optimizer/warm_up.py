"""`python -m services.optimizer.warm_up`: compiles the solver's kernels, or reads them from their cache, and says how long that took.

Run it where an image is built, and the service need not compile; NUMBA_CACHE_DIR says where compiled kernels are kept (beside the source
otherwise), and must be writable when the service runs.  Kernels compiled on another kind of processor are compiled again.
"""

import sys
import time
from dataclasses import replace

import numpy as np

from services.optimizer.core.decimals import units_of
from services.optimizer.core.dual.model import Lots, Model, Names, Options, Rows, WeightRows, validated
from services.optimizer.core.dual.solve import Effort, solve
from services.optimizer.core.lot_kernels import alike, could_be_losses, gain_fractions, ratios, slots
from services.optimizer.core.nearest_shares import Curves, Terms, Turn, cumulated, nearest_shares, used

NAMES, FACTORS = 6, 2
EFFORT = Effort(nodes=4, enough=0.0)


def warm_up() -> None:
    """Solve small accounts that reach every kernel: with and without a cap, a count, and lots that tie; round one, and read one."""
    plain = _model()
    for model in (plain, replace(plain, te_cap=0.05), _counted(plain)):
        solve(validated(model), EFFORT)
    _round()
    _read()


def _read() -> None:
    """Two lots of a name, read and joined."""
    units, number, flags = units_of(["1.50", "2.5"]), np.zeros(3, dtype=np.intp), np.zeros(2, dtype=np.bool_)
    gain_fractions(units.units, np.ones(2), np.ones(2), 1.0, 1.0, np.empty(2))
    could_be_losses(units.units, np.ones(2), np.ones(2), 1.0, 1.0, flags)
    ratios(units.units, np.ones(2), 1.0, 1.0, 1.0, np.empty(2))
    slots(number[:2], number[:2], number[:2], flags, flags, flags, number.copy(), number.copy(), flags)
    alike(number[:2], np.ones(2), np.ones(2), number[:2], number.copy(), number.copy(), number.copy(), number.copy())


def _round() -> None:
    """One name sold and one bought, in whole shares."""
    first, one = np.arange(2), np.ones(2)
    entries = cumulated(np.full((2, 1), 4.5), first)
    curves = Curves(2 * first, entries[0], entries[1], np.zeros(1), np.full(1, 4.5), np.full(1, 4.5), np.zeros(1))
    sells = np.array([True, False])
    turn = Turn(sells, 2.5 * one, one, one, 9 * one, 9 * one, one, one, one, one, 9 * one, np.ones((2, FACTORS)), np.zeros(2, np.intp))
    nearest_shares(turn, curves, Terms(1.0, 1.0, 0.0, 0.0, 1.0))
    used(curves, entries[1], np.ones(1))


def _model() -> Model:
    """Every name with a lot at a loss and one at a gain, and a budget that makes two lots tie."""
    count = np.arange(NAMES, dtype=np.float64)
    name, option = np.repeat(np.arange(NAMES), 2), np.repeat(np.arange(NAMES), 2)
    gain = np.tile([0.3, 0.3], NAMES)
    exposures = np.column_stack([0.1 + 0.01 * count, 0.05 * np.cos(count)])
    held, target = np.full(NAMES, 0.16), 0.1 + 0.02 * count
    sell = np.column_stack([np.full(2 * NAMES, -0.999), gain])
    buy = np.column_stack([np.full(NAMES, 1.001), np.zeros(NAMES)])
    return Model(
        risk=40.0,
        names=Names(held, target, exposures, np.full(NAMES, 0.05), np.full(NAMES, 1e-3), np.full(NAMES, 1.0)),
        lots=Lots(name, np.full(2 * NAMES, 0.08), 0.2 * gain + 1e-3),
        options=Options(
            name=option,
            buys=np.tile([True, False], NAMES),
            slot_option=np.repeat(1 + 2 * np.arange(NAMES), 2),
            slot_lot=np.arange(2 * NAMES),
            slot_forced=np.zeros(2 * NAMES, dtype=np.bool_),
        ),
        rows=Rows(sell, buy, np.array([0.01, 0.005]), np.zeros(2), np.array([np.inf, np.inf])),
        weights=WeightRows(np.ones((NAMES, 1)), np.array([0.98]), np.zeros(1), np.array([np.inf])),
    )


def _counted(model: Model) -> Model:
    """At most three names traded: every name may also hold."""
    options = model.options
    name = np.repeat(np.arange(NAMES), 3)
    kind = np.tile(np.arange(3), NAMES)
    uses = np.zeros((3 * NAMES, 3))
    uses[:, 2] = kind > 0
    rows = model.rows
    return replace(
        model,
        options=replace(options, name=name, buys=kind == 1, slot_option=np.repeat(2 + 3 * np.arange(NAMES), 2)),
        rows=Rows(
            sell=np.column_stack([rows.sell, np.zeros(2 * NAMES)]),
            buy=np.column_stack([rows.buy, np.zeros(NAMES)]),
            bound=np.append(rows.bound, 3.0),
            floor=np.zeros(3),
            ceiling=np.full(3, np.inf),
            uses=uses,
        ),
    )


def main() -> int:
    """Compile, and say how long it took."""
    started = time.process_time()
    warm_up()
    sys.stdout.write(f"kernels ready after {time.process_time() - started:.1f} s of CPU\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
