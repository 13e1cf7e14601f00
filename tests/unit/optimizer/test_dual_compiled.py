"""Kept machine code is never older than the code it comes from."""

from types import FunctionType
from typing import Any

from services.optimizer.core.dual import newton
from services.optimizer.core.dual.compiled import compiled, stamp_of


def scale(x: float) -> float:
    return 2.0 * x


def other_scale(x: float) -> float:
    return 3.0 * x


def calls(x: float) -> float:
    return CALLED(x) + NUMBER  # type: ignore[name-defined]  # noqa: F821 (given by `over`)


def over(**names: object) -> FunctionType:
    """`calls` with these names in its module."""
    return FunctionType(calls.__code__, names)


def test_a_stamp_changes_with_the_code_with_numbers_and_with_what_is_called() -> None:
    first, second = compiled(scale), compiled(other_scale)
    stamps = [stamp_of(over(CALLED=called, NUMBER=number)) for called in (first, second) for number in (1.0, 2.0)]
    assert len(set(stamps)) == 4
    assert stamp_of(over(CALLED=compiled(scale), NUMBER=1.0)) == stamps[0]


def test_a_kernel_is_kept_under_its_stamp() -> None:
    """Names private parts of numba: fails where a later version keeps its cache otherwise."""
    kernel: Any = newton.newton_step
    assert kernel._cache._cache_file._source_stamp == stamp_of(kernel.py_func)
    assert stamp_of(newton.newton_step.py_func) != stamp_of(newton._solve_free.py_func)  # type: ignore[attr-defined]
