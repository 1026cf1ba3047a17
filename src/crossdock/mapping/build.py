# SPDX-License-Identifier: Apache-2.0
"""Closures that build objects and lists from finished rules, gathering every fault on the way (Splitter for lists)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from crossdock.errors import NeedsEdit
from crossdock.mapping.failures import Fault, Faults, Unreadable, within
from crossdock.mapping.paths import MISSING, Path, Read, Run

# What a converter written in Python raises for a value it did not expect.
REFUSALS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NeedsEdit)


class Blame(Struct, frozen=True):
    """Where a rule's value comes from, for when it fails. `climbs`: lists between the rule and its path's start."""

    target: str
    path: str
    climbs: int
    read: Read | None

    def fault(self, error: Exception, here: Any, up: Any) -> Fault:
        """The fault of the rule that raised `error` at `here`."""
        reason, fix = _explained(error)
        return Fault(self.path, self.climbs, self.target, self._value(here, up), reason, fix)

    def _value(self, here: Any, up: Any) -> Any:
        if self.read is None:
            return None
        try:
            value = self.read(here, up)
        except Unreadable:
            return None
        return None if value is MISSING else value


def blame_for(target: str, path: Path | None, depth: int, read: Read | None) -> Blame:
    """The blame of a rule `depth` lists deep whose value comes from `path` (None: from a constant)."""
    if path is None:
        return Blame(target, "", 0, None)
    climbs = path.climbs if path.start == "up" else 0 if path.start == "here" else depth
    return Blame(target, path.shown(), climbs, read)


def _explained(error: Exception) -> tuple[str, str]:
    if isinstance(error, Unreadable | NeedsEdit):
        return error.reason, error.fix
    if isinstance(error, ValueError):
        return str(error) or "the value is refused", "correct the value"
    return f"the converter could not read it: {type(error).__name__}: {error}", "correct the value or the converter"


Field = tuple[str, Read, Blame]


def build_object(make: Callable[..., Any], fields: Sequence[Field], blame: Blame) -> Read:
    """A closure that builds one object by keyword from `fields`; it raises Faults with all that is wrong.

    `blame`: of the object itself, when it refuses values that are right one by one (ValueError of its own check).
    """

    def build(here: Any, up: Any) -> Any:
        values = {}
        faults: list[Fault] | None = None
        for name, run, whose in fields:
            try:
                value = run(here, up)
            except Faults as more:
                faults = (faults or []) + more.faults
            except REFUSALS as error:
                faults = [*(faults or []), whose.fault(error, here, up)]
            else:
                if value is not MISSING:
                    values[name] = value
        if faults:
            raise Faults(faults)
        try:
            return make(**values)
        except REFUSALS as error:
            raise Faults([blame.fault(error, here, up)]) from error

    return build


def optional_object(build: Read, present: Sequence[Read]) -> Read:
    """`build`, or MISSING when none of `present` finds anything in the source."""

    def run(here: Any, up: Any) -> Any:
        for read in present:
            try:
                value = read(here, up)
            except Unreadable:
                return build(here, up)
            if value is not MISSING and value is not None and value != "":
                return build(here, up)
        return MISSING

    return run


def build_list(
    items: Read, build: Read, where: Read | None, blame: Blame, finish: Callable[[list[Any]], Any], *, isolate: bool
) -> Read:
    """A closure that maps every element of the list that `items` reads; MISSING passes through.

    With `isolate` and a Run that gathers what is left out, a bad element is left out; else all faults are raised.
    """

    def run(here: Any, up: Any) -> Any:
        found = items(here, up)
        if found is MISSING:
            return MISSING
        if not isinstance(found, list | tuple):
            raise Unreadable("a list was expected here", "send a list")
        inside = (here, up)
        built: list[Any] = []
        faults: list[Fault] = []
        for place, item in enumerate(found):
            try:
                if where is None or where(item, inside):
                    built.append(build(item, inside))
            except Faults as more:
                faults += within(more.faults, f"{blame.path}[{place}]", blame.climbs)
            except REFUSALS as error:
                faults += within(
                    [Fault("", 0, blame.target, item, *_explained(error))], f"{blame.path}[{place}]", blame.climbs
                )
        if faults:
            if not isolate or not isinstance(up, Run) or up.left_out is None:
                raise Faults(faults)
            up.left_out.extend(faults)
        return finish(built)

    return run
