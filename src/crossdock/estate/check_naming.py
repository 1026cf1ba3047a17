# SPDX-License-Identifier: Apache-2.0
"""Check how interfaces are called and counted: SYSTEM.what, and versions that grow from one to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place

_NUMBERED = re.compile(r".+[_.-]v(\d{1,4})")


def check_naming(estate: Estate, name: str) -> Iterator[Finding]:
    """Findings about name and version of interface `name`; their form, and that they are there, is checked apart."""
    face, at = estate.interfaces[name], ("interfaces", name)
    system, _, what = name.partition(".")
    if what and face.system in estate.systems and system != face.system:
        better = f"{face.system}.{what}"
        if better not in estate.interfaces:
            told = f"it is called after {system!r}, and is an interface of {face.system}"
            yield at_place(estate, at, told, f"call it {better}", "warning")
    numbered = _NUMBERED.fullmatch(name)
    if numbered is not None and int(numbered[1]) != face.version and face.version:
        told = f"its name says version {int(numbered[1])}, its version is {face.version}"
        yield at_place(estate, (*at, "version"), told, "let name and version say the same", "warning")
    after = estate.interfaces.get(face.replaced_by)
    if after is None or face.replaced_by == name:
        return
    place = (*at, "replaced_by")
    if after.direction != face.direction:
        told = f"its successor {face.replaced_by} goes {after.direction}, it goes {face.direction}"
        yield at_place(estate, place, told, "name one of the same direction")
    elif after.object != face.object:
        told = f"its successor {face.replaced_by} is about {after.object}, it is about {face.object}"
        yield at_place(estate, place, told, "say in `note` what takes its place, if that is meant", "warning")
    elif after.system == face.system and after.version <= face.version:
        told = f"its successor {face.replaced_by} has version {after.version}, it has {face.version}"
        yield at_place(estate, place, told, f"give {face.replaced_by} the version {face.version + 1}", "warning")
