# SPDX-License-Identifier: Apache-2.0
"""Paths into a source: parsed once, turned into closures that read dicts, lists and structs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct

from crossdock.mapping.failures import MappingError, Unreadable


class _Missing:
    """Nothing there, as opposed to null."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final[Any] = _Missing()

# A reader gets the current object and what it is inside of: at the top a Run, inside a list (parent, parent's inside).
Read = Callable[[Any, Any], Any]
Start = Literal["here", "root", "up", "context"]
_STARTS: dict[str, Start] = {"$": "root", "^": "up", "@": "here", "~": "context"}
_LONGEST = 300


class Run(Struct):
    """One translation under way: the context beside the document, and the faults of elements that were left out."""

    context: Any
    left_out: list[Any] | None = None


class Path(Struct, frozen=True):
    """A parsed path: where it starts, how many levels it climbs (for `up`), and its steps ("*" = every element)."""

    start: Start
    climbs: int
    steps: tuple[str | int, ...]

    def shown(self) -> str:
        """The path as a person reads it in a case: indexes in brackets, no marks."""
        text = ""
        for step in self.steps:
            text += f"[{step}]" if isinstance(step, int) or step == "*" else f".{step}" if text else step
        return f"context.{text}" if self.start == "context" else text


def is_path(argument: object) -> bool:
    """Whether a converter's argument is a path, not a plain value."""
    return isinstance(argument, str) and (argument in _STARTS or (argument[:1] in _STARTS and argument[1:2] == "."))


def parse_path(text: str) -> Path:
    """The path written as `text`. MappingError when it is empty, too long or has an empty step."""
    start: Start = "here"
    climbs = 0
    rest = text
    if is_path(rest):
        start = _STARTS[rest[0]]
        if start == "up":
            while rest == "^" or rest.startswith("^."):
                climbs += 1
                rest = rest[2:]
        else:
            rest = rest[2:]
        if not rest:
            return Path(start, climbs, ())
    steps = rest.split(".")
    if len(text) > _LONGEST or not all(step.strip() for step in steps):
        raise MappingError(
            f"{text!r} is not a path", fix="write field names with single dots between them, at most 300 characters"
        )
    return Path(start, climbs, tuple(int(step) if step.isdecimal() else step for step in steps))


def read_path(path: Path, depth: int) -> Read:
    """A closure that reads `path` from rules that lie `depth` lists deep.

    It returns MISSING where nothing is or a parent is null, and raises Unreadable when what is on the way is no object.
    MappingError when the path climbs above the document.
    """
    climbs = path.climbs if path.start == "up" else depth if path.start == "root" else 0
    if climbs > depth:
        raise MappingError(f"{'^.' * path.climbs}{path.shown()} climbs above the document", fix="use fewer ^.")
    steps = path.steps
    if path.start == "context":
        return _from_context(steps, depth)
    if climbs == 0:
        if not steps:
            return lambda here, up: here
        if len(steps) == 1 and isinstance(steps[0], str) and steps[0] != "*":
            return _one_key(steps[0])
        return lambda here, up: follow(here, steps)
    if climbs == 1:
        if len(steps) == 1 and isinstance(steps[0], str) and steps[0] != "*":
            key = steps[0]
            return lambda here, up: up[0].get(key, MISSING) if type(up[0]) is dict else step_into(up[0], key)
        return lambda here, up: follow(up[0], steps)

    def climb(here: Any, up: Any) -> Any:
        for _ in range(climbs - 1):
            up = up[1]
        return follow(up[0], steps)

    return climb


def _one_key(key: str) -> Read:
    def read(here: Any, up: Any) -> Any:
        if type(here) is dict:
            return here.get(key, MISSING)
        return step_into(here, key)

    return read


def _from_context(steps: tuple[str | int, ...], depth: int) -> Read:
    def read(here: Any, up: Any) -> Any:
        for _ in range(depth):
            up = up[1]
        return follow(up.context, steps)

    return read


def follow(value: Any, steps: tuple[str | int, ...]) -> Any:
    """What lies at `steps` under `value`, MISSING when nothing does. Unreadable when a step finds no object or list."""
    for step in steps:
        if type(value) is dict and step in value:
            value = value[step]
        elif step == "*":
            return _every(value, steps[steps.index("*") + 1 :])
        else:
            value = step_into(value, step)
        if value is None or value is MISSING:
            return MISSING
    return value


def _every(value: Any, steps: tuple[str | int, ...]) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Unreadable("a list was expected here", "send a list, or correct the mapping's path")
    found = [follow(element, steps) for element in value]
    return [element for element in found if element is not MISSING]


def step_into(value: Any, step: str | int) -> Any:
    """One step into a value that need not be a dict; see `follow`."""
    if isinstance(value, Struct) and step in value.__struct_fields__:
        return getattr(value, step)
    if value is None or value is MISSING:
        return MISSING
    if isinstance(step, int) and isinstance(value, list | tuple):
        return value[step] if step < len(value) else MISSING
    if isinstance(value, dict):
        return value.get(step, value.get(str(step), MISSING))
    if isinstance(value, Struct):
        raise MappingError(
            f"{type(value).__name__} has no field {step!r}", fix=f"use one of {', '.join(value.__struct_fields__)}"
        )
    kind = "a list" if isinstance(step, int) else "an object"
    raise Unreadable(
        f"{kind} was expected where {step!r} is read", "send the structure the source's documentation shows"
    )
