# SPDX-License-Identifier: Apache-2.0
"""Check the routing rules of an estate and what its channels are told of stock."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved


def check_routing(estate: Estate) -> Iterator[Finding]:
    """Findings about `routing` and `stock_publication`."""
    routing = estate.routing
    if routing.default_location:
        yield from unresolved(
            estate, ("routing", "default_location"), "locations", routing.default_location, estate.locations
        )
    for number, rule in enumerate(routing.rules):
        at = ("routing", "rules", number)
        if not (rule.location or rule.entity):
            yield at_place(estate, at, "the rule decides nothing", "give it a location or an entity")
        if not (rule.when.sku_prefix or rule.when.country or rule.when.channel or rule.when.service):
            yield at_place(
                estate, at, "the rule always holds, so no rule after it is ever asked", "use default_location instead"
            )
        if rule.location:
            yield from unresolved(estate, (*at, "location"), "locations", rule.location, estate.locations)
        if rule.entity:
            yield from unresolved(estate, (*at, "entity"), "entities", rule.entity, estate.entities)
        if rule.when.channel:
            yield from unresolved(estate, (*at, "when", "channel"), "channels", rule.when.channel, estate.channels)
    yield from _check_publication(estate)


def _check_publication(estate: Estate) -> Iterator[Finding]:
    for system, publication in estate.stock_publication.items():
        yield from unresolved(estate, ("stock_publication", system), "systems", system, estate.systems)
        for location in publication.locations:
            at_list = ("stock_publication", system, "locations")
            yield from unresolved(estate, at_list, "locations", location, estate.locations)
            if location in estate.locations and system not in estate.locations[location].codes:
                fix = f"add codes: {{{system}: …}} to locations.{location}"
                yield at_place(estate, at_list, f"{system} has no code for {location}", fix)
