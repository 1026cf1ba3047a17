# SPDX-License-Identifier: Apache-2.0
"""Check the channels that take orders by the API."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved


def check_api(estate: Estate) -> Iterator[Finding]:
    """Findings about `channels` and the interfaces that they have of their own."""
    for name, channel in estate.channels.items():
        if channel.back_order == "split" and f"{name}.back-orders" in estate.interfaces:
            what = f"back-orders of channel {name} are looked at by an interface of this name"
            yield at_place(estate, ("interfaces", f"{name}.back-orders"), what, "give the interface another name")
        api, at = channel.by_api, ("channels", name, "api")
        if api is None:
            continue
        if api.owner:
            yield from unresolved(estate, (*at, "owner"), "owners", api.owner, estate.owners)
        if api.tier:
            yield from unresolved(estate, (*at, "tier"), "tiers", api.tier, estate.tiers)
        for field in ("stale_after", "too_old_after"):
            try:
                duration(getattr(api, field))
            except ValueError as error:
                yield at_place(estate, (*at, field), str(error), f"write {field}: 5m")
        if f"{name}.api" in estate.interfaces:
            what = f"orders of the API on channel {name} come in by an interface of this name"
            yield at_place(estate, ("interfaces", f"{name}.api"), what, "give the interface another name")
