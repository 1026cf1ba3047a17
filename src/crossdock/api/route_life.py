# SPDX-License-Identifier: Apache-2.0
"""Routes that come to an end: what their callers are told, in headers (RFC 9745, RFC 8594) and in the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from crossdock.api.access_table import TABLE, Route
from crossdock.api.contract_parts import problem
from crossdock.errors import NeedsConfig
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place
from crossdock.intake.routes import lifecycle_notices

HeaderList = tuple[tuple[bytes, bytes], ...]
HEADERS: dict[str, Any] = {
    "Deprecation": {
        "description": "since when it should not be used any more (RFC 9745)",
        "schema": {"type": "string", "pattern": "^@-?[0-9]+$"},
    },
    "Sunset": {"description": "when it will be gone (RFC 8594)", "schema": {"type": "string"}},
    "Link": {
        "description": "a page that tells of it (`deprecation`), what comes after it (`successor-version`)",
        "schema": {"type": "string"},
    },
}
"""As the contract describes what goes with every answer of such a route."""


class RouteEnding(Struct, frozen=True, kw_only=True):
    """How a route ends. `notices`: headers that go with every answer; `retired`: it takes nothing any more, 410."""

    deprecated_on: date | None
    sunset: date | None
    replaced_by: str
    retired: bool
    notices: HeaderList


Endings = Mapping[Route, RouteEnding]


def name_of(route: Route) -> str:
    """A route as people write it and as it is kept: `GET /v1/orders/{id}`."""
    return f"{route.method} {route.path.replace(':path}', '}')}"


ROUTES: Mapping[str, Route] = {name_of(one): one for one in TABLE}
"""Every route of the access table by its name."""


def unknown_routes(estate: Estate) -> Iterator[Finding]:
    """A finding for each route that the estate ends, or names as a successor, and that there is not."""
    for name, one in estate.deprecations.items():
        at = ("deprecations", name)
        if name not in ROUTES:
            yield at_place(estate, at, f"there is no route {name[:100]!r}", _like(name))
        if one.replaced_by and one.replaced_by not in ROUTES:
            what = f"there is no route {one.replaced_by[:100]!r}"
            yield at_place(estate, (*at, "replaced_by"), what, _like(one.replaced_by))


def endings_of(estate: Estate) -> Endings:
    """What the estate says of routes that end. Raises NeedsConfig for one that there is not."""
    for finding in unknown_routes(estate):
        raise NeedsConfig(f"{finding.where}: {finding.what}", fix=finding.fix)
    return {
        ROUTES[name]: RouteEnding(
            deprecated_on=one.deprecated_on,
            sunset=one.sunset,
            replaced_by=one.replaced_by,
            retired=one.retired,
            notices=(*lifecycle_notices(one.deprecated_on, one.sunset), *_links(one.link, one.replaced_by)),
        )
        for name, one in estate.deprecations.items()
    }


def with_endings(paths: dict[str, Any], endings: Endings) -> dict[str, Any]:
    """`paths` of a contract, in which operations that end say so."""
    changed = {path: dict(methods) for path, methods in paths.items()}
    for route, ending in endings.items():
        methods = changed.get(route.path.replace(":path}", "}"), {})
        operation = methods.get(route.method.lower())
        if operation is not None:
            methods[route.method.lower()] = _ending(operation, ending)
    return changed


def _ending(operation: dict[str, Any], ending: RouteEnding) -> dict[str, Any]:
    answers = {
        status: {**answer, "headers": {**answer.get("headers", {}), **HEADERS}}
        for status, answer in operation["responses"].items()
    }
    if ending.retired:
        answers = {"410": {**problem("it is retired"), "headers": HEADERS}}
    told = {"x-deprecated-on": ending.deprecated_on, "x-sunset": ending.sunset, "x-replaced-by": ending.replaced_by}
    return {
        **operation,
        "deprecated": True,
        **{name: str(value) for name, value in told.items() if value},
        "responses": answers,
    }


def _links(link: str, replaced_by: str) -> Iterator[tuple[bytes, bytes]]:
    if link:
        yield b"link", f'<{link}>; rel="deprecation"'.encode("ascii", "ignore")
    path = replaced_by.partition(" ")[2]
    # A template is no address: RFC 8288 has none in a Link.
    if path and "{" not in path:
        yield b"link", f'<{path}>; rel="successor-version"'.encode("ascii", "ignore")


def _like(name: str) -> str:
    near = [one for one in ROUTES if one.partition(" ")[2].split("/")[2:3] == name.partition(" ")[2].split("/")[2:3]]
    return f"use one of {', '.join(near[:10])}" if near else "GET /openapi.json has every route"
