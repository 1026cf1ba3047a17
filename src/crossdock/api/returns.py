# SPDX-License-Identifier: Apache-2.0
"""Returns: `POST /v1/returns` asks for one, `GET /v1/returns/{id}` says how far it is.

A plain ASGI handler. What is plainly impossible is refused at once; what only the policy does not let pass is kept, and
a person decides. The rest goes the path of every document (`flow.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import blake2b

import asyncpg
import msgspec

from crossdock.api.body import decoded
from crossdock.api.deadline import InTime
from crossdock.api.idempotency import LONGEST_KEY, idempotency_key
from crossdock.api.order_door import OrderDoor, invalid
from crossdock.api.plain import HeaderList, NotAllowed, Receive, Scope, Send, answer, not_found, read_json
from crossdock.canonical.objects import encode
from crossdock.errors import CrossdockError, EngineAway, NeedsEdit, Refused
from crossdock.governance.caller import Caller, caller_of
from crossdock.intake.hooks import MOST_REJECTIONS
from crossdock.orders.placed import interface_of
from crossdock.returns.draft import draft, new_identity
from crossdock.returns.placed import answer_kept, asked_of, requesting
from crossdock.returns.request import ReturnRequest
from crossdock.returns.sold import Sold, read_sold
from crossdock.returns.standing import ReturnStanding, no_such_return, return_standing
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.postgres import away
from crossdock.sdk.receiving import Incoming, KeepResult
from crossdock.translate import check_texts

PATH = "/v1/returns"
# 1,000 lines of 1,000 bytes.
MOST_BODY = 1024 * 1024
_PATIENCE = 5.0
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")
_REVALIDATE = (b"cache-control", b"no-cache")
_REPLAYED = (b"idempotency-replayed", b"true")
_REQUEST = msgspec.json.Decoder(ReturnRequest)


class ReturnsHandler:
    """Takes returns of orders whose channels `door` knows, and keeps them by `commit`. `counted` is told (verb,
    outcome) of each call."""

    def __init__(
        self,
        door: OrderDoor,
        commit: GroupCommit[Incoming, KeepResult],
        pool: asyncpg.Pool,
        now: Callable[[], datetime],
        counted: Callable[[str, str], None],
    ) -> None:
        self._door = door
        self._commit = commit
        self._pool = pool
        self._now = now
        self._counted = counted
        self.rejections: list[tuple[str, str, str, int]] = []
        """Returns refused at the door, to be counted: interface, rule, reason, size."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are raised, see `api.plain.answering`."""
        path: str = scope["path"]
        if path == PATH:
            _only(scope, "POST")
            await self._count("request", self._request(scope, receive, send))
        elif path.startswith(f"{PATH}/"):
            _only(scope, "GET")
            await self._count("read", self._read(path[len(PATH) + 1 :], scope, send))
        else:
            raise not_found(scope)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> str:
        caller, key = caller_of(scope), idempotency_key(scope)
        body = await read_json(scope, receive, MOST_BODY)
        request = decoded(_REQUEST, body)
        digest = asked_of(request)
        async with InTime():
            check_texts(request, body)
            async with self._connection() as conn:
                sold = await self._sold(conn, request.order, caller)
                interface = interface_of(sold.order.channel)
                before = await answer_kept(conn, interface, key, caller.consumer, digest)
            if before is not None:
                return await _told_again(send, before)
            asked = draft(request, new_identity(self._now()), sold, self._door.rules.catalog.products)
            if isinstance(asked, list):
                self._reject(interface, asked[0], len(body))
                raise invalid(asked)
            made = requesting(asked, interface, digest, key, caller.consumer)
            kept = await self._commit.submit(made.incoming)
            if kept.duplicate:
                async with self._connection() as conn:
                    before = await answer_kept(conn, interface, key, caller.consumer, digest)
                if before is None:
                    raise EngineAway("the return that was asked for under this key cannot be read")
                return await _told_again(send, before)
        location = (b"location", f"{PATH}/{asked.return_key.partition('/')[2]}".encode())
        await answer(send, 201, made.answer, [_JSON, _NO_STORE, location])
        return "done"

    async def _sold(self, conn: asyncpg.Connection, name: str, caller: Caller) -> Sold:
        """The order called `name` as it stands; one that is not the caller's is not there."""
        channels = self._channels(caller)
        keys = [name] if "/" in name else [f"{channel}/{name}" for channel in channels]
        if not name.isprintable():
            raise _no_order(name)
        sold = await read_sold(conn, keys, self._door.rules.catalog.products)
        found = next(iter(sold.values()), None)
        if found is None or found.order.channel not in channels or not caller.sees_customer(found.customer):
            raise _no_order(name)
        self._door.age(self._door.channels[found.order.channel])
        return found

    def _reject(self, interface: str, error: NeedsEdit, size: int) -> None:
        if len(self.rejections) < MOST_REJECTIONS:
            self.rejections.append((interface, error.rule, error.reason[:1000], size))

    async def _read(self, name: str, scope: Scope, send: Send) -> str:
        async with InTime():
            found = await self._standing(name, caller_of(scope))
        body = encode(found.view)
        tag = b'W/"%s"' % blake2b(body, digest_size=9).hexdigest().encode()
        headers: HeaderList = [_JSON, _REVALIDATE, (b"etag", tag)]
        for header, value in scope["headers"]:
            if header == b"if-none-match" and tag in value:
                await send({"type": "http.response.start", "status": 304, "headers": headers[1:]})
                await send({"type": "http.response.body", "body": b""})
                return "done"
        await answer(send, 200, body, headers)
        return "done"

    async def _standing(self, name: str, caller: Caller) -> ReturnStanding:
        if not 0 < len(name) <= LONGEST_KEY or not name.isprintable():
            raise no_such_return(name)
        channels = self._channels(caller)
        async with self._connection() as conn:
            found = await return_standing(conn, name, channels, [interface_of(one) for one in channels])
        if not caller.sees_channel(found.view.channel) or not caller.sees_customer(found.customer):
            raise no_such_return(name)
        return found

    def _channels(self, caller: Caller) -> list[str]:
        return [name for name in self._door.channels if caller.sees_channel(name)]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        with away():
            async with self._pool.acquire(timeout=_PATIENCE) as conn:
                yield conn

    async def _count(self, verb: str, work: Awaitable[str]) -> None:
        try:
            self._counted(verb, await work)
        except (Refused, NeedsEdit):
            self._counted(verb, "refused")
            raise
        except CrossdockError:
            self._counted(verb, "away")
            raise


async def _told_again(send: Send, before: bytes) -> str:
    one = msgspec.json.decode(before)["id"]
    await answer(send, 201, before, [_JSON, _NO_STORE, (b"location", f"{PATH}/{one}".encode()), _REPLAYED])
    return "repeated"


def _no_order(name: str) -> Refused:
    return Refused(
        f"there is no order {name[:100]!r} here that goods can come back of",
        field="order",
        rule="return.order_known",
        fix="put the id that the order was answered with, or its order key; one placed a moment ago follows within a "
        "second, one of another channel is returned where it was placed",
    )


def _only(scope: Scope, *allowed: str) -> None:
    if scope["method"] not in allowed:
        raise NotAllowed(scope["method"], ", ".join(allowed))
