# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/ops/reconciliations`, one of them with its differences, and `GET /v1/ops/kpis/{name}`."""

from __future__ import annotations

from datetime import datetime

from litestar import get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from crossdock.api.ops.books import Limit
from crossdock.api.reading import After, Id, connection
from crossdock.errors import Refused
from crossdock.inventory.reconciled import (
    Comparison,
    DifferenceCount,
    FoundDifference,
    KpiPoint,
    classes_of,
    comparisons,
    differences_of,
    kpi_history,
)


class ComparisonDetail(Struct, frozen=True, kw_only=True):
    """A comparison with what it found: how many of each class, and the differences."""

    comparison: Comparison
    classes: list[DifferenceCount]
    differences: list[FoundDifference]


@get("/v1/ops/reconciliations", summary="Comparisons of stock and prices", tags=["operations"])
async def get_reconciliations(state: State, limit: Limit = 100, before: After = None) -> list[Comparison]:
    """Comparisons with ERP, warehouse and channels, the newest first; `before` goes on below an id."""
    async with connection(state) as conn:
        return await comparisons(conn, limit, before)


@get("/v1/ops/reconciliations/{comparison_id:int}", summary="One comparison", tags=["operations"])
async def get_reconciliation(state: State, comparison_id: Id, limit: Limit = 100) -> ComparisonDetail:
    """A comparison with its differences: class, figures, what was done about each, money at stake."""
    async with connection(state) as conn:
        found = await comparisons(conn, 1, comparison_id + 1)
        if not found or found[0].id != comparison_id:
            raise Refused(
                "there is no such comparison", status=404, rule="not_found", fix="GET /v1/ops/reconciliations"
            )
        return ComparisonDetail(
            comparison=found[0],
            classes=await classes_of(conn, comparison_id),
            differences=await differences_of(conn, comparison_id, limit),
        )


@get("/v1/ops/kpis/{name:str}", summary="A key figure over time", tags=["operations"])
async def get_kpi(
    state: State,
    name: FromPath[str],
    limit: Limit = 100,
    dimension: FromQuery[str | None] = None,
    since: FromQuery[datetime | None] = None,
) -> list[KpiPoint]:
    """A figure, the newest first, as `inventory_accuracy`: the share of compared SKUs at locations that is equal."""
    async with connection(state) as conn:
        return await kpi_history(conn, name, limit, dimension, since)


HANDLERS: list[ControllerRouterHandler] = [get_reconciliations, get_reconciliation, get_kpi]
