# SPDX-License-Identifier: Apache-2.0
"""Shopify's search syntax, as far as it is simulated: `field:value` terms, comparators, AND (also implied) and OR."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
TERM = re.compile(r"""(?P<field>\w+):(?P<op>>=|<=|>|<|)(?P<value>'[^']*'|"[^"]*"|[^\s()]+)""")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    "": lambda left, right: left == right,
}


class SearchError(ValueError):
    """The query uses something that is not simulated. The real store would ignore it and answer too much; that hides
    mistakes."""


def compile_search(query: str | None, fields: frozenset[str]) -> Callable[[Row], bool]:
    """Return a test of rows whose keys are `fields`. Date fields end in `_at` and hold aware datetimes."""
    if not query or not query.strip():
        return lambda row: True
    if "(" in query or ")" in query:
        raise SearchError("parentheses are not simulated; use AND and OR")
    groups = [_terms(part, fields) for part in re.split(r"\s+OR\s+", query.strip())]
    exact = _exact(groups)
    if exact is not None:
        field, values = exact
        return lambda row: str(row[field]) in values
    return lambda row: any(all(_test(row, *term) for term in group) for group in groups)


def _terms(text: str, fields: frozenset[str]) -> list[tuple[str, str, Any]]:
    terms: list[tuple[str, str, Any]] = []
    place = 0
    for match in TERM.finditer(text):
        _gap(text[place : match.start()])
        place = match.end()
        field, op, value = match["field"], match["op"], match["value"].strip("'\"")
        if field == "status" and value == "any":
            continue
        if field not in fields:
            raise SearchError(f"searching by {field} is not simulated; use {', '.join(sorted(fields))}")
        terms.append((field, op, _moment(value) if field.endswith("_at") else value))
    _gap(text[place:])
    return terms


def _gap(text: str) -> None:
    if text.strip() not in ("", "AND"):
        raise SearchError(f"cannot read {text.strip()!r}; write terms as field:value")


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise SearchError(f"{value!r} is not an ISO 8601 date") from error
    if moment.tzinfo is None:
        raise SearchError(f"{value!r} has no time zone; the store would read it in its own")
    return moment


def _exact(groups: list[list[tuple[str, str, Any]]]) -> tuple[str, frozenset[str]] | None:
    """`a:1 OR a:2 OR …` is one look-up in a set: connectors ask for 250 SKUs that way."""
    fields = {
        group[0][0] for group in groups if len(group) == 1 and group[0][1] == "" and not group[0][0].endswith("_at")
    }
    if len(fields) != 1 or any(len(group) != 1 or group[0][1] for group in groups):
        return None
    return fields.pop(), frozenset(group[0][2] for group in groups)


def _test(row: Row, field: str, op: str, value: Any) -> bool:
    held = row[field]
    if isinstance(value, datetime):
        return COMPARE[op](held, value)
    if op:
        return COMPARE[op](int(held), int(value))
    return str(held) == value or (field == "name" and str(held).lstrip("#") == value)
