# SPDX-License-Identifier: Apache-2.0
"""`ETag` and `If-None-Match` for every read that has none of its own: the tag is a digest of what is answered."""

from __future__ import annotations

from collections.abc import Awaitable
from hashlib import blake2b
from typing import Any

from crossdock.api.contract_parts import text_headers
from crossdock.api.plain import App, HeaderList, Receive, Scope, Send

_OF_CONTENT = frozenset({b"content-type", b"content-length"})
_TAG = text_headers(ETag="stands as long as what is answered does")
_ASKED: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "the ETag of an earlier answer",
    "schema": {"type": "string"},
}


def conditional(app: App) -> App:
    """`app`, whose answers 200 to GET carry an ETag; asked with that one in If-None-Match the answer is 304 and empty.

    An answer with an ETag of its own, or in several pieces, passes as it is.
    """

    def asked(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["method"] != "GET":
            return app(scope, receive, send)
        return app(scope, receive, _Tagging(scope, send))

    return asked


def with_tags(paths: dict[str, Any]) -> dict[str, Any]:
    """`paths` of a contract, in which every GET below /v1 that says nothing of it has its ETag and its 304."""
    return {
        path: {
            method: _with_tag(operation) if method == "get" and path.startswith("/v1/") else operation
            for method, operation in methods.items()
        }
        for path, methods in paths.items()
    }


def _with_tag(operation: dict[str, Any]) -> dict[str, Any]:
    answers, parameters = operation["responses"], operation.get("parameters", [])
    if not any(one["in"] == "header" and one["name"] == _ASKED["name"] for one in parameters):
        parameters = [*parameters, _ASKED]
    if "304" in answers or "200" not in answers:
        return {**operation, "parameters": parameters}
    done = {**answers["200"], "headers": {**answers["200"].get("headers", {}), **_TAG}}
    same = {"description": "it is what the ETag in If-None-Match names", "headers": _TAG}
    return {**operation, "parameters": parameters, "responses": {**answers, "200": done, "304": same}}


class _Tagging:
    """Sends one answer; its head waits for its body."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._head: dict[str, Any] | None = None

    async def __call__(self, message: dict[str, Any]) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            if message["status"] == 200 and not any(name.lower() == b"etag" for name, _ in message["headers"]):
                self._head = message
                return
        elif self._head is not None:
            head, self._head = self._head, None
            if not message.get("more_body", False):
                await self._answer(head, message)
                return
            await self._send(head)
        await self._send(message)

    async def _answer(self, head: dict[str, Any], message: dict[str, Any]) -> None:
        body: bytes = message.get("body", b"")
        tag = b'"%s"' % blake2b(body, digest_size=9).hexdigest().encode()
        told: HeaderList = [(b"etag", tag)]
        if not any(name.lower() == b"cache-control" for name, _ in head["headers"]):
            told.append((b"cache-control", b"no-cache"))
        if any(name == b"if-none-match" and tag in value for name, value in self._scope["headers"]):
            kept = [one for one in head["headers"] if one[0].lower() not in _OF_CONTENT]
            await self._send({**head, "status": 304, "headers": [*kept, *told]})
            await self._send({**message, "body": b""})
            return
        await self._send({**head, "headers": [*head["headers"], *told]})
        await self._send(message)
