# SPDX-License-Identifier: Apache-2.0
"""Which scope each route asks for, in one table. What is not in it is refused; a test compares it with all routes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from crossdock.estate.consumers import Scope

OPEN = frozenset({"healthz", "readyz", "metrics", "schemas", "openapi.json", "asyncapi.json", "docs", "console"})
"""What paths begin with that ask for no credential: contracts, health, and what is for loopback names only."""


class Route(Struct, frozen=True):
    """A route by method and path template; `{name:path}` may hold slashes.

    `costly`: its requests wait on the database for a connection each, or keep the process busy for many milliseconds;
    callers share the few places there are for such.
    """

    method: str
    path: str
    scope: Scope
    costly: bool = False


TABLE: tuple[Route, ...] = (
    Route("GET", "/v1/availability", "availability:read"),
    Route("POST", "/v1/availability:batch", "availability:read", costly=True),
    Route("POST", "/v1/orders", "orders:write"),
    Route("GET", "/v1/orders", "orders:read", costly=True),
    Route("POST", "/v1/orders:validate", "orders:read"),
    Route("GET", "/v1/orders/{id:path}", "orders:read", costly=True),
    Route("POST", "/v1/orders/{id:path}:cancel", "orders:write", costly=True),
    Route("POST", "/v1/returns", "returns:write"),
    Route("GET", "/v1/returns/{id:path}", "returns:read"),
    Route("POST", "/v1/reservations", "reservations:write"),
    Route("GET", "/v1/reservations/{id}", "reservations:read"),
    Route("DELETE", "/v1/reservations/{id}", "reservations:write"),
    Route("POST", "/v1/reservations/{id}:extend", "reservations:write"),
    Route("POST", "/v1/reservations/{id}:commit", "reservations:write"),
    Route("POST", "/v1/subscriptions", "webhooks:write"),
    Route("GET", "/v1/subscriptions", "webhooks:read", costly=True),
    Route("GET", "/v1/subscriptions/{one}", "webhooks:read", costly=True),
    Route("DELETE", "/v1/subscriptions/{one}", "webhooks:write"),
    Route("POST", "/v1/subscriptions/{one}", "webhooks:write"),
    Route("POST", "/v1/prices:quote", "prices:read"),
    Route("GET", "/v1/products/{sku:path}", "products:read"),
    Route("GET", "/v1/customers/{id:path}", "customers:read"),
    Route("GET", "/v1/ops/audit", "ops", costly=True),
    Route("GET", "/v1/ops/audit:head", "ops", costly=True),
    Route("GET", "/v1/ops/books", "ops", costly=True),
    Route("GET", "/v1/ops/open", "ops", costly=True),
    Route("GET", "/v1/ops/cases", "ops", costly=True),
    Route("GET", "/v1/ops/cases:groups", "ops", costly=True),
    Route("GET", "/v1/ops/cases/{case_id}", "ops", costly=True),
    Route("POST", "/v1/ops/cases:retry", "ops", costly=True),
    Route("POST", "/v1/ops/cases:release", "ops", costly=True),
    Route("POST", "/v1/ops/cases:dismiss", "ops", costly=True),
    Route("POST", "/v1/ops/cases/{case}", "ops", costly=True),
    Route("GET", "/v1/ops/documents/{document_id}", "ops", costly=True),
    Route("GET", "/v1/ops/trace/{key:path}", "ops", costly=True),
    Route("GET", "/v1/ops/search", "ops", costly=True),
    Route("GET", "/v1/ops/overview", "ops", costly=True),
    Route("GET", "/v1/ops/systems", "ops", costly=True),
    Route("GET", "/v1/ops/reconciliations", "ops", costly=True),
    Route("GET", "/v1/ops/reconciliations/{comparison_id}", "ops", costly=True),
    Route("GET", "/v1/ops/kpis/{name}", "ops", costly=True),
    Route("GET", "/v1/ops/usage", "ops", costly=True),
)
"""Every route that asks for a credential where the estate has consumers."""

_HOLE = re.compile(r"\{\w+(:path)?\}")


class AccessTable:
    """Finds the route of a request: paths without holes first, then the template with the most fixed characters."""

    def __init__(self, routes: Sequence[Route] = TABLE) -> None:
        self._fixed = {(one.path, one.method): one for one in routes if "{" not in one.path}
        self._holed: dict[str, list[tuple[re.Pattern[str], Route]]] = defaultdict(list)
        for one in sorted(routes, key=lambda route: -len(_HOLE.sub("", route.path))):
            if "{" in one.path:
                self._holed[_resource(one.path)].append((_pattern(one.path), one))

    def find(self, method: str, path: str) -> Route | None:
        """The route that takes this request; None when none does."""
        found = self._fixed.get((path, method))
        if found is not None:
            return found
        for pattern, route in self._holed.get(_resource(path), ()):
            if route.method == method and pattern.fullmatch(path):
                return route
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that some route at this path takes."""
        found = {method for at, method in self._fixed if at == path}
        found |= {one.method for pattern, one in self._holed.get(_resource(path), ()) if pattern.fullmatch(path)}
        return sorted(found)


def is_open(path: str) -> bool:
    """Whether a path asks for no credential. Like the framework's routing it does not count slashes."""
    return not path.strip("/") or path.lstrip("/").partition("/")[0] in OPEN


def _resource(path: str) -> str:
    # "/v1/NAME/…": what is between the second and the third slash.
    return path[4:].partition("/")[0] if path.startswith("/v1/") else ""


def _pattern(template: str) -> re.Pattern[str]:
    parts, at = [], 0
    for hole in _HOLE.finditer(template):
        parts += [re.escape(template[at : hole.start()]), ".+" if hole[1] else "[^/]+"]
        at = hole.end()
    return re.compile("".join([*parts, re.escape(template[at:])]), re.DOTALL)
