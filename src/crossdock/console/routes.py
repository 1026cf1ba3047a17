# SPDX-License-Identifier: Apache-2.0
"""All of the console's routes, with what guards them and how their errors look."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response, Router
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from crossdock.console.bundle import bundled_file
from crossdock.console.cases import cases_page
from crossdock.console.document import document_page, trace_page
from crossdock.console.guard import add_headers, refuse_foreign
from crossdock.console.inventory import inventory_page
from crossdock.console.live import live_figures
from crossdock.console.mend import dismiss_cases, edit_case, release_cases, retry_cases
from crossdock.console.overview import overview_page
from crossdock.console.render import fragment
from crossdock.console.search import search_page
from crossdock.console.systems import systems_page
from crossdock.errors import Busy, CrossdockError, EngineAway, Refused

log = structlog.get_logger(__name__)


def _error_page(status: int, title: str, reason: str, fix: str = "") -> Response[str]:
    text = fragment("error.html", title=title, reason=reason, fix=fix, here="", find="", counts=None)
    return Response(text, status_code=status, media_type="text/html")


def _understood(_: Request[Any, Any, Any], error: CrossdockError) -> Response[str]:
    if isinstance(error, EngineAway):
        fix = "Nothing that was acknowledged is lost. Check the database, then reload."
        return _error_page(503, "The database does not answer", "The page cannot be read just now.", fix)
    if isinstance(error, Busy):
        return _error_page(503, "Too many at once", error.reason)
    status = error.status if isinstance(error, Refused) else 422
    return _error_page(status, "Not found" if status == 404 else "That cannot be shown", error.reason, error.fix)


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    return _error_page(error.status_code, "That did not work", error.detail)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    log.error("console.page_failed", path=request.scope["path"], exc_info=error)
    reason = "This page could not be made. That is a mistake of ours; it is in the log with its cause."
    return _error_page(
        500, "Something is wrong here", reason, "Go on with another page; `crossdock trace` may tell more."
    )


def routes() -> list[ControllerRouterHandler]:
    """The console under /console. The application's `state.pool` is an asyncpg pool on a migrated database."""
    return [
        Router(
            path="/console",
            route_handlers=[
                overview_page,
                search_page,
                document_page,
                trace_page,
                cases_page,
                retry_cases,
                release_cases,
                dismiss_cases,
                edit_case,
                systems_page,
                inventory_page,
                live_figures,
                bundled_file,
            ],
            before_request=refuse_foreign,
            after_request=add_headers,
            exception_handlers={CrossdockError: _understood, HTTPException: _http, Exception: _unexpected},
        )
    ]
