# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/ops/audit`: who changed what by hand, before and after, and where the chain ends."""

from __future__ import annotations

from datetime import datetime

from litestar import get
from litestar.datastructures import State
from litestar.params import FromQuery
from litestar.types import ControllerRouterHandler

from crossdock.api.ops.books import Limit
from crossdock.api.reading import After, connection
from crossdock.journal.audit import AuditEntry, list_audit
from crossdock.journal.audit_chain import AuditHead, audit_head


@get("/v1/ops/audit", summary="Who changed what", tags=["operations"])
async def get_audit(  # CD003: every query parameter is one, that is how litestar reads them
    state: State,
    since: FromQuery[datetime | None] = None,
    who: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    key: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    limit: Limit = 100,
    after: After = None,
) -> list[AuditEntry]:
    """Acts that fit every filter, the newest first; `after` goes on below a number."""
    async with connection(state) as conn:
        return await list_audit(conn, since=since, who=who, kind=kind, key=key, action=action, limit=limit, after=after)


@get("/v1/ops/audit:head", summary="Where the audit ends", tags=["operations"])
async def get_audit_head(state: State) -> AuditHead:
    """Number and hash of the newest row, to be kept elsewhere: `crossdock audit verify --head` checks against it."""
    async with connection(state) as conn:
        return await audit_head(conn)


HANDLERS: list[ControllerRouterHandler] = [get_audit, get_audit_head]
