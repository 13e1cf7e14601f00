"""Kernels: a symmetric positive definite system, upper half, row by row."""

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.compiled import compiled


@compiled
def factorized(system: Floats, size: int) -> bool:
    """Put U with U'U = system in the upper half of its first `size` rows; false, and the half spoilt, where it isn't positive definite."""
    for j in range(size):
        line = system[j]
        if not line[j] > 0.0:
            return False
        scale = 1.0 / np.sqrt(line[j])
        for k in range(j, size):
            line[k] *= scale
        for i in range(j + 1, size):
            amount, below, tail = line[i], system[i, i:size], line[i:size]
            for k in range(len(tail)):
                below[k] -= amount * tail[k]
    return True


@compiled
def solved(system: Floats, right: Floats) -> None:
    """Put the solution for `right` in its place, the system factorized."""
    size = len(right)
    for j in range(size):
        right[j] /= system[j, j]
        for k in range(j + 1, size):
            right[k] -= system[j, k] * right[j]
    for j in range(size - 1, -1, -1):
        total = right[j]
        for k in range(j + 1, size):
            total -= system[j, k] * right[k]
        right[j] = total / system[j, j]
