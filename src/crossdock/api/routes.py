# SPDX-License-Identifier: Apache-2.0
"""Every route of the API, for the application; `app.state.pool` is the pool they read from."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from crossdock.api import asyncapi, health, metrics, schemas, subscriptions
from crossdock.api.docs import page as docs_page
from crossdock.api.ops import audit, books, cases, documents, overview, reconciliations, usage
from crossdock.observe.overview import OverviewReader


def routes() -> list[ControllerRouterHandler]:
    """The route handlers of one application."""
    reader = OverviewReader()
    return [
        *health.HANDLERS,
        *schemas.HANDLERS,
        *asyncapi.HANDLERS,
        *docs_page.HANDLERS,
        *subscriptions.handlers(),
        *metrics.handlers(reader),
        *audit.HANDLERS,
        *books.HANDLERS,
        *cases.HANDLERS,
        *documents.HANDLERS,
        *overview.handlers(reader),
        *reconciliations.HANDLERS,
        *usage.HANDLERS,
    ]
