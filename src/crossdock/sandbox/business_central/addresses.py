# SPDX-License-Identifier: Apache-2.0
"""Addresses of the API: tenant, environment, API, and the segments behind them."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from crossdock.sandbox.business_central.problems import NO_SEGMENT, NOT_FOUND, BusinessCentralError

STANDARD_API = "v2.0"
EXTENSION_API = "crossdock/distribution/v1.0"
BASE = re.compile(r"/v2\.0/(?P<tenant>[^/]+)/(?P<environment>[^/]+)/api/(?P<api>v2\.0|crossdock/distribution/v1\.0)/")
SEGMENT = re.compile(r"(?P<name>[\w.$]+)(?:\((?P<key>[^()]*)\))?")
MOST_SEGMENTS = 6


class Segment(msgspec.Struct, frozen=True):
    """A part of an address: a name, and the key in brackets behind it if there is one."""

    name: str
    key: str | None


class Address(msgspec.Struct, frozen=True):
    """Where a request goes. `base` is the path before the segments, without a slash at its end."""

    tenant: str
    environment: str
    api: str
    base: str
    segments: tuple[Segment, ...]


def parse_address(path: str) -> Address:
    """Take the raw path of a request apart. Raises BusinessCentralError 404."""
    match = BASE.match(path)
    if match is None:
        raise BusinessCentralError(404, NO_SEGMENT, "No API is at this address.")
    parts = [part for part in path[match.end() :].split("/") if part]
    if not 1 <= len(parts) <= MOST_SEGMENTS:
        raise BusinessCentralError(404, NO_SEGMENT, "No resource is at this address.")
    tenant, environment = unquote(match["tenant"]), unquote(match["environment"])
    return Address(tenant, environment, match["api"], match[0].rstrip("/"), tuple(_segment(part) for part in parts))


def _segment(part: str) -> Segment:
    text = unquote(part)
    match = SEGMENT.fullmatch(text)
    if match is None:
        raise BusinessCentralError(400, NOT_FOUND, f"Bad Request - Error in query syntax: '{text}'.")
    return Segment(match["name"], match["key"].strip().strip("'") if match["key"] is not None else None)
