# SPDX-License-Identifier: Apache-2.0
"""The shapes most rules have, each as a single closure: one call where composing the parts would make three or four.

Nine rules in ten read one field of the current object and convert it once or not at all. Composed of reader, steps and
check, such a rule costs four calls; the closures here do the same inline (bench/mapping.py has the difference).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossdock.mapping.checks import Check
from crossdock.mapping.paths import MISSING, Read, follow, step_into

Absent = Callable[[], Any]
Step = Callable[[Any, Any, Any], Any]


def text_field(key: str, shortest: int, longest: int, check: Check, absent: Absent) -> Read:
    """A text field copied: `check` is asked only when the value is not plainly fit."""

    def run(here: Any, up: Any) -> Any:
        value = here.get(key) if type(here) is dict else step_into(here, key)
        if type(value) is str and shortest <= len(value) <= longest and value:
            return value
        if value is None or value is MISSING or value == "":
            return absent()
        return check(value)

    return run


def converted_field(key: str, convert: Callable[[Any], Any], check: Check | None, absent: Absent) -> Read:
    """A field through one converter without arguments. No `check`: the converter's result fits by its kind."""

    def run(here: Any, up: Any) -> Any:
        value = here.get(key) if type(here) is dict else step_into(here, key)
        if value is None or value is MISSING or value == "":
            return absent()
        value = convert(value)
        if value is None or value == "":
            return absent()
        return value if check is None else check(value)

    return run


def certain_field(key: str, convert: Callable[..., Any], argument: Read, absent: Absent) -> Read:
    """A field through one converter whose result fits, with one argument that is read too."""

    def run(here: Any, up: Any) -> Any:
        value = here.get(key) if type(here) is dict else step_into(here, key)
        if value is None or value is MISSING or value == "":
            return absent()
        given = argument(here, up)
        return convert(value, None if given is MISSING else given)

    return run


def field_in_currency(key: str, convert: Callable[..., Any], name: str, absent: Absent) -> Read:
    """`certain_field` for amounts in lists, whose currency is a field of the object one level up."""

    def run(here: Any, up: Any) -> Any:
        value = here.get(key) if type(here) is dict else step_into(here, key)
        if value is None or value is MISSING or value == "":
            return absent()
        above = up[0]
        given = above.get(name) if type(above) is dict else step_into(above, name)
        return convert(value, None if given is MISSING else given)

    return run


def deep_text(steps: tuple[str | int, ...], shortest: int, longest: int, check: Check, absent: Absent) -> Read:
    """A text some objects further in, copied; two plain steps, the usual case, are taken without a call."""
    plain = len(steps) == 2 and all(isinstance(step, str) and step != "*" for step in steps)
    one, two = steps if plain else (None, None)

    def run(here: Any, up: Any) -> Any:
        outer = here.get(one) if one is not None and type(here) is dict else None
        value = outer.get(two) if type(outer) is dict else follow(here, steps)
        if type(value) is str and shortest <= len(value) <= longest and value:
            return value
        if value is None or value is MISSING or value == "":
            return absent()
        return check(value)

    return run


def composed(read: Read, steps: list[Step], check: Check | None, absent: Absent) -> Read:
    """Any rule: read, go through the steps, check."""

    def run(here: Any, up: Any) -> Any:
        value = read(here, up)
        if value is MISSING or value is None or value == "":
            return absent()
        for step in steps:
            value = step(value, here, up)
            if value is None or value == "":
                return absent()
        return value if check is None else check(value)

    return run
