# SPDX-License-Identifier: Apache-2.0
"""Webhooks in: `POST /hooks/{system}/{topic}` (Idempotent Receiver). An order from a store enters here.

A plain ASGI handler, because it is the hottest route. The answer is sent after the commit that made the message
durable; requests that arrive together share one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, TypeVar, overload

import msgspec
import structlog

from crossdock.errors import Busy, CrossdockError, EngineAway, NeedsConfig, Refused, Unauthenticated
from crossdock.intake.routes import HookRoute, HookRoutes
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.telemetry import hide_credentials
from crossdock.sdk.receiving import HookRequest, Identified, Incoming, KeepResult, digest_of

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Default = TypeVar("Default")

PREFIX = "/hooks/"
_PROBLEM = [(b"content-type", b"application/problem+json")]
_JSON = [(b"content-type", b"application/json")]
_DUPLICATE = b'{"status":"duplicate"}'
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
        self._targets = {
            f"{PREFIX}{system}/{topic}": (route, system, topic) for (system, topic), route in routes.items()
        }
        self._commit = commit
        self._now = now
        self._counted = counted
        self.rejections: list[tuple[str, str, str, int]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 kept or duplicate, or an RFC 9457 problem: 401, 404, 405, 410, 413, 422, 503."""
        interface = ""
        notices: tuple[tuple[bytes, bytes], ...] = ()
        try:
            found = self._targets.get(scope["path"])
            if found is None or scope["method"] != "POST":
                raise _not_taken(scope)
            route, system, topic = found
            interface, notices = route.interface, route.notices
            headers = Headers(scope["headers"])
            body = await read_body(receive, headers, route.max_bytes)
            request = HookRequest(system, topic, headers, body, self._now())
            if route.retired:
                raise self._retired(route, request)
            route.receiver.authenticate(request, route.secrets())
            result = await self._commit.submit(self._incoming(route, request))
        except Refused as error:
            self._counted(interface, "refused")
            await _answer(send, error.status, _problem(error, error.status, scope), [*_PROBLEM, *notices])
        except (EngineAway, Busy, NeedsConfig) as error:
            self._counted(interface, "away")
            await _answer(
                send, 503, _problem(error, 503, scope), [*_PROBLEM, *notices, (b"retry-after", _RETRY_SECONDS)]
            )
        except Exception:  # edge: a bug must not leave the sender without an answer; it retries, we keep the trace
            log.exception("intake.failed", interface=interface)
            self._counted(interface, "failed")
            await _answer(send, 500, _problem(CrossdockError("unexpected error"), 500, scope), _PROBLEM)
        else:
            number = result.document_id
            self._counted(interface, "duplicate" if number is None else "kept")
            kept = _DUPLICATE if number is None else b'{"status":"kept","document":%d}' % number
            await _answer(send, 200, kept, [*_JSON, *notices] if notices else _JSON)

    def _retired(self, route: HookRoute, request: HookRequest) -> Refused:
        """The refusal of a message that came for a retired interface: counted in the books when it is authentic."""
        try:
            route.receiver.authenticate(request, route.secrets())
        except NeedsConfig:  # its secrets went with it: whoever it is hears the same, and proves nothing
            counted = False
        else:
            counted = self._reject(route.interface, "retired", "the interface is retired", len(request.body))
        log.warning("intake.retired", interface=route.interface, topic=request.topic, counted=counted)
        return Refused(
            f"interface {route.interface} is retired: nothing is taken for it any more, and nothing was kept",
            status=410,
            rule="retired",
            fix=f"use {route.successor} instead" if route.successor else "ask its owner what to use instead",
        )

    def _reject(self, interface: str, rule: str, reason: str, size: int) -> bool:
        """Have a refusal counted in the books; whether there was room for it."""
        if len(self.rejections) >= MOST_REJECTIONS:
            return False
        self.rejections.append((interface, rule, reason, size))
        return True

    def _incoming(self, route: HookRoute, request: HookRequest) -> Incoming:
        identified = self._identify(route, request)
        return Incoming(
            interface=route.interface,
            topic=request.topic,
            dedup_key=identified.dedup_key,
            key=identified.key,
            version=identified.version,
            body=request.body,
            digest=digest_of(request.body),
            overtakes=route.overtakes,
            problem=identified.problem,
        )

    def _identify(self, route: HookRoute, request: HookRequest) -> Identified:
        try:
            identified = route.receiver.identify(request)
        except Unauthenticated:
            raise
        except Refused as error:
            self._reject(route.interface, error.rule, error.reason, len(request.body))
            raise
        except Exception as error:  # edge: what a receiver stumbles over is kept too, and becomes a case
            log.exception("intake.receiver_failed", interface=route.interface)
            return _unreadable(request, f"the receiver failed: {type(error).__name__}: {str(error)[:200]}")
        if not storable(identified):
            return _unreadable(
                request, "what the body is about has no name that can be kept: too long or not printable"
            )
        return identified


def storable(identified: Identified) -> bool:
    """Whether the journal can hold what a receiver read: a name beyond these bounds would spoil a whole commit."""
    name, key, problem = identified.dedup_key, identified.key, identified.problem
    return (
        0 < len(name) <= _LONGEST_NAME
        and 0 < len(key) <= _LONGEST_NAME
        and name.isprintable()
        and key.isprintable()
        and -(1 << 63) < identified.version < 1 << 63
        and not (problem and "\x00" in problem)
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

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, default: Default, /) -> str | Default: ...
    def get(self, name: str, default: object = None, /) -> object:
        """The header's value, or `default`."""
        value = self._raw.get(name.encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """The request body, at most `limit` bytes. Raises Refused 413 for a larger one, of which nothing is kept."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        await _drain(receive, limit)
        raise _too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    rest: list[bytes] = []
    size = len(body)
    while message.get("more_body", False):
        if size > limit:
            await _drain(receive, limit)
            raise _too_large(limit)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("the request ended before its body was complete", status=400, rule="incomplete")
        # Servers like to end a body with an empty message of its own.
        if part := message.get("body", b""):
            size += len(part)
            rest.append(part)
    if size > limit:
        raise _too_large(limit)
    return b"".join((body, *rest)) if rest else body


async def _drain(receive: Receive, limit: int) -> None:
    """Read on without keeping it, up to some times `limit`: a sender cut off while it sends never reads the answer."""
    left = limit * _DRAINED
    while left > 0:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))


def _not_taken(scope: Scope) -> Refused:
    if scope["method"] != "POST":
        return Refused("webhooks are sent with POST", status=405, rule="method")
    system, _, topic = scope["path"][len(PREFIX) :].partition("/")
    return Refused(
        f"no interface takes topic {topic[:100]!r} of system {system[:100]!r}",
        status=404,
        rule="unknown_interface",
        fix="add the topic to an interface of this system in the estate file, or mend the webhook's address",
    )


def _too_large(limit: int) -> Refused:
    return Refused(
        f"the body is larger than the {limit} bytes this interface takes",
        status=413,
        rule="body_size",
        fix="send fewer documents at once, or raise max_bytes of the interface",
    )


def _problem(error: CrossdockError, status: int, scope: Scope) -> bytes:
    problem = _encode(
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
    # Who sends a key by mistake, in the path or the body, is not told it back.
    return hide_credentials(problem.decode()).encode()


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
