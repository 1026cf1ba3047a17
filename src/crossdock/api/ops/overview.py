# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/ops/overview` and `GET /v1/ops/systems`."""

from __future__ import annotations

from litestar import get
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler

from crossdock.api.reading import connection
from crossdock.observe.overview import Overview, OverviewReader, SystemFigures


def handlers(reader: OverviewReader) -> list[ControllerRouterHandler]:
    """The two routes, reading through `reader`."""

    @get("/v1/ops/overview", summary="Figures of the last hour", tags=["operations"])
    async def get_overview(state: State) -> Overview:
        """Per interface in, settled, open, cases and lag; per system what it is owed; series by the minute."""
        async with connection(state) as conn:
            return await reader.read(conn)

    @get("/v1/ops/systems", summary="Systems", tags=["operations"])
    async def get_systems(state: State) -> list[SystemFigures]:
        """What each system is owed, its breaker, pause, last success and stock lag."""
        async with connection(state) as conn:
            return (await reader.read(conn)).systems

    return [get_overview, get_systems]
