# SPDX-License-Identifier: Apache-2.0
"""Which host names API and console answer to while they listen on loopback only.

A page of another site may have its own name point to 127.0.0.1 and then talk to us as its own origin (DNS rebinding).
The browser still sends that name in `Host`, so a loopback listener answers loopback names only. Webhooks are signed and
come through tunnels under other names; they are not asked.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from crossdock.api.plain import App, Receive, Scope, Send, answering
from crossdock.errors import Refused

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MISDIRECTED = 421  # RFC 9110, 15.5.20: not for this server
_REASON = (
    "this server listens on loopback and answers to localhost, 127.0.0.1 and [::1] only; "
    "use one of these, or let it listen elsewhere with --host"
)
_MOST_SEEN = 100


def own_names(address: str) -> frozenset[str] | None:
    """The host names to answer to when listening on `address`; None (any) when it is not a loopback address."""
    name = address.strip("[]").lower()
    return LOOPBACK_NAMES | {name} if _is_loopback(name) else None


def name_of(host: str) -> str:
    """The name in a `Host` header, lower case, without port and brackets; "" when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def answers_to(names: frozenset[str]) -> Guard:
    """A guard for the whole application: refuses requests whose `Host`, on whichever port, is none of `names`."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        if name_of(connection.headers.get("host", "")) not in names:
            raise ClientException(detail=_REASON, status_code=MISDIRECTED)

    return guard


def answering_to(names: frozenset[str] | None, app: App) -> App:
    """The same for a route that is answered as plain ASGI; `names` None: any. Its errors become problem documents."""
    if names is None:
        return answering(app)
    seen: set[bytes] = set()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value for header, value in scope["headers"] if header == b"host"), b"")
        if host not in seen:
            if name_of(host.decode("latin-1")) not in names:
                raise Refused(_REASON, status=MISDIRECTED, rule="misdirected")
            if len(seen) < _MOST_SEEN:
                seen.add(host)
        await app(scope, receive, send)

    return answering(guarded)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
