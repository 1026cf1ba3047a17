# SPDX-License-Identifier: Apache-2.0
"""Message Filter inside a list: the condition of a rule's `where` as a closure."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from crossdock.mapping.convert_text import text
from crossdock.mapping.failures import MappingError
from crossdock.mapping.paths import MISSING, Read, parse_path, read_path
from crossdock.mapping.values import Lookup

_MEMBER = re.compile(r"(?P<path>.+?) (?P<negated>not )?in (?P<table>[\w.-]+)")
_COMPARED = re.compile(r"(?P<path>[^!=]+?)\s*(?P<sign>!?=)\s*(?P<value>.*)")


class Condition(Struct, frozen=True):
    """A parsed `where`: a path, whether the answer is turned round, and what it is compared with or looked up in."""

    path: str
    negated: bool = False
    value: str | None = None
    table: str | None = None


def parse_where(written: str) -> Condition:
    """The condition written as `path`, `!path`, `path=value`, `path!=value`, `path in table` or `path not in table`."""
    where = written.strip()
    if where.startswith("!"):
        return Condition(where[1:].strip(), negated=True)
    if member := _MEMBER.fullmatch(where):
        return Condition(member["path"].strip(), negated=bool(member["negated"]), table=member["table"])
    if compared := _COMPARED.fullmatch(where):
        return Condition(compared["path"], negated=compared["sign"] == "!=", value=compared["value"])
    if not where:
        raise MappingError("its where is empty", fix="write a path, or leave where out")
    return Condition(where)


def read_where(written: str, depth: int, lookup: Lookup) -> Read:
    """A closure that says whether an element `depth` lists deep stays. MappingError when `written` is no condition."""
    condition = parse_where(written)
    read = read_path(parse_path(condition.path), depth)
    negated = condition.negated

    def truthy(here: Any, up: Any) -> bool:
        value = read(here, up)
        return (value is not MISSING and bool(value)) is not negated

    def equal(here: Any, up: Any) -> bool:
        value = read(here, up)
        found = "" if value is MISSING or value is None else text(value)
        return (found == condition.value) is not negated

    def member(here: Any, up: Any) -> bool:
        value = read(here, up)
        known = value is not MISSING and value is not None and lookup(condition.table or "", text(value)) is not None
        return known is not negated

    if condition.table is not None:
        return member
    return truthy if condition.value is None else equal
