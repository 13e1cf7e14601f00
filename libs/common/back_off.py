"""What is done while a dependency is down: wait, longer each time but never long, and try again."""

import asyncio
from collections.abc import Awaitable, Callable

from libs.common.errors import DependencyDown
from libs.common.observe import log


async def back_off(work: Callable[[], Awaitable[None]], first_s: float = 0.1, most_s: float = 10.0) -> None:
    """Run `work` until cancelled; when a dependency is down, wait (doubling, bounded) and run it again."""
    pause_s = first_s
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await work()
        except DependencyDown as error:
            if asyncio.get_running_loop().time() - started > most_s:
                pause_s = first_s
            log().warning("dependency_down", reason=str(error), pause_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(most_s, pause_s * 2)
