"""A service's event loop: the fast one, whose reading and writing is not Python."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import uvloop
from fastapi import FastAPI

from libs.common.app import serve
from libs.common.service import Service
from libs.common.settings import ServiceSettings


def test_a_service_is_served_in_uvloop() -> None:
    failed = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    @asynccontextmanager
    async def note_and_fail(app: FastAPI) -> AsyncIterator[None]:
        loops.append(asyncio.get_running_loop())
        failed.set()
        yield

    settings = SimpleNamespace(host="127.0.0.1", port=0, log_level="error")
    served = serve(FastAPI(lifespan=note_and_fail), cast(Service, SimpleNamespace(failed=failed)), cast(ServiceSettings, settings))

    assert served == 1
    assert [type(loop) for loop in loops] == [uvloop.Loop]
