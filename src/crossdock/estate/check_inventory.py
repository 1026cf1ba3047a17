# SPDX-License-Identifier: Apache-2.0
"""Check what an estate says of stock: channels, locations and rules exist, and times are times."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.shape import ChannelStock, Inventory


def check_inventory(estate: Estate) -> Iterator[Finding]:
    """Findings about `inventory` and `planning`."""
    if estate.planning is not None:
        yield from _time(estate, ("planning", "every"), estate.planning.every)
    inventory = estate.inventory
    if inventory is None:
        return
    yield from _reconcile(estate, inventory)
    for name in ("hold_for", "longest_hold", "stale_after"):
        yield from _time(estate, ("inventory", name), getattr(inventory, name))
    told: dict[str, str] = {}
    for name, channel in inventory.channels.items():
        at = ("inventory", "channels", name)
        yield from unresolved(estate, at, "channels", name, estate.channels)
        yield from _locations(estate, at, name, channel)
        if channel.horizon:
            yield from _time(estate, (*at, "horizon"), channel.horizon)
        system = estate.channels[name].system if name in estate.channels else ""
        if channel.publish and system in estate.stock_publication:
            yield at_place(
                estate, at, f"{system} is told its stock by stock_publication too", "keep one of the two sections"
            )
        if channel.publish and told.setdefault(system, name) != name:
            fix = "give all but one of them publish: false"
            yield at_place(estate, at, f"{system} would be told by channel {told[system]} and by {name}", fix)
    for number, rule in enumerate(inventory.rules):
        here = ("inventory", "rules", number)
        if rule.channel:
            yield from unresolved(estate, (*here, "channel"), "inventory.channels", rule.channel, inventory.channels)
        if rule.safety is None and rule.percent is None and rule.cap is None and rule.keep is None:
            yield at_place(estate, here, "the rule changes nothing", "give it safety, percent, cap or keep")


def _reconcile(estate: Estate, inventory: Inventory) -> Iterator[Finding]:
    said = inventory.reconcile
    at = ("inventory", "reconcile")
    for name in ("every", "late_within", "look_again_after"):
        if getattr(said, name) or name != "every":
            yield from _time(estate, (*at, name), getattr(said, name))
    for location, system in said.truth.items():
        here = (*at, "truth", location)
        yield from unresolved(estate, here, "locations", location, estate.locations)
        yield from unresolved(estate, here, "systems", system, estate.systems)
    if said.heal_up_to not in (0, "0", "0%") and not said.truth:
        fix = "name the system whose count holds at each location under truth"
        yield at_place(estate, (*at, "heal_up_to"), "nothing can be taken over without a truth", fix)


def _locations(estate: Estate, at: tuple[str, ...], name: str, channel: ChannelStock) -> Iterator[Finding]:
    here = (*at, "locations")
    if not channel.locations:
        yield at_place(estate, here, "a channel without locations can sell nothing", "name its locations")
    system = estate.channels[name].system if name in estate.channels else ""
    for location in channel.locations:
        yield from unresolved(estate, here, "locations", location, estate.locations)
        known = estate.locations.get(location)
        if known is not None and channel.publish and not channel.summed and system not in known.codes:
            fix = f"add codes: {{{system}: …}} to locations.{location}, or tell one number per SKU with summed: true"
            yield at_place(estate, here, f"{system} has no code for {location}", fix)


def _time(estate: Estate, at: tuple[str | int, ...], text: str) -> Iterator[Finding]:
    try:
        duration(text)
    except ValueError as error:
        yield at_place(estate, at, str(error), "write 15m")
