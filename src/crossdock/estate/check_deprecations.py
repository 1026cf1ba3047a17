# SPDX-License-Identifier: Apache-2.0
"""Check the routes of the API that come to an end: dates, successors, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place

ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/v1/\S+)")
"""A route as the estate names it: method and path template, as in `GET /v1/orders/{id}`."""
_LINK = re.compile(r"https?://[^\s<>\"]+")


def check_deprecations(estate: Estate) -> Iterator[Finding]:
    """Findings about `deprecations`. Whether there is such a route, the API knows."""
    for name, one in estate.deprecations.items():
        at = ("deprecations", name)
        if not ROUTE.fullmatch(name):
            fix = "write method and path template as in GET /v1/orders/{id}"
            yield at_place(estate, at, f"{name[:100]!r} is no route", fix)
        for field, given in (("deprecated_on", one.deprecated_on), ("sunset", one.sunset)):
            if given is None:
                what = f"deprecated without a {field} date"
                yield at_place(estate, at, what, f"add {field}: 2027-12-31", "warning")
        if one.deprecated_on and one.sunset and one.sunset < one.deprecated_on:
            what = f"sunset {one.sunset} comes before deprecated_on {one.deprecated_on}"
            yield at_place(estate, (*at, "sunset"), what, "a route is deprecated first (RFC 9745, 4)")
        if not one.replaced_by and not one.link:
            what = "callers are not told what to use instead"
            yield at_place(estate, at, what, "add replaced_by: GET /v1/…, or link: a page that says so", "warning")
        if one.link and not _LINK.fullmatch(one.link):
            yield at_place(estate, (*at, "link"), f"{one.link[:100]!r} is no address", "write link: https://…")
        yield from _successor(estate, name)


def _successor(estate: Estate, name: str) -> Iterator[Finding]:
    at, next_ = ("deprecations", name, "replaced_by"), estate.deprecations[name].replaced_by
    if not next_:
        return
    if not ROUTE.fullmatch(next_):
        yield at_place(estate, at, f"{next_[:100]!r} is no route", "write method and path template")
    seen = {name}
    while next_ in estate.deprecations and next_ not in seen:
        seen.add(next_)
        after = estate.deprecations[next_]
        if not after.replaced_by and after.retired:
            yield at_place(estate, at, f"its successor {next_} is retired", "name one that is not")
        next_ = after.replaced_by
    if next_ in seen:
        yield at_place(estate, at, f"{name} is replaced in a circle by {next_}", "name one that is not replaced")
