# SPDX-License-Identifier: Apache-2.0
"""Webhooks in: `POST /hooks/{system}/{topic}` (Idempotent Receiver). An order from a store enters here.

A plain ASGI handler, because it is the hottest route. The answer is sent after the commit that made the message
durable; requests that arrive together share one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
import structlog

from crossdock.errors import Busy, CrossdockError, EngineAway, NeedsConfig, Refused, Unauthenticated
from crossdock.intake.routes import HookRoute, HookRoutes
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.sdk.receiving import HookRequest, Identified, Incoming, KeepResult, digest_of

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PREFIX = "/hooks/"
_PROBLEM = [(b"content-type", b"application/problem+json")]
_JSON = [(b"content-type", b"application/json")]
_RETRY_SECONDS = b"5"
# Refusals that wait to be counted; more than this while PostgreSQL is away are told to their senders only.
MOST_REJECTIONS = 10_000
_LONGEST_NAME = 300
_DRAINED = 4
_encode = msgspec.json.encode

log = structlog.get_logger(__name__)


class HookIntake:
    """Takes webhooks in. `counted` is told (interface, outcome) of every request, for metrics."""

    def __init__(
        self,
        routes: HookRoutes,
        commit: GroupCommit[Incoming, KeepResult],
        now: Callable[[], datetime],
        counted: Callable[[str, str], None],
    ) -> None:
        self._routes = routes
        self._commit = commit
        self._now = now
        self._counted = counted
        self.rejections: list[tuple[str, str, str, int]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 kept or duplicate, 401, 404, 405, 413, 422, 503; errors are RFC 9457 documents."""
        interface = ""
        try:
            route, system, topic = self._route(scope)
            interface = route.interface
            incoming = await self._read(route, system, topic, scope, receive)
            result = await self._commit.submit(incoming)
        except Refused as error:
            self._counted(interface, "refused")
            await _answer(send, error.status, _problem(error, error.status, scope), _PROBLEM)
        except (EngineAway, Busy, NeedsConfig) as error:
            self._counted(interface, "away")
            headers = [*_PROBLEM, (b"retry-after", _RETRY_SECONDS)]
            await _answer(send, 503, _problem(error, 503, scope), headers)
        except Exception:  # edge: a bug must not leave the sender without an answer; it retries, we keep the trace
            log.exception("intake.failed", interface=interface)
            self._counted(interface, "failed")
            await _answer(send, 500, _problem(CrossdockError("unexpected error"), 500, scope), _PROBLEM)
        else:
            self._counted(interface, "duplicate" if result.duplicate else "kept")
            number = result.document_id
            body = b'{"status":"duplicate"}' if number is None else b'{"status":"kept","document":%d}' % number
            await _answer(send, 200, body, _JSON)

    def _route(self, scope: Scope) -> tuple[HookRoute, str, str]:
        if scope["method"] != "POST":
            raise Refused("webhooks are sent with POST", status=405, rule="method")
        system, _, topic = scope["path"][len(PREFIX) :].partition("/")
        route = self._routes.get((system, topic))
        if route is None:
            raise Refused(
                f"no interface takes topic {topic[:100]!r} of system {system[:100]!r}",
                status=404,
                rule="unknown_interface",
                fix="add the topic to an interface of this system in the estate file, or mend the webhook's address",
            )
        return route, system, topic

    async def _read(self, route: HookRoute, system: str, topic: str, scope: Scope, receive: Receive) -> Incoming:
        headers = Headers(scope["headers"])
        body = await read_body(receive, headers.get("content-length", ""), route.max_bytes)
        request = HookRequest(system=system, topic=topic, headers=headers, body=body, received_at=self._now())
        route.receiver.authenticate(request, route.secrets())
        identified = self._identify(route, request)
        return Incoming(
            interface=route.interface,
            topic=topic,
            dedup_key=identified.dedup_key,
            key=identified.key,
            version=identified.version,
            body=body,
            digest=digest_of(body),
            overtakes=route.overtakes,
            problem=identified.problem,
        )

    def _identify(self, route: HookRoute, request: HookRequest) -> Identified:
        try:
            identified = route.receiver.identify(request)
        except Unauthenticated:
            raise
        except Refused as error:
            if len(self.rejections) < MOST_REJECTIONS:
                self.rejections.append((route.interface, error.rule, error.reason, len(request.body)))
            raise
        except Exception as error:  # edge: what a receiver stumbles over is kept too, and becomes a case
            log.exception("intake.receiver_failed", interface=route.interface)
            return _unreadable(request, f"the receiver failed: {type(error).__name__}: {str(error)[:200]}")
        if not _storable(identified):
            return _unreadable(
                request, "what the body is about has no name that can be kept: too long or not printable"
            )
        return identified


def _storable(identified: Identified) -> bool:
    """Whether the journal can hold what a receiver read: a name beyond these bounds would spoil a whole commit."""
    names = (identified.dedup_key, identified.key)
    return (
        all(0 < len(name) <= _LONGEST_NAME and name.isprintable() for name in names)
        and abs(identified.version) < 1 << 63
        and "\x00" not in identified.problem
    )


def _unreadable(request: HookRequest, problem: str) -> Identified:
    """An identity made of the bytes themselves, so that a retry of the sender is still the same message."""
    digest = blake2b(request.body, digest_size=16).hexdigest()
    return Identified(
        dedup_key=f"bytes/{digest}",
        key=f"unreadable/{request.system}/{digest}",
        topic=request.topic,
        problem=problem.replace("\x00", "\ufffd"),
    )


class Headers(Mapping[str, str]):
    """The headers of a request by lower-case name, decoded only when they are asked for. Of a repeated one the last."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = dict(raw)

    def __getitem__(self, name: str) -> str:
        return self._raw[name.encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)


async def read_body(receive: Receive, content_length: str, limit: int) -> bytes:
    """The request body, at most `limit` bytes. Raises Refused 413 for a larger one, of which nothing is kept."""
    if content_length.isdecimal() and int(content_length) > limit:
        await _drain(receive, limit)
        raise _too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("the request ended before its body was complete", status=400, rule="incomplete")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            parts.clear()
            if message.get("more_body", False):
                await _drain(receive, limit)
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


async def _drain(receive: Receive, limit: int) -> None:
    """Read on without keeping it, up to some times `limit`: a sender cut off while it sends never reads the answer."""
    left = limit * _DRAINED
    while left > 0:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))


def _too_large(limit: int) -> Refused:
    return Refused(
        f"the body is larger than the {limit} bytes this interface takes",
        status=413,
        rule="body_size",
        fix="send fewer documents at once, or raise max_bytes of the interface",
    )


def _problem(error: CrossdockError, status: int, scope: Scope) -> bytes:
    return _encode(
        {
            "type": f"/problems/{error.rule}",
            "title": error.code.replace("_", " "),
            "status": status,
            "detail": error.reason,
            "instance": scope["path"][:300],
            **({"field": error.field} if error.field else {}),
            **({"fix": error.fix} if error.fix else {}),
        }
    )


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
