# SPDX-License-Identifier: Apache-2.0
"""Check the interfaces of an estate: each has an owner, a tier, a version and a lifecycle state."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.canonical.objects import OBJECTS
from crossdock.estate.check_lifecycle import check_lifecycle
from crossdock.estate.check_naming import check_naming
from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.shape import Poll
from crossdock.sdk.manifest import Manifest


def check_interfaces(estate: Estate, manifests: dict[str, Manifest]) -> Iterator[Finding]:
    """Findings about `interfaces`."""
    taken: dict[tuple[str, str, str], str] = {}
    for name, face in estate.interfaces.items():
        at = ("interfaces", name)
        wanted: tuple[tuple[str, bool, str], ...] = (
            ("owner", bool(face.owner), "owner: the team that answers for it"),
            ("tier", bool(face.tier), "tier: how quickly its documents must be settled"),
            ("version", face.version >= 1, "version: 1"),
            ("state", bool(face.state), "state: planned, active, deprecated or retired"),
        )
        for field, given, fix in wanted:
            if not given:
                yield at_place(estate, at, f"the interface has no {field}", f"add {fix}")
        yield from unresolved(estate, (*at, "system"), "systems", face.system, estate.systems)
        if face.owner:
            yield from unresolved(estate, (*at, "owner"), "owners", face.owner, estate.owners)
        if face.tier:
            yield from unresolved(estate, (*at, "tier"), "tiers", face.tier, estate.tiers)
        if face.object not in OBJECTS:
            yield at_place(
                estate,
                (*at, "object"),
                f"there is no canonical object {face.object!r}",
                f"one of {', '.join(sorted(OBJECTS))}",
            )
        spoken = face.topics if face.direction == "in" else face.operations
        word = "topics" if face.direction == "in" else "operations"
        if not spoken:
            yield at_place(estate, at, f"direction {face.direction!r} but no {word}", f"list its {word}")
        # A topic of a retired interface is free for the one that comes after it.
        for item in spoken if face.state != "retired" else ():
            first = taken.setdefault((face.system, face.direction, item), name)
            if first != name:
                yield at_place(
                    estate,
                    (*at, word),
                    f"{item!r} belongs to {first} already",
                    "one interface for each topic of a system",
                )
        yield from _spoken(estate, name, manifests.get(face.system))
        yield from _asked(estate, name, manifests.get(face.system))
        yield from check_naming(estate, name)
        yield from check_lifecycle(estate, name)


def _spoken(estate: Estate, name: str, manifest: Manifest | None) -> Iterator[Finding]:
    face = estate.interfaces[name]
    if manifest is None or name in estate.files:
        return
    if face.direction == "in":
        word, known, spoken = "topics", list(manifest.comes_in), face.topics
    else:
        word, known, spoken = "operations", [sends.operation for sends in manifest.sends], face.operations
    for item in spoken:
        if item not in known:
            what = f"connector {manifest.name} has no {item!r} among its {word}"
            yield at_place(estate, ("interfaces", name, word), what, f"known: {', '.join(known) or 'none'}")


def _asked(estate: Estate, name: str, manifest: Manifest | None) -> Iterator[Finding]:
    face, at = estate.interfaces[name], ("interfaces", name, "poll")
    if manifest is None or face.poll == Poll():
        return
    asked = [polls.topic for polls in manifest.polls]
    if face.direction != "in" or not any(topic in asked for topic in face.topics):
        what = f"poll says how to ask, but {manifest.name} is asked about none of its topics"
        yield at_place(estate, at, what, f"remove it; asked about are {', '.join(asked) or 'none'}")
    for word, text in (("every", face.poll.every), ("overlap", face.poll.overlap)):
        try:
            duration(text or "1m")
        except ValueError as error:
            yield at_place(estate, (*at, word), str(error), f"{word}: 1m")
