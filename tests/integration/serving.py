"""A service's HTTP edge on a free port, for tests of what speaks HTTP to it; the service itself runs already."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from deploy.local import process
from libs.common.app import create_app
from libs.common.service import Service
from libs.common.settings import ServiceSettings
from tests.waiting import eventually


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[str]:
    """The address under which the service answers."""
    port = process.free_ports(1)[0]
    app = create_app(service, ServiceSettings(postgres_dsn="none", kafka_bootstrap="none", port=port))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    served = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await served
