"""Wait for a condition, never for a time."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.02
LONGEST_S = float(os.environ.get("PMA_TEST_LONGEST_WAIT_S", "inf"))  # for runs in which tests are meant to fail: they need not wait long


async def eventually(condition: Callable[[], T | Awaitable[T]], deadline_s: float = 10.0, what: str = "the condition") -> T:
    """Poll `condition` (plain or async) until it returns something true, and return that; AssertionError after `deadline_s`."""
    deadline_s = min(deadline_s, LONGEST_S)
    end = time.monotonic() + deadline_s
    while True:
        outcome = condition()
        value: T = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not hold within {deadline_s} s; last: {value!r}"
        await asyncio.sleep(POLL_S)
