# SPDX-License-Identifier: Apache-2.0
"""The door in front of all routes: who asks, may that one, and how often. Plain ASGI, on the way of every request.

In this order: the credential (401), the plan (429), the route (404, 405), its scope (403), and for costly routes a
place among those there are (503 when none comes free). Only then is the request seen by a route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from crossdock.api.access_table import AccessTable, Route
from crossdock.api.plain import App, NotAllowed, Receive, Scope, Send, answering, not_found
from crossdock.api.route_watch import found_route
from crossdock.errors import Busy, Refused, RetryLater
from crossdock.governance.caller import Caller, let_in
from crossdock.governance.key import PREFIX
from crossdock.governance.keyring import KeyRing
from crossdock.governance.refusal import NotAllowedTo, TooMuch, UnknownCaller
from crossdock.governance.share import FairShare
from crossdock.governance.tokens import Tokens

_KEY = PREFIX.encode()
LONGEST = 60.0
_HOW = "send `Authorization: Bearer KEY` with an API key or an access token"

log = structlog.get_logger(__name__)

Counted = Callable[[str, str], None]
"""Told (consumer or "", outcome) of each request."""


class Door:
    """Lets requests in to `inside`. `places`: those that costly routes share."""

    def __init__(self, keys: KeyRing, tokens: Tokens, places: FairShare, counted: Counted) -> None:
        self._keys = keys
        self._tokens = tokens
        self._places = places
        self._counted = counted
        self._table = AccessTable()

    def before(self, inside: App) -> App:
        """`inside`, reached only by who may."""
        keys, tokens, counted = self._keys, self._tokens, self._counted

        async def door(scope: Any, receive: Receive, send: Send) -> None:
            try:
                credential = _credential(scope)
                admitted = keys.admit(credential) if credential.startswith(_KEY) else await tokens.admit(credential)
            except UnknownCaller:
                counted("", "unknown")
                raise
            caller, meter = admitted.caller, admitted.meter
            try:
                headers = meter.begin()
            except TooMuch:
                counted(caller.consumer, "limited")
                raise

            # No coroutine of its own: this is on the way of every answer.
            def telling(message: dict[str, Any]) -> Awaitable[None]:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *headers]
                return send(message)

            outcome = "let_in"
            try:
                route = self._route(scope, caller)
                let_in(scope, caller)
                found_route(scope, route)
                if route.costly:
                    async with self._places.place(caller.plan, meter.limits.weight):
                        await _in_time(inside, scope, receive, telling)
                else:
                    await inside(scope, receive, telling)
            except Refused as error:
                outcome = "forbidden" if error.status == 403 else "not_found"
                raise
            except (Busy, RetryLater):
                outcome = "busy"
                raise
            finally:
                meter.end()
                counted(caller.consumer, outcome)

        return answering(door)

    def _route(self, scope: Scope, caller: Caller) -> Route:
        method, path = scope["method"], scope["path"]
        route = self._table.find(method, path)
        if route is None:
            others = self._table.methods(path)
            raise NotAllowed(method, ", ".join(others)) if others else not_found(scope)
        if route.scope not in caller.scopes:
            raise NotAllowedTo(caller.consumer, route.scope)
        return route


async def _in_time(inside: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer within LONGEST seconds, so that nobody keeps a place by sending or reading slowly."""
    begun = False

    async def beginning(message: dict[str, Any]) -> None:
        nonlocal begun
        begun = True
        await send(message)

    limit = asyncio.timeout(LONGEST)
    try:
        async with limit:
            await inside(scope, receive, beginning)
    except TimeoutError as error:
        if not limit.expired():
            raise  # a time-out of what was asked for, not ours
        if not begun:
            said = f"the request was not done within {LONGEST:g} seconds"
            raise RetryLater(said, after=1.0, rule="access.time") from error
        # An answer that was begun breaks off: it cannot be taken back.
        log.warning("api.answer_cut", path=scope["path"][:300])


def _credential(scope: Scope) -> bytes:
    shown: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if shown is not None:
                raise _not_one()
            shown = value
    if shown is None:
        raise UnknownCaller("no credential came with the request", rule="access.missing", fix=_HOW, given=False)
    kind, _, credential = shown.partition(b" ")
    if kind.lower() != b"bearer" or not (credential := credential.strip()):
        raise _not_one()
    return bytes(credential)


def _not_one() -> UnknownCaller:
    return UnknownCaller("the header Authorization is not one bearer credential", rule="access.form", fix=_HOW)
