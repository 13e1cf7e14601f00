"""Small random models with all that the dual method knows: ranges, impact, prices, uses, groups, rows on weights, a tracking cap."""

from dataclasses import replace
from typing import Any

import numpy as np

from services.optimizer.core.dual.model import Lots, Model, Names, Options, Rows, WeightRows, validated

INF = float("inf")


def extended_model(seed: int, names: int = 6, capped: bool = True, counts: bool = True, elastic: bool = False) -> Model:
    """The last two names are one group with a side that buys and one that harvests; a hold option for every name."""
    rng = np.random.default_rng(seed)
    lot_counts = rng.integers(0, 4, names)
    lot_name = np.repeat(np.arange(names), lot_counts)
    size = rng.uniform(0.01, 0.1, len(lot_name))
    size /= max(size.sum() * 1.05, 1.0)
    tax = rng.choice([0.238, 0.408], len(size)) * rng.uniform(-0.5, 0.5, len(size))
    spread = rng.uniform(1e-4, 8e-4, names)
    held = np.bincount(lot_name, size, names).astype(np.float64)
    target = rng.uniform(0.2, 1, names) / (0.6 * names)
    options, uses, price = _options(rng, names, lot_name, size, held, capped)
    cash_sell, cash_buy = -(1 - spread[lot_name]), 1 + spread
    columns = [(cash_sell, cash_buy, rng.uniform(0.01, 0.1), INF)]
    columns.append((tax, np.zeros(names), max(0.0, rng.uniform(-0.02, 0.02)), INF if rng.random() < 0.5 else 0.3))
    columns.append((np.zeros(len(size)), np.zeros(names), float(rng.integers(2, names + 1)), INF))
    rows = Rows(
        np.column_stack([c[0] for c in columns]).reshape(len(size), -1),
        np.column_stack([c[1] for c in columns]),
        np.array([c[2] for c in columns]),
        np.zeros(3),
        np.array([c[3] for c in columns]),
        uses if counts else np.zeros_like(uses),
    )
    membership = (rng.random((names, 2)) < 0.5).astype(np.float64)
    weights = WeightRows(
        np.hstack([membership, -membership[:, :1]]),
        np.append(membership.T @ target + rng.uniform(0.0, 0.1, 2), -(membership[:, 0] @ held) + 0.05),
        np.zeros(3),
        np.array([INF, 0.02, INF]),
    )
    exposures, specific = rng.normal(0, 0.1, (names, 3)), rng.uniform(0.02, 0.16, names)
    active = held - target
    now = float(np.sqrt(np.sum((exposures.T @ active) ** 2) + active @ (specific * active)))
    return validated(
        Model(
            risk=float(rng.choice([2.0, 40.0, 200.0])),
            names=Names(held, target, exposures, specific, spread, np.full(names, 0.5), rng.uniform(0, 0.5, names)),
            lots=Lots(lot_name, size, tax + spread[lot_name]),
            options=replace(options, price=price),
            rows=rows,
            weights=weights,
            te_cap=max(now * rng.uniform(0.5, 1.2), 1e-3) if capped else INF,
            te_ceiling=50.0 if elastic else INF,
        )
    )


def _options(rng: np.random.Generator, names: int, lot_name: Any, size: Any, held: Any, priced: bool) -> tuple[Options, Any, Any]:
    """Each name alone holds, buys at least something, sells at least something but not all, or sells all; then a group of two names."""
    table: list[tuple[int, int, int, bool, list[tuple[int, bool]], float, float, float]] = []
    for i in range(names - 2):
        own = [int(lot) for lot in np.flatnonzero(lot_name == i)]
        least, most = rng.uniform(0.0, 0.02), rng.uniform(0.1, 0.3)
        table.append((i, i, i, False, [], 0.0, INF, 0.0))
        table.append((i, i, i, True, [], least, most, 1.0))
        if held[i] > 2 * least:
            table.append((i, i, i, False, [(lot, False) for lot in own], least, held[i] - least, 1.0))
        if own:
            table.append((i, i, i, False, [(lot, True) for lot in own], 0.0, INF, 1.0))
            table.append((i, i, i, False, [(lot, lot == own[0]) for lot in own], 0.0, INF, 1.0))
    for side in (names - 2, names - 1):
        for i in (names - 2, names - 1):
            own = [int(lot) for lot in np.flatnonzero(lot_name == i)]
            table.append((names - 2, side, i, False, [], 0.0, INF, 0.0))
            if side == names - 2:
                table.append((names - 2, side, i, True, [], 0.0, 0.2, 1.0))
            elif own:
                table.append((names - 2, side, i, False, [(lot, False) for lot in own], 0.0, INF, 1.0))
    slots = [(o, lot, forced) for o, row in enumerate(table) for lot, forced in row[4]]
    by_slot = list(zip(*slots, strict=True)) or [(), (), ()]
    uses = np.zeros((len(table), 3))
    uses[:, 2] = [row[7] for row in table]
    options = Options(
        name=np.array([row[2] for row in table], dtype=np.intp),
        buys=np.array([row[3] for row in table]),
        slot_option=np.array(by_slot[0], dtype=np.intp),
        slot_lot=np.array(by_slot[1], dtype=np.intp),
        slot_forced=np.array(by_slot[2], dtype=np.bool_),
        least=np.array([row[5] for row in table]),
        most=np.array([row[6] for row in table]),
        side=np.array([row[1] for row in table], dtype=np.intp),
        group=np.array([row[0] for row in table], dtype=np.intp),
    )
    return options, uses, uses[:, 2] * (1e-3 if priced else 0.0)


def one_choice(model: Model, chosen: list[int]) -> Model:
    """The convex problem that a choice of options leaves: each name alone, with that option only."""
    options = model.options
    one = np.isin(np.arange(len(options.name)), chosen)
    slots, number = one[options.slot_option], np.cumsum(one) - 1
    at = np.argsort(options.name[one], kind="stable")
    place = np.argsort(at)
    slot_option = place[number[options.slot_option[slots]]]
    order = np.argsort(slot_option, kind="stable")
    kept = Options(
        name=options.name[one][at],
        buys=options.buys[one][at],
        slot_option=slot_option[order],
        slot_lot=options.slot_lot[slots][order],
        slot_forced=options.slot_forced[slots][order],
        least=options.least[one][at],
        most=options.most[one][at],
        price=options.price[one][at],
    )
    return validated(replace(model, options=kept, rows=replace(model.rows, uses=model.rows.uses[one][at])))
