# SPDX-License-Identifier: Apache-2.0
"""The tutorial, done as it is written: its files, its commands, and what it promises."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crossdock.runtime.embedded import erase
from crossdock.runtime.spawn import Child

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-order.md"
BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
ERP_PORT = "8490"

pytestmark = [pytest.mark.slow]


class Reader:
    """Someone who follows the tutorial in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        blocks = [
            (block["kind"], block["title"] or "", block["text"].replace(ERP_PORT, port))
            for block in BLOCK.finditer(TUTORIAL.read_text("utf-8"))
        ]
        (folder / ".crossdock").mkdir()
        for _, title, text in blocks:
            if title:
                (folder / title).write_text(text, "utf-8")
        self.commands = [line for kind, _, text in blocks if kind == "sh" for line in text.splitlines()]
        exports = dict(
            pair.split("=", 1) for line in self.commands if line.startswith("export ") for pair in line.split()[1:]
        )
        places = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb", "COLUMNS": "200"}
        ports = {"CROSSDOCK_PORT": str(37_000 + secrets.randbelow(1_000) * 20)}
        given = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "NATS_URL")}
        self.environment = {**given, **exports, **places, **ports}

    def command(self, start: str) -> str:
        """The one command of the tutorial that begins so."""
        [found] = [line for line in self.commands if line.startswith(start)]
        return found

    async def run(self, command: str) -> str:
        """What `command` prints; it must end well."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        return out.decode()

    @asynccontextmanager
    async def left_running(self, start: str, until: str) -> AsyncIterator[None]:
        """A command of the tutorial in a terminal of its own, once it has said `until`."""
        log = self.folder / f"{start.split()[0]}.log"
        inside = f"cd {self.folder} && exec {self.command(start)}"
        stop = ((signal.SIGTERM, 30.0),)
        child = Child(["bash", "-c", inside], stop=stop, environment=self.environment, output=log)
        child.start()
        try:
            async with asyncio.timeout(60):
                while not (log.exists() and until in log.read_text()):
                    assert child.running, log.read_text()
                    await asyncio.sleep(0.05)
            yield
        finally:
            await child.stop()

    async def book(self, **wanted: int) -> dict[str, Any]:
        """The book of the partner's orders, once it says what is `wanted` or a minute is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + 60
        while True:
            answer = json.loads(await self.run("crossdock balance --json"))
            [book] = answer["interfaces"]
            if all(book[name] == value for name, value in wanted.items()) or loop.time() > until:
                return {name: book[name] for name in ("received", "duplicate", "settled", "open", "balanced")}
            await asyncio.sleep(0.3)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


async def test_the_tutorial_keeps_its_word(reader: Reader) -> None:
    assert "nothing to mend" in await reader.run(reader.command("crossdock check"))
    try:
        async with (
            reader.left_running("python -m crossdock.sandbox.serve", '"ready"'),
            reader.left_running("crossdock up", "Crossdock runs"),
        ):
            await _first_order(reader)
    finally:
        erase(reader.folder / ".crossdock")


async def _first_order(reader: Reader) -> None:
    await reader.run(reader.command("crossdock send"))
    book = {"received": 2, "duplicate": 0, "settled": 1, "open": 1, "balanced": True}
    assert await reader.book(settled=1, open=1) == book
    traced = await reader.run(reader.command("crossdock trace"))
    assert "order/partner/1001" in traced
    assert "location MAIN for 2 line(s): it is the default location" in traced
    assert "netsuite" in traced

    await reader.run(reader.command("crossdock send"))
    assert await reader.book() == {**book, "received": 4, "duplicate": 2}

    listed = await reader.run(reader.command("crossdock cases list"))
    assert "SKU 'LANTERN-GREEN' is not in the catalog" in " ".join(listed.split())
    await reader.run(reader.command("crossdock cases edit"))
    mended = {"received": 4, "duplicate": 2, "settled": 2, "open": 0, "balanced": True}
    assert await reader.book(settled=2) == mended
    assert "No open cases" in await reader.run("crossdock cases list")
    assert "balanced" in await reader.run(reader.command("crossdock balance"))

    url = re.search(r"http://127\.0\.0\.1:\d+", (reader.folder / "estate.yaml").read_text())
    assert url is not None
    async with aiohttp.ClientSession() as session, session.get(f"{url[0]}/_sim/sales_orders") as answer:
        orders = (await answer.json())["sales_orders"]
    assert [(one["externalId"], [line["amount"] for line in one["item"]]) for one in orders] == [
        ("partner-1001", [15.3, 6.2]),
        ("partner-1002", [11.2]),
    ]
