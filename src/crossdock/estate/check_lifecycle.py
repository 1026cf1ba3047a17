# SPDX-License-Identifier: Apache-2.0
"""Check where interfaces are in their lives: dates, successors, and that nothing needs a retired one."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.runtime.clock import now


def check_lifecycle(estate: Estate, name: str) -> Iterator[Finding]:
    """Findings about state, dates and successor of the interface `name`."""
    face, at = estate.interfaces[name], ("interfaces", name)
    if face.state == "deprecated":
        for field, given in (("deprecated_on", face.deprecated_on), ("sunset", face.sunset)):
            if given is None:
                what = f"deprecated without a {field} date"
                yield at_place(estate, at, what, f"add {field}: 2027-12-31", "warning")
        if not face.replaced_by and not face.note:
            what = "deprecated, and nothing says what comes after it"
            yield at_place(
                estate, at, what, "add replaced_by: the interface to use, or a note why there is none", "warning"
            )
    elif face.state in ("planned", "active") and face.replaced_by and face.deprecated_on is None:
        what = f"replaced by {face.replaced_by}, and senders are not told"
        yield at_place(estate, at, what, "add deprecated_on and sunset, or take replaced_by away", "warning")
    if face.sunset is not None and face.state != "retired" and face.sunset <= now().date():
        what = f"its sunset {face.sunset} has passed, and it is {face.state or 'without a state'}"
        yield at_place(estate, (*at, "sunset"), what, "set state: retired, or give it a later day", "warning")
    if face.deprecated_on and face.sunset and face.sunset < face.deprecated_on:
        what = f"sunset {face.sunset} comes before deprecated_on {face.deprecated_on}"
        yield at_place(estate, (*at, "sunset"), what, "an interface is deprecated first (RFC 9745, 4)")
    if face.replaced_by:
        yield from _successor(estate, name)
    if face.state == "retired":
        yield from _still_needed(estate, name)


def _successor(estate: Estate, name: str) -> Iterator[Finding]:
    at = ("interfaces", name, "replaced_by")
    face = estate.interfaces[name]
    yield from unresolved(estate, at, "interfaces", face.replaced_by, estate.interfaces)
    seen, next_ = {name}, face.replaced_by
    while next_ in estate.interfaces and next_ not in seen:
        seen.add(next_)
        after = estate.interfaces[next_].replaced_by
        if not after and estate.interfaces[next_].state == "retired":
            yield at_place(estate, at, f"its successor {next_} is retired", "name one that is not")
        next_ = after
    if next_ in seen:
        yield at_place(estate, at, f"{name} is replaced in a circle by {next_}", "name one that is not replaced")


def _still_needed(estate: Estate, name: str) -> Iterator[Finding]:
    face = estate.interfaces[name]
    if name in estate.files:
        yield at_place(estate, ("files", name), "files are taken for a retired interface", "remove the feed")
    if face.direction == "in":
        return
    live = {
        operation
        for one in estate.interfaces.values()
        if one.direction == "out" and one.system == face.system and one.state != "retired"
        for operation in one.operations
    }
    for operation in face.operations:
        needed = _needed_by(estate, operation, face.system)
        if operation not in live and needed:
            what = f"retired, but {needed} has {operation!r} still sent to {face.system}"
            fix = "declare the interface that comes after it, or name another system there"
            yield at_place(estate, ("interfaces", name, "operations"), what, fix)


def _needed_by(estate: Estate, operation: str, system: str) -> str:
    """What in the estate has `operation` sent to `system`; "" = nothing."""
    found: list[str] = []
    if operation in ("sales_order", "order_cancel"):
        found = [f"entities.{name}.erp" for name, one in estate.entities.items() if one.erp == system]
    elif operation in ("fulfillment_order", "fulfillment_cancel"):
        found = [f"locations.{name}.system" for name, one in estate.locations.items() if one.system == system]
    elif operation == "stock_levels":
        channels = estate.inventory.channels if estate.inventory is not None else {}
        systems = {name: channel.system for name, channel in estate.channels.items()}
        found = [f"stock_publication.{system}"] if system in estate.stock_publication else []
        found += [
            f"inventory.channels.{name}"
            for name, rules in channels.items()
            if rules.publish and systems.get(name) == system
        ]
    elif operation == "prices":
        systems = {name: channel.system for name, channel in estate.channels.items()}
        found = [f"price_publication.{name}" for name in estate.price_publication if systems.get(name) == system]
    return found[0] if found else ""
