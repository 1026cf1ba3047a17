# SPDX-License-Identifier: Apache-2.0
"""Whether a company can be reached with the credentials of the estate, and whether our extension is there."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from crossdock.connectors.business_central.client import CallFailed, RestClient, query_of
from crossdock.connectors.business_central.list_stock import PAGE as STOCK
from crossdock.connectors.business_central.shipment import PAGE as SHIPMENTS
from crossdock.errors import RetryLater
from crossdock.sdk.connector import SystemConfig


class Reached(Struct, frozen=True):
    """What answered. `missing`: the pages of the extension that are not there, in the order they are listed in docs."""

    company: str
    missing: tuple[str, ...]


class _Company(Struct):
    name: str


async def reach(config: SystemConfig) -> Reached:
    """Ask for the company, then for each page of the extension; nothing is changed. Raises RetryLater, NeedsConfig,
    NeedsEdit (no such company)."""
    client = RestClient(config)
    try:
        reply = await client.record("GET", "", query=query_of(select="id,name"))
        if reply is None:
            raise AssertionError("a 404 is raised")
        name = msgspec.json.decode(reply.body, type=_Company).name
        missing = [
            page
            for page in (STOCK, SHIPMENTS)
            if await client.record("GET", page, query=query_of(top="1"), extension=True, missing_is_none=True) is None
        ]
    except CallFailed as failed:
        raise failed.error from failed
    except msgspec.DecodeError as error:
        raise RetryLater(f"Business Central's answer could not be read: {error}", rule="answer") from error
    finally:
        await client.close()
    return Reached(name, tuple(missing))
