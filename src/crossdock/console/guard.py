# SPDX-License-Identifier: Apache-2.0
"""What every console answer carries and what every console request must pass: same origin only, no inline code."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.exceptions import PermissionDeniedException

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_same_origin(headers: dict[str, str]) -> bool:
    """Whether a browser sent a request with these (lower-case) headers from one of our own pages.

    `Sec-Fetch-Site` decides where it is sent (W3C Fetch Metadata), else `Origin` must name our host. A request with
    neither did not come from a page: scripts have the HTTP API.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


async def refuse_foreign(request: Request[Any, Any, Any]) -> None:
    """Refuse a changing request that another site made the browser send. Raises PermissionDeniedException (403)."""
    if request.method not in _SAFE_METHODS and not is_same_origin(dict(request.headers)):
        raise PermissionDeniedException(
            detail="This request did not come from a page of this console. Act from its pages, or use /v1/ops."
        )


async def add_headers(response: Response[Any]) -> Response[Any]:
    """The answer with the headers every console page carries."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response
