"""The optimizer's pages, served on a free port from a database of their own, and a browser that looks at them."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from deploy.local import process
from libs.common.bus.memory import MemoryBus
from libs.common.clock import SystemClock
from libs.common.service import Service
from services.optimizer.pool import InlinePool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import compose
from tests.no_skips import skip_or_fail
from tests.waiting import eventually

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class Site:
    """The running service and where its pages are."""

    service: Service
    address: str


@asynccontextmanager
async def site_on(dsn: str) -> AsyncIterator[Site]:
    """The optimizer on the database, its analyses in a process of their own."""
    settings = OptimizerSettings(postgres_dsn=dsn, kafka_bootstrap="unused:1", solver_processes=1, _env_file=None)
    service, app = compose(settings, MemoryBus(), SystemClock(), InlinePool())
    async with app.router.lifespan_context(app), _served(app) as address:
        await eventually(lambda: service.ready, what="partitions assigned")
        yield Site(service, address)
        assert service.failure is None


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[str]:
    port = process.free_ports(1)[0]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    served = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await served


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium that is installed."""
    program = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if program is None:
        skip_or_fail("the page's tests need a Chromium, not installed here")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()


class Looked:
    """A page, and what its console complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
