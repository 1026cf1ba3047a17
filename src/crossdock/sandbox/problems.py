# SPDX-License-Identifier: Apache-2.0
"""Refusals of the plain JSON contracts: problem documents, and the entries of their `errors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

Problem = dict[str, str]
"""One entry of `errors`: field, code, message."""


def problem(field: str, code: str, message: str) -> Problem:
    """One entry of `errors`."""
    return {"field": field[:128], "code": code, "message": message}


def problem_response(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None, errors: Sequence[Problem] | None = None
) -> web.Response:
    """A problem document (RFC 9457)."""
    told: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors is not None:
        told["errors"] = errors
    body = msgspec.json.encode(told)
    return web.Response(body=body, status=status, headers=headers, content_type="application/problem+json")
