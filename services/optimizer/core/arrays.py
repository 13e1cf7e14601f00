"""The array types of the optimizer's float64 world, and how an array is made unchangeable."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]
ArrayT = TypeVar("ArrayT", bound=NDArray[Any])


def frozen(array: ArrayT) -> ArrayT:
    """The same array, refused to whoever would write into it."""
    array.flags.writeable = False
    return array
