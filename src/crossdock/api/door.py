# SPDX-License-Identifier: Apache-2.0
"""The door in front of all routes: who asks, may that one, and how often. Plain ASGI, on the way of every request.

In this order: the credential (401), the plan (429), the route (404, 405), its scope (403), and for costly routes a
place among those there are (503 when none comes free). Only then is the request seen by a route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from crossdock.api.access_table import AccessTable, Route
from crossdock.api.plain import App, NotAllowed, Receive, Scope, Send, answering, not_found
from crossdock.errors import Busy, Refused, RetryLater
from crossdock.governance.caller import let_in
from crossdock.governance.consumers import Admitted
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

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            await self._enter(inside, scope, receive, send)

        return answering(door)

    async def _enter(self, inside: App, scope: Any, receive: Receive, send: Send) -> None:
        try:
            admitted = await self._who(scope)
        except UnknownCaller:
            self._counted("", "unknown")
            raise
        caller, meter = admitted.caller, admitted.meter
        try:
            meter.begin()
        except TooMuch:
            self._counted(caller.consumer, "limited")
            raise
        outcome = "let_in"
        try:
            route = self._route(scope, admitted)
            let_in(scope, caller)
            headers = meter.headers()

            async def telling(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start" and headers:
                    message["headers"] = [*message["headers"], *headers]
                await send(message)

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
            self._counted(caller.consumer, outcome)

    async def _who(self, scope: Scope) -> Admitted:
        credential = _credential(scope)
        if credential.startswith(_KEY):
            return self._keys.admit(credential)
        return await self._tokens.admit(credential)

    def _route(self, scope: Scope, admitted: Admitted) -> Route:
        method, path = scope["method"], scope["path"]
        route = self._table.find(method, path)
        if route is None:
            others = self._table.methods(path)
            raise NotAllowed(method, ", ".join(others)) if others else not_found(scope)
        if route.scope not in admitted.caller.scopes:
            raise NotAllowedTo(admitted.caller.consumer, route.scope)
        return route


async def _in_time(inside: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer within LONGEST seconds, so that nobody keeps a place by sending or reading slowly."""
    begun = False

    async def beginning(message: dict[str, Any]) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        async with asyncio.timeout(LONGEST):
            await inside(scope, receive, beginning)
    except TimeoutError as error:
        if not begun:
            said = f"the request was not done within {LONGEST:g} seconds"
            raise RetryLater(said, after=1.0, rule="access.time") from error
        # An answer that was begun breaks off: it cannot be taken back.
        log.warning("api.answer_cut", path=scope["path"][:300])


def _credential(scope: Scope) -> bytes:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if not found:
        raise UnknownCaller("no credential came with the request", rule="access.missing", fix=_HOW, given=False)
    kind, _, credential = found[0].partition(b" ")
    if len(found) > 1 or kind.lower() != b"bearer" or not (credential := credential.strip()):
        raise UnknownCaller("the header Authorization is not one bearer credential", rule="access.form", fix=_HOW)
    return bytes(credential)
