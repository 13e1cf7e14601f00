"""How the kernels of the dual are compiled: to machine code once, kept beside the source or where NUMBA_CACHE_DIR says.

No fast-math and no threads: sums are taken in the order that is written, so the same arguments give the same bytes.

A kernel's machine code holds that of the kernels it calls, and numba looks at the time of its own file alone: a kernel kept from before
would go on with an old version of what it calls.  So a kernel is kept under a stamp of its own code and of the stamps and numbers it uses.

Invariants
1. What is read from the cache was compiled from the code as it stands now, called kernels included.
"""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import IndexDataCacheFile

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT) -> FunctionT:
    """The function as machine code; compiled when first called, or read from its cache."""
    kernel: Any = numba.njit(cache=True, error_model="numpy")(function)
    kernel._cache._cache_file = _Index(function, kernel._cache)
    return cast(FunctionT, kernel)


def stamp_of(function: Callable[..., Any]) -> str:
    """Changes with the function's code, with the numbers it reads from its module and with the kernels it calls."""
    code = function.__code__
    parts = [code.co_code.hex(), repr(code.co_consts), repr(code.co_varnames), repr(code.co_names)]
    for name in code.co_names:
        used = function.__globals__.get(name)
        if isinstance(used, int | float | str):
            parts.append(f"{name}={used!r}")
        elif isinstance(used, numba.core.dispatcher.Dispatcher):
            parts.append(f"{name}={stamp_of(used.py_func)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class _Index(IndexDataCacheFile):
    """Numba's index of what is kept, under a stamp that is taken when it is read: a kernel may be defined before those it calls."""

    def __init__(self, function: Callable[..., Any], cache: Any) -> None:
        self.function = function
        super().__init__(cache_path=cache._cache_path, filename_base=cache._impl.filename_base, source_stamp=None)  # type: ignore[no-untyped-call]

    @property
    def _source_stamp(self) -> str:
        return stamp_of(self.function)

    @_source_stamp.setter
    def _source_stamp(self, _: object) -> None:
        """Numba would set the time of the file."""
