"""A convex quadratic programme with a diagonal curvature, and rows as they are added to one."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]  # has no stubs

from services.optimizer.core.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Quadratic:
    """1/2 x'Px + c'x + constant, Ax = b, Gx <= h, low <= x <= high."""

    p: sp.csc_matrix
    c: Floats
    constant: float
    a: sp.csc_matrix
    b: Floats
    g: sp.csc_matrix
    h: Floats
    low: Floats
    high: Floats


class RowList:
    """Coordinates of rows as they are added."""

    def __init__(self, width: int) -> None:
        self.width, self.count = width, 0
        self.row: list[Ints] = []
        self.column: list[Ints] = []
        self.value: list[Floats] = []
        self.bound: list[Floats] = []

    def add(self, bound: Floats, *parts: tuple[Ints, Ints, Floats]) -> None:
        """As many rows as `bound`; each part: row (from 0 here), column, value."""
        for row, column, value in parts:
            self.row.append(row + self.count)
            self.column.append(column)
            self.value.append(np.broadcast_to(np.asarray(value, dtype=np.float64), row.shape))
        self.bound.append(np.asarray(bound, dtype=np.float64))
        self.count += len(bound)

    def matrix(self) -> tuple[sp.csc_matrix, Floats]:
        """The rows and their bounds."""
        if not self.count:
            return sp.csc_matrix((0, self.width)), np.zeros(0)
        coordinates = (np.concatenate(self.row), np.concatenate(self.column))
        return sp.csc_matrix((np.concatenate(self.value), coordinates), shape=(self.count, self.width)), np.concatenate(self.bound)
