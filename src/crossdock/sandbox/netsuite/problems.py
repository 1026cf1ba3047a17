# SPDX-License-Identifier: Apache-2.0
"""NetSuite's REST error shape."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

SPECIFICATION = "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec"
SECTIONS = {
    400: "10.4.1",
    401: "10.4.2",
    403: "10.4.4",
    404: "10.4.5",
    405: "10.4.6",
    409: "10.4.10",
    413: "10.4.14",
    429: "10.4",
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class NetSuiteError(Exception):
    """A refused call: HTTP status, `o:errorCode`, detail, and where it helps the JSONPath of the property."""

    def __init__(self, status: int, code: str, detail: str, path: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.path = path


def error_response(status: int, code: str, detail: str, path: str | None = None) -> web.Response:
    """An error answer with one detail."""
    entry: dict[str, Any] = {"detail": detail, "o:errorCode": code}
    if path is not None:
        entry["o:errorPath"] = path
    body = {
        "type": SPECIFICATION + SECTIONS.get(status, "10.5.1"),
        "title": TITLES.get(status, "Internal Server Error"),
        "status": status,
        "o:errorDetails": [entry],
    }
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/vnd.oracle.resource+json"
    )
