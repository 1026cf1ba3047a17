# SPDX-License-Identifier: Apache-2.0
"""Stands between the door and the routes: who calls what is counted, and what ends says so with every answer."""

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any

from crossdock.api.access_table import AccessTable, Route
from crossdock.api.plain import App, Receive, Scope, Send, answering
from crossdock.api.route_life import Endings, RouteEnding, name_of
from crossdock.errors import Refused
from crossdock.governance.caller import caller_of
from crossdock.governance.route_usage import RouteTally

_PLACE = "crossdock.route"


def found_route(scope: MutableMapping[str, Any], route: Route) -> None:
    """Note in an ASGI scope which route takes its request, so that it is looked for once."""
    scope[_PLACE] = route


class RouteWatch:
    """Counts requests of routes in `tally` by who makes them, and tells those of `endings` that their route ends.

    What no route takes, and what the door refuses, is not counted.
    """

    def __init__(self, tally: RouteTally, endings: Endings) -> None:
        self._tally = tally
        self._endings = endings
        self._table = AccessTable()

    def before(self, inside: App) -> App:
        """`inside`, with its requests counted."""
        table, endings, add = self._table, self._endings, self._tally.add

        def watched(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            route: Route | None = scope.get(_PLACE) or table.find(scope["method"], scope["path"])
            if route is None:
                return inside(scope, receive, send)
            add(caller_of(scope).consumer, route.method, route.path)
            ending = endings.get(route) if endings else None
            if ending is None:
                return inside(scope, receive, send)
            return _told(inside, route, ending)(scope, receive, send)

        return watched


def _told(inside: App, route: Route, ending: RouteEnding) -> App:
    """`inside` for one request of a route that ends: every answer has the notices; a retired route only refuses."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def telling(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *ending.notices]
            await send(message)

        answered = answering(_gone(route, ending)) if ending.retired else inside
        await answered(scope, receive, telling)

    return app


def _gone(route: Route, ending: RouteEnding) -> App:
    async def gone(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise Refused(
            f"{name_of(route)} is retired",
            status=410,
            rule="route.retired",
            fix=f"use {ending.replaced_by} instead" if ending.replaced_by else "see /openapi.json for all routes",
        )

    return gone
