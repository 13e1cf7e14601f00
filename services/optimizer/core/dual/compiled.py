"""How the kernels of the dual are compiled: to machine code once, kept beside the source or where NUMBA_CACHE_DIR says.

No fast-math and no threads: sums are taken in the order that is written, so the same arguments give the same bytes.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT) -> FunctionT:
    """The function as machine code; compiled when first called, or read from its cache."""
    return cast(FunctionT, numba.njit(cache=True, error_model="numpy")(function))
