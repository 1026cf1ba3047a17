# SPDX-License-Identifier: Apache-2.0
"""Ids of locations by their codes, remembered: lines of orders take the id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from crossdock.connectors.business_central.changes import code
from crossdock.connectors.business_central.client import RestClient, query_of, text
from crossdock.errors import NeedsEdit

_MOST_REMEMBERED: Final = 10_000


class _Location(Struct):
    id: str
    code: str = ""


class LocationIds:
    """Locations of one company. `codes`: our name → theirs, where they differ."""

    def __init__(self, client: RestClient, codes: Mapping[str, str]) -> None:
        self._client = client
        self._codes = codes
        self._ids: dict[str, str] = {}

    async def of(self, locations: Iterable[str]) -> dict[str, str]:
        """Our name → id of every one of `locations`. NeedsEdit names one that is not there; raises CallFailed."""
        return {location: await self._id(location) for location in dict.fromkeys(locations)}

    async def _id(self, location: str) -> str:
        theirs = code(self._codes.get(location, location))
        found = self._ids.get(theirs)
        if found is not None:
            return found
        query = query_of(filter=f"code eq {text(theirs)}", select="id,code", top="1")
        page = await self._client.page("locations", query, _Location)
        if not page.rows:
            raise NeedsEdit(
                f"Business Central has no location with code {theirs}",
                field="lines[].location",
                rule="business_central.location",
                value=location,
                fix="give the location its code for this system in the estate, or create it there, then retry",
            )
        if len(self._ids) >= _MOST_REMEMBERED:
            self._ids.clear()
        self._ids[theirs] = page.rows[0].id
        return page.rows[0].id
