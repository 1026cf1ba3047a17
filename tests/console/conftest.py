# SPDX-License-Identifier: Apache-2.0
"""The console on a free loopback port over a real database, and a real Chromium to look at it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from playwright.async_api import Page, async_playwright

from crossdock.catalog.cache import Catalog
from crossdock.console import bundle
from crossdock.console.routes import routes
from crossdock.inventory.rules import ChannelRule, Held, StockRules
from crossdock.inventory.view import StockView
from tests.console.filling import Filling

STOCK = StockRules(
    version="routing/1",
    channels={
        "shopify-us": ChannelRule(
            name="shopify-us", system="shopify-us", locations=("DC-EAST", "DC-WEST"), held=Held(safety=1), priority=2
        ),
        "portal": ChannelRule(
            name="portal", system="portal", locations=("DC-EAST", "DC-WEST"), held=Held(keep=5), priority=1, summed=True
        ),
    },
    governed=True,
    locations=("DC-EAST", "DC-WEST"),
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture
async def filling(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    """Puts rows into the test's database; the interfaces are there."""
    async with pool.acquire() as conn:
        rows = Filling(conn)
        await rows.interfaces()
        yield rows


@pytest_asyncio.fixture
async def console(pool: asyncpg.Pool) -> AsyncIterator[str]:
    """The address of a running console."""
    app = Litestar(route_handlers=routes(), openapi_config=None)
    app.state.pool = pool
    app.state.stock_view = StockView(STOCK, Catalog())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    await _answers(port)
    yield f"http://127.0.0.1:{port}/console"
    server.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    if "console_feed" in app.state:
        await app.state.console_feed.close()


async def _answers(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError(f"the console does not listen on port {port}")


@pytest_asyncio.fixture
async def web(console: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the console that is no browser."""
    async with aiohttp.ClientSession(base_url=console + "/") as session:
        yield session


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The debugging address of one Chromium for all tests of this process; each test gets a fresh profile in it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    if not bundle.address("console.js"):
        pytest.skip("the console's scripts are not built: npm ci && npm run build in src/crossdock/console/assets")
    profile = tmp_path_factory.mktemp("chromium")
    command = [found, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", *ARGUMENTS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{_debugging_port(process, profile / 'DevToolsActivePort')}"
        finally:
            process.terminate()


def _debugging_port(process: subprocess.Popen[bytes], said: Path) -> int:
    for _ in range(600):
        if process.poll() is not None:
            pytest.skip(f"Chromium does not start here: it ended with {process.returncode}")
        if said.exists() and "\n" in (text := said.read_text()):
            return int(text.splitlines()[0])
        time.sleep(0.05)
    raise AssertionError("Chromium said no debugging port within 30 s")


class Browser:
    """Opens pages of the console; remembers what the browser complained about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def open(self, path: str = "") -> Page:
        """Go to a page of the console and wait until its scripts stand."""
        await self.page.goto(self.address + path, wait_until="load")
        return self.page


@pytest_asyncio.fixture
async def browser(console: str, chromium: str) -> AsyncIterator[Browser]:
    """A fresh profile in Chromium; the test fails when the browser had to complain."""
    async with async_playwright() as driver:
        connected = await driver.chromium.connect_over_cdp(chromium)
        context = await connected.new_context(viewport={"width": 1440, "height": 900})
        opened = Browser(await context.new_page(), console)
        opened.page.set_default_timeout(10_000)
        yield opened
        await context.close()
        await connected.close()
    assert opened.complaints == []
