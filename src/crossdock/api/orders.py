# SPDX-License-Identifier: Apache-2.0
"""Orders: `POST /v1/orders` places one, `:validate` only says what it would be; they are listed, read and cancelled.

A plain ASGI handler. An order is checked by what is in memory, kept in the journal like any other document, and
answered after the commit; no ERP is asked. From there on it goes the path of every order (`flow.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from hashlib import blake2b

import asyncpg
import msgspec

from crossdock.api.availability import AvailabilityHandler
from crossdock.api.body import decoded
from crossdock.api.deadline import InTime
from crossdock.api.idempotency import idempotency_key
from crossdock.api.order_cart import cart
from crossdock.api.order_door import OrderDoor, invalid
from crossdock.api.plain import (
    HeaderList,
    NotAllowed,
    Receive,
    Scope,
    Send,
    answer,
    not_found,
    read_json,
    read_json_if_any,
)
from crossdock.api.query import number, parameters
from crossdock.canonical.objects import encode
from crossdock.errors import CrossdockError, EngineAway, NeedsEdit, Refused
from crossdock.governance.caller import Caller, caller_of
from crossdock.intake.hooks import MOST_REJECTIONS
from crossdock.orders.draft import Identity, new_identity
from crossdock.orders.life import STATES
from crossdock.orders.listing import MOST as MOST_LISTED
from crossdock.orders.listing import Wanted, list_orders
from crossdock.orders.placed import answer_kept, asked_of, interface_of, placing
from crossdock.orders.request import OrderRequest
from crossdock.orders.standing import Standing, no_such_order, standing
from crossdock.orders.withdraw import ENDING, WithdrawRequest, cancel_stuck, withdrawing
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.postgres import away
from crossdock.sdk.receiving import Incoming, KeepResult

PATH = "/v1/orders"
VALIDATE_PATH = "/v1/orders:validate"
# 10,000 lines of 400 bytes.
MOST_BODY = 4 * 1024 * 1024
_PATIENCE = 5.0
_LONGEST_NAME = 200
_CANCEL = ":cancel"
_PARAMETERS = frozenset({"customer", "po_number", "sku", "state", "limit", "cursor"})
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")
_REVALIDATE = (b"cache-control", b"no-cache")
_REPLAYED = (b"idempotency-replayed", b"true")
_REQUEST = msgspec.json.Decoder(OrderRequest)
_WITHDRAW = msgspec.json.Decoder(WithdrawRequest)

Count = Callable[[str, str], None]


class OrdersHandler:
    """Takes orders at `door` and keeps them by `commit`. `counted` is told (verb, outcome) of each call."""

    def __init__(
        self,
        door: OrderDoor,
        commit: GroupCommit[Incoming, KeepResult],
        pool: asyncpg.Pool,
        stock: AvailabilityHandler,
        now: Callable[[], datetime],
        counted: Count,
    ) -> None:
        self._door = door
        self._commit = commit
        self._pool = pool
        self._stock = stock
        self._now = now
        self._counted = counted
        self.rejections: list[tuple[str, str, str, int]] = []
        """Orders refused at the door, to be counted: interface, rule, reason, size."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are raised, see `api.plain.answering`."""
        path: str = scope["path"]
        if path == PATH:
            _only(scope, "GET", "POST")
            if scope["method"] == "POST":
                await self._count("place", self._place(scope, receive, send))
            else:
                await self._count("list", self._list(scope, send))
        elif path == VALIDATE_PATH:
            _only(scope, "POST")
            await self._count("validate", self._validate(scope, receive, send))
        elif path.startswith(f"{PATH}/") and path.endswith(_CANCEL):
            _only(scope, "POST")
            name = path[len(PATH) + 1 : -len(_CANCEL)]
            await self._count("cancel", self._cancel(name, scope, receive, send))
        elif path.startswith(f"{PATH}/"):
            _only(scope, "GET")
            await self._count("read", self._read(path[len(PATH) + 1 :], scope, send))
        else:
            raise not_found(scope)

    async def _place(self, scope: Scope, receive: Receive, send: Send) -> str:
        caller, key = caller_of(scope), idempotency_key(scope)
        body = await read_json(scope, receive, MOST_BODY)
        request = decoded(_REQUEST, body)
        asked = asked_of(request)
        identity = new_identity(self._now())
        checked = self._door.check(request, body, identity, caller)
        async with InTime():
            if checked.placed is None or checked.failures:
                # Taken in once, an order is not refused later for what has changed since.
                before = await self._answer_of(request.channel, key, caller.consumer, asked)
                if before is None:
                    self._reject(request.channel, checked.failures[0], len(body))
                    raise invalid(checked.failures)
                return await _told_again(send, before)
            made = placing(checked.placed, identity.id, asked, key, caller.consumer)
            kept = await self._commit.submit(made.incoming)
            if kept.duplicate:
                before = await self._answer_of(request.channel, key, caller.consumer, asked)
                if before is None:
                    raise EngineAway("the order that was placed under this key cannot be read")
                return await _told_again(send, before)
        await answer(send, 201, made.answer, [_JSON, _NO_STORE, _location(identity.id)])
        return "done"

    async def _answer_of(self, channel: str, key: str, consumer: str, asked: int) -> bytes | None:
        async with self._connection() as conn:
            return await answer_kept(conn, channel, key, consumer, asked)

    def _reject(self, channel: str, error: NeedsEdit, size: int) -> None:
        if len(self.rejections) < MOST_REJECTIONS:
            self.rejections.append((interface_of(channel), error.rule, error.reason[:1000], size))

    async def _validate(self, scope: Scope, receive: Receive, send: Send) -> str:
        body = await read_json(scope, receive, MOST_BODY)
        request = decoded(_REQUEST, body)
        caller = caller_of(scope)
        channel = self._door.channel(request.channel, caller)
        checked = self._door.check(request, body, Identity("cart", self._now()), caller)
        made = await cart(self._door, channel, checked, self._stock)
        age = (b"age", b"%d" % max(made.catalog.age_seconds, made.stock.age_seconds if made.stock else 0.0))
        await answer(send, 200, encode(made), [_JSON, _NO_STORE, age])
        return "done" if made.valid else "refused"

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

    async def _list(self, scope: Scope, send: Send) -> str:
        wanted = wanted_of(scope.get("query_string", b""), caller_of(scope))
        async with InTime(), self._connection() as conn:
            page = await list_orders(conn, wanted)
        await answer(send, 200, encode(page), [_JSON, _NO_STORE])
        return "done"

    async def _cancel(self, name: str, scope: Scope, receive: Receive, send: Send) -> str:
        raw = await read_json_if_any(scope, receive)
        reason = decoded(_WITHDRAW, raw).reason if raw else ""
        async with InTime():
            found = await self._standing(name, caller_of(scope))
            made = withdrawing(found, reason, self._now(), self._door.channels)
            if made is None:
                await answer(send, 200, encode(found.view), [_JSON, _NO_STORE])
                return "repeated"
            kept = await self._commit.submit(made)
            found = await self._standing(found.order.order_key, caller_of(scope))
        if kept.duplicate and found.view.state not in ENDING:
            raise cancel_stuck(found)
        await answer(send, 202, encode(found.view), [_JSON, _NO_STORE, _location(found.view.id)])
        return "repeated" if kept.duplicate else "done"

    async def _standing(self, name: str, caller: Caller) -> Standing:
        """The order called `name`; one that is not the caller's is not there."""
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise no_such_order(name)
        async with self._connection() as conn:
            channels = [one for one in self._door.channels if caller.sees_channel(one)]
            return await standing(conn, name, channels, partial(self._door.sees, caller))

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
    await answer(send, 201, before, [_JSON, _NO_STORE, _location(one), _REPLAYED])
    return "repeated"


def _location(one: str) -> tuple[bytes, bytes]:
    return b"location", f"{PATH}/{one}".encode()


def wanted_of(query: bytes, caller: Caller) -> Wanted:
    """The caller's orders that a query string asks for. Raises Refused."""
    found = parameters(query, _PARAMETERS)
    state = found.get("state", "")
    if state and state not in STATES:
        raise Refused(f"{state[:50]!r} is no state", field="state", rule="parameter", fix=f"put {' or '.join(STATES)}")
    return Wanted(
        customer=found.get("customer", ""),
        po_number=found.get("po_number", ""),
        sku=found.get("sku", ""),
        state=state,
        channels=caller.channels,
        customers=caller.customers,
        limit=number(found, "limit", 50, MOST_LISTED),
        cursor=found.get("cursor", ""),
    )


def _only(scope: Scope, *allowed: str) -> None:
    if scope["method"] not in allowed:
        raise NotAllowed(scope["method"], ", ".join(allowed))
