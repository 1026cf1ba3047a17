# SPDX-License-Identifier: Apache-2.0
"""What a translation could not do, field by field, and what is wrong with a mapping itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from crossdock.errors import NeedsConfig, NeedsEdit

MOST_FAILURES = 100
_LONGEST_VALUE = 200


class Problem(Struct, frozen=True):
    """One thing that is wrong with a mapping. `target`: of the rule, "" when it is about the whole."""

    target: str
    reason: str
    fix: str

    def __str__(self) -> str:
        return f"rule {self.target}: {self.reason} ({self.fix})" if self.target else f"{self.reason} ({self.fix})"


class MappingError(NeedsConfig):
    """The mapping itself is wrong; its author mends the named rule."""

    code: ClassVar[str] = "bad_mapping"

    def __init__(self, reason: str, *, rule: str = "", fix: str = "", problems: Sequence[Problem] = ()) -> None:
        """`problems`: every single thing that is wrong."""
        super().__init__(reason, field="mapping", rule=rule, fix=fix)
        self.problems = tuple(problems)


class Unreadable(ValueError):
    """A converter's way to say why a value cannot be taken, and what would mend it."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


class Fault(Struct):
    """A failure on its way up: its path is completed by each list it passes. `climbs`: lists it belongs outside of."""

    path: str
    climbs: int
    target: str
    value: object
    reason: str
    fix: str


class Faults(Exception):
    """The faults of one object of the source; it never leaves the package."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


def shown(value: Any) -> object:
    """`value` as a person may see it in a case: scalars as they are, text shortened to 200 characters."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
    if isinstance(value, dict):
        return f"an object with {len(value)} fields"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return str(value)[:_LONGEST_VALUE] if not isinstance(value, int) else "a number beyond 64 bits"


def within(faults: list[Fault], prefix: str, climbs: int) -> list[Fault]:
    """`faults` of an element as the list's owner names them; `prefix`: the element's path ("lines[3]"), `climbs`: where
    that path starts, seen from the owner."""
    for fault in faults:
        if fault.climbs:
            fault.climbs -= 1
        else:
            fault.path = f"{prefix}.{fault.path}" if fault.path else prefix
            fault.climbs = climbs
    return faults


def as_failures(faults: Sequence[Fault], label: str) -> list[NeedsEdit]:
    """`faults` as they leave the package, named after the mapping `label`.

    `field`: path in the source with indexes ("line_items[2].price"); `rule`: "<mapping>/<version>: <target>"; `value`:
    what was there, shortened; `fix`: what to do about it.
    """
    return [
        NeedsEdit(
            fault.reason,
            field=fault.path or "the document",
            rule=f"{label}: {fault.target}" if fault.target else label,
            value=shown(fault.value),
            fix=fault.fix,
        )
        for fault in faults
    ]
