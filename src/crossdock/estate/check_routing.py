# SPDX-License-Identifier: Apache-2.0
"""Check the routing rules of an estate and what its channels are told of stock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import available_timezones

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.routing import ShippingCost

_CODE = re.compile(r"[A-Z]{2}(-.{1,50})?")


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
        if not (rule.when.sku_prefix or rule.when.country or rule.when.channel or rule.when.service or rule.when.stock):
            yield at_place(
                estate, at, "the rule always holds, so no rule after it is ever asked", "use default_location instead"
            )
        if rule.location:
            yield from unresolved(estate, (*at, "location"), "locations", rule.location, estate.locations)
        if rule.entity:
            yield from unresolved(estate, (*at, "entity"), "entities", rule.entity, estate.entities)
        if rule.when.stock and not rule.location:
            yield at_place(estate, (*at, "when", "stock"), "nothing ships what is short", "give the rule a location")
        if rule.when.stock and rule.entity:
            what = "what is in stock is not known when the entity is chosen"
            yield at_place(estate, (*at, "entity"), what, "name the entity in a rule without stock")
        if rule.when.channel:
            yield from unresolved(estate, (*at, "when", "channel"), "channels", rule.when.channel, estate.channels)
    yield from _check_policy(estate)
    yield from _check_locations(estate)
    yield from _check_intercompany(estate)
    yield from _check_publication(estate)


def _check_policy(estate: Estate) -> Iterator[Finding]:
    policy, at = estate.routing.policy, ("routing", "policy")
    if policy.prefer != "rules" and estate.inventory is None:
        yield at_place(
            estate,
            (*at, "prefer"),
            f"{policy.prefer} looks at what is in stock, and stock is not kept here",
            "add an inventory section, or prefer: rules",
        )
    if policy.prefer == "lowest_cost" and not policy.costs:
        yield at_place(estate, (*at, "prefer"), "no location has a cost", "give routing.policy costs")
    for number, row in enumerate(policy.costs):
        here = (*at, "costs", number)
        if row.location:
            yield from unresolved(estate, (*here, "location"), "locations", row.location, estate.locations)
        if row.to and row.to not in policy.zones and not _CODE.fullmatch(row.to):
            fix = "name a zone of routing.policy.zones, a country (US) or a country and region (US-CA)"
            yield at_place(estate, (*here, "to"), f"{row.to!r} is no destination", fix)
        earlier = next((n for n, other in enumerate(policy.costs[:number]) if _hides(other, row)), None)
        if earlier is not None:
            fix = f"put it before row {earlier + 1}"
            yield at_place(estate, here, f"row {earlier + 1} always fits before it", fix, "warning")


def _hides(earlier: ShippingCost, row: ShippingCost) -> bool:
    return earlier.location in ("", row.location) and earlier.to in ("", row.to)


def _check_intercompany(estate: Estate) -> Iterator[Finding]:
    prices = estate.routing.intercompany
    for number, one in enumerate(prices):
        for field in ("seller", "owner"):
            if name := getattr(one, field):
                at = ("routing", "intercompany", number, field)
                yield from unresolved(estate, at, "entities", name, estate.entities)
    for name, where in estate.locations.items():
        for seller in estate.entities if where.entity else ():
            agreed = any(one.seller in ("", seller) and one.owner in ("", where.entity) for one in prices)
            if seller != where.entity and not agreed:
                what = f"{seller} may sell goods of {where.entity} from here, and no transfer price is agreed"
                fix = f"add {{seller: {seller}, owner: {where.entity}, percent: …}} to routing.intercompany"
                yield at_place(estate, ("locations", name, "entity"), what, fix)


def _check_locations(estate: Estate) -> Iterator[Finding]:
    for name, where in estate.locations.items():
        at = ("locations", name)
        if where.entity:
            yield from unresolved(estate, (*at, "entity"), "entities", where.entity, estate.entities)
        if where.kind == "drop_ship" and where.entity:
            what = "a supplier's goods belong to no entity of ours"
            yield at_place(estate, (*at, "entity"), what, "leave it out")
        if where.kind == "drop_ship" and not where.system:
            yield at_place(estate, (*at, "kind"), "nobody is asked to ship from this supplier", "give it a system")
        if where.cut_off is not None and where.cut_off.time_zone not in available_timezones():
            fix = "use a name of the IANA time zone database, such as America/New_York"
            here = (*at, "cut_off", "time_zone")
            yield at_place(estate, here, f"there is no time zone {where.cut_off.time_zone!r}", fix)
    for channel, stock in (estate.inventory.channels if estate.inventory is not None else {}).items():
        for location in stock.locations:
            if location in estate.locations and estate.locations[location].kind == "drop_ship":
                here = ("inventory", "channels", channel, "locations")
                fix = "leave it out, and name it in a routing rule"
                yield at_place(estate, here, f"{location} is a supplier's: it has no stock of ours", fix)
    for name, seller in estate.channels.items():
        if seller.back_order != "wait" and estate.inventory is None:
            what = f"nothing is known to be missing: {seller.back_order} needs stock that is kept here"
            yield at_place(estate, ("channels", name, "back_order"), what, "add an inventory section")


def _check_publication(estate: Estate) -> Iterator[Finding]:
    for system, publication in estate.stock_publication.items():
        yield from unresolved(estate, ("stock_publication", system), "systems", system, estate.systems)
        for location in publication.locations:
            at_list = ("stock_publication", system, "locations")
            yield from unresolved(estate, at_list, "locations", location, estate.locations)
            if location in estate.locations and system not in estate.locations[location].codes:
                fix = f"add codes: {{{system}: …}} to locations.{location}"
                yield at_place(estate, at_list, f"{system} has no code for {location}", fix)
