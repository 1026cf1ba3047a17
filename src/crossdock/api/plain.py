# SPDX-License-Identifier: Apache-2.0
"""Hot routes answered as plain ASGI: reading a request within bounds, answering, problem documents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import structlog

from crossdock.api.problems import MEDIA_TYPE, Problem, describe, encoded, retry_after, unexpected
from crossdock.errors import CrossdockError, Refused, RetryLater
from crossdock.governance.refusal import NotLetIn
from crossdock.intake.hooks import Headers, read_body

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]

READ_SECONDS = 15.0
"""How long a body may take to arrive."""
MOST_SMALL_BODY = 10_000
"""The most bytes of a body that says little."""

_PROBLEM = (b"content-type", MEDIA_TYPE.encode())
_NO_STORE = (b"cache-control", b"no-store")

log = structlog.get_logger(__name__)


async def answer(send: Send, status: int, body: bytes, headers: HeaderList) -> None:
    """Send one whole answer; its length is added."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def read_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a request that says it is JSON, at most `limit` bytes. Refused 415, 413, 408 (it took longer than
    READ_SECONDS to arrive) and 400 (cut off)."""
    headers = Headers(scope["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused(
            f"the body is {kind[:100] or 'of no type'!r}, not JSON",
            status=415,
            rule="media_type",
            fix="send Content-Type: application/json",
        )
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await read_body(receive, headers, limit)
    except TimeoutError as error:
        raise Refused(
            f"the body did not arrive within {READ_SECONDS:g} s",
            status=408,
            rule="body_time",
            fix="send it at once, or ask in several requests",
        ) from error
    except Refused as error:
        if error.rule != "body_size":
            raise
        raise Refused(
            f"the body is larger than the {limit} bytes taken here",
            status=413,
            rule="body_size",
            fix="ask in several requests",
        ) from error


async def read_json_if_any(scope: Scope, receive: Receive) -> bytes:
    """As `read_json`, of a small body that may be left out: then it is empty."""
    headers = Headers(scope["headers"])
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return b""
    return await read_json(scope, receive, MOST_SMALL_BODY)


def answering(app: App) -> App:
    """`app`, whose errors become problem documents as everywhere: Refused with its status, an absent or slow database
    503."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except CrossdockError as error:
            await _refuse(send, scope, error)
        except asyncpg.QueryCanceledError:
            slow = RetryLater("the database took too long to answer", after=1.0, rule="statement_timeout")
            await _refuse(send, scope, slow)
        except Exception:  # edge: a bug must not leave the caller without an answer; the log has the trace
            number = uuid4().hex
            log.exception("api.unexpected", instance=number, path=scope["path"][:300])
            await _problem(send, unexpected(number), [])

    return answered


async def _refuse(send: Send, scope: Scope, error: CrossdockError) -> None:
    problem = describe(error, scope["path"])
    headers: HeaderList = []
    if problem.status == 503:
        log.warning("api.unavailable", path=problem.instance, code=error.code, reason=error.reason)
        headers = [(b"retry-after", b"%d" % retry_after(error))]
    if problem.status == 405 and isinstance(error, NotAllowed):
        headers = [(b"allow", error.allowed.encode())]
    if isinstance(error, NotLetIn):
        headers = [*error.headers]
    await _problem(send, problem, headers)


async def _problem(send: Send, problem: Problem, headers: HeaderList) -> None:
    await answer(send, problem.status, encoded(problem), [_PROBLEM, _NO_STORE, *headers])


class NotAllowed(Refused):
    """The method is none of those this path takes; `allowed` names them as the `Allow` header does."""

    code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method[:20]} is not {allowed}", status=405, rule="method_not_allowed")
        self.allowed = allowed


def not_found(scope: Scope) -> Refused:
    """No such path."""
    return Refused(
        f"there is nothing at {scope['path'][:200]}",
        status=404,
        rule="not_found",
        fix="see /openapi.json for all paths",
    )
