# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/ops/usage`: who still calls what."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from litestar import get
from litestar.datastructures import State
from litestar.params import FromQuery, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from crossdock.api.reading import connection
from crossdock.api.route_life import ROUTES, Endings, name_of
from crossdock.errors import Refused
from crossdock.governance.route_usage import MOST_ROWS, UsageWish, route_usage
from crossdock.runtime.clock import now

SINCE = timedelta(days=30)
"""How far back is looked where nothing is said."""
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_ROWS, description=f"at most this many rows, {MOST_ROWS} at most")]


class Usage(Struct, frozen=True, kw_only=True):
    """How often a consumer called a route. `day`: of that UTC day, null: of all since; `days`: on how many of them.

    `consumer` is "local" where the estate has none. `deprecated`: the route ends, at `sunset` where that is known.
    """

    consumer: str
    route: str
    day: date | None
    days: int
    requests: int
    last_at: datetime
    deprecated: bool
    sunset: date | None
    replaced_by: str


def chosen(route: str, deprecated: bool, endings: Endings) -> list[tuple[str, str]] | None:
    """Method and path of the routes that are asked for, None = all. `route`: a name as in `GET /v1/orders`, or a path,
    which stands for all its methods. Refused 422 for one that there is not."""
    named = _named(route) if route else None
    if deprecated:
        ending = {name_of(one) for one in endings}
        named = [name for name in named if name in ending] if named is not None else sorted(ending)
    return None if named is None else [_parts(name) for name in named]


async def read_usage(conn: Any, wish: UsageWish, endings: Endings) -> list[Usage]:
    """The usage that `wish` asks for, with what `endings` say of the routes."""
    ends = {name_of(route): ending for route, ending in endings.items()}
    found = []
    for one in await route_usage(conn, wish):
        name = f"{one.method} {one.path}"
        ending = ends.get(name)
        found.append(
            Usage(
                consumer=one.consumer,
                route=name,
                day=one.day,
                days=one.days,
                requests=one.requests,
                last_at=one.last_at,
                deprecated=ending is not None,
                sunset=ending.sunset if ending is not None else None,
                replaced_by=ending.replaced_by if ending is not None else "",
            )
        )
    return found


@get("/v1/ops/usage", summary="Who calls what", tags=["operations"])
async def get_usage(
    state: State,
    since: FromQuery[date | None] = None,
    consumer: FromQuery[str] = "",
    route: FromQuery[str] = "",
    deprecated: FromQuery[bool] = False,
    daily: FromQuery[bool] = False,
    limit: Limit = 500,
) -> list[Usage]:
    """Requests that were let in, by consumer and route, the most first; `since`: a day (UTC), 30 days back without.

    `route`: as in `GET /v1/orders/{id}`, or a path for all its methods; `deprecated`: only routes that end; `daily`: a
    row for each day, the newest first. Counts are a few seconds old.
    """
    endings: Endings = state.get("endings", {})
    wish = UsageWish(
        since=since or (now() - SINCE).date(),
        consumer=consumer,
        routes=chosen(route, deprecated, endings),
        daily=daily,
        limit=limit,
    )
    async with connection(state) as conn:
        return await read_usage(conn, wish, endings)


def _named(route: str) -> list[str]:
    if route in ROUTES:
        return [route]
    found = [name for name in ROUTES if name.partition(" ")[2] == route]
    if not found:
        fix = "name one of /openapi.json, as GET /v1/orders/{id}"
        raise Refused(f"there is no route {route[:100]!r}", field="route", rule="route.unknown", fix=fix)
    return found


def _parts(name: str) -> tuple[str, str]:
    method, _, path = name.partition(" ")
    return method, path


HANDLERS: list[ControllerRouterHandler] = [get_usage]
