# SPDX-License-Identifier: Apache-2.0
"""A subscriber's endpoint with its own idea of Standard Webhooks, that fails, hangs and answers as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from aiohttp import web

from crossdock.journal.audit import Author
from crossdock.journal.record import Event, record_events
from crossdock.runtime.clock import now
from crossdock.runtime.outward import Reach
from crossdock.subscriptions.change import Wish, create, subscription
from crossdock.subscriptions.drive import WebhookDriver

HERE = Reach(loopback=True)
JO = Author(by="jo", origin="api")


class Got:
    """A request: who of the secrets signed it, and what it said."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self.event: dict[str, Any] = json.loads(body)
        self.id = headers["webhook-id"]
        self.key: str = self.event["subject"]
        self.at = now()
        self.tries = 0
        self.taken = False

    def signed_by(self, secret: str) -> bool:
        """Written from the specification: HMAC-SHA256 over id.timestamp.body, by the base64 behind whsec_."""
        key = base64.standard_b64decode(secret.split("_", 1)[1])
        message = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        wanted = base64.standard_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
        given = [part.split(",", 1) for part in self.headers["webhook-signature"].split(" ")]
        return ["v1", wanted] in given

    @property
    def signatures(self) -> int:
        """How many signatures it carries."""
        return len(self.headers["webhook-signature"].split(" "))


Behave = Callable[[Got], Awaitable[web.StreamResponse] | web.StreamResponse | int]


class Receiver:
    """Everything that came, in order. `behave`: what is answered to a request, 200 unless told otherwise."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.behave: Behave = lambda _: 200
        self.url = ""
        self.open = 0
        self.most_open = 0
        self._tries: dict[tuple[str, str], int] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take one request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        got = Got(request.path, headers, await request.read())
        place = (got.path, got.id)
        got.tries = self._tries[place] = self._tries.get(place, 0) + 1
        self.got.append(got)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            answer: Any = self.behave(got)
            if asyncio.iscoroutine(answer):
                answer = await answer
        finally:
            self.open -= 1
        if isinstance(answer, int):
            answer = web.Response(status=answer)
        got.taken = 200 <= answer.status < 300
        return answer

    def taken(self, path: str = "") -> list[str]:
        """Ids of what was taken, in order, without what came again."""
        return list(dict.fromkeys(one.id for one in self.got if one.taken and one.path.startswith(path)))

    def clear(self) -> None:
        """Forget what came."""
        self.got.clear()
        self._tries.clear()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver()
    app = web.Application(client_max_size=2**21)
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


class House:
    """Subscriptions on a database, driven by hand."""

    def __init__(self, pool: asyncpg.Pool, receiver: Receiver) -> None:
        self.pool = pool
        self.receiver = receiver
        self.tries: list[str] = []
        self.driver = self.another("worker-1")

    def another(self, name: str) -> WebhookDriver:
        """A driver of this name."""
        return WebhookDriver(
            self.pool, HERE, "/crossdock/test", name, asyncio.Event(), lambda kind, _: self.tries.append(kind)
        )

    async def subscribe(self, path: str = "/hook", *types: str, **wish: Any) -> tuple[str, str]:
        """A subscription's id and secret."""
        async with self.pool.acquire() as conn, conn.transaction():
            wanted = {"consumer": "portal", "url": self.receiver.url + path, "types": types or ("*",), **wish}
            return await create(conn, Wish(**wanted), JO)

    async def tell(self, *keys: str, kind: str = "sales_order.accepted", **data: Any) -> list[str]:
        """An event of each key, each in a transaction of its own; their ids, in the order they were committed."""
        ids = []
        for key in keys:
            async with self.pool.acquire() as conn, conn.transaction():
                body = json.dumps({"n": key, **data}).encode()
                await record_events(conn, [Event(type=kind, key=key, document_id=7, data=body)])
                # By number: as text 999 would come behind 1000.
                newest = "SELECT e.xid::text || '-' || e.id FROM event e ORDER BY e.xid DESC, e.id DESC LIMIT 1"
                ids.append(await conn.fetchval(newest))
        return ids

    async def rounds(self, most: int = 200) -> None:
        """Rounds until there is nothing more to do at this moment."""
        quiet = 0
        for _ in range(most):
            before = len(self.tries)
            # However slow the machine is, a round begins with the lease in hand.
            self.driver._renew_at = 0.0
            more = await self.driver.turn()
            await self.driver.settled()
            quiet = 0 if more or len(self.tries) != before else quiet + 1
            if quiet and (quiet > 10 or not await self._behind()):
                return
            if quiet:
                # Whatever runs in the server (its own housekeeping too) may keep what is committed from being final.
                await asyncio.sleep(0.05)
        raise AssertionError(f"still busy after {most} rounds")

    async def _behind(self) -> bool:
        """Whether an active subscription has not been shown every event that is committed."""
        behind: bool = await self.pool.fetchval(
            "SELECT EXISTS (SELECT FROM subscription s JOIN event e ON (e.xid, e.id) > (s.xid, s.event_id)"
            " WHERE s.state = 'active')"
        )
        return behind

    async def standing(self, one: str) -> asyncpg.Record:
        """The row of a subscription."""
        return await self.pool.fetchrow("SELECT * FROM subscription WHERE id = $1", one)

    async def waiting(self, one: str) -> int:
        """How many webhooks wait for it."""
        number: int = await self.pool.fetchval("SELECT count(*) FROM webhook WHERE subscription_id = $1", one)
        return number


def seconds(moment: datetime) -> str:
    """What webhook-timestamp says of a moment."""
    return str(int(moment.timestamp()))


async def changed(house: House, work: Any, *arguments: Any) -> Any:
    """The result of `work`, done in a transaction of its own."""
    async with house.pool.acquire() as conn, conn.transaction():
        return await work(conn, *arguments)


async def health(house: House, one: str) -> Any:
    """How the endpoint of a subscription does."""
    async with house.pool.acquire() as conn:
        return (await subscription(conn, None, one)).health


async def told(house: House, kind: str) -> list[dict[str, Any]]:
    """The data of every event of a kind, in commit order."""
    rows = await house.pool.fetch("SELECT data FROM event WHERE type = $1 ORDER BY xid, id", kind)
    return [json.loads(row["data"]) for row in rows]
