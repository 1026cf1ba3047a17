# SPDX-License-Identifier: Apache-2.0
"""OData `$filter` as Business Central takes it: comparisons, `in`, text functions, AND, and OR over one field only."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import msgspec

from crossdock.sandbox.business_central.entities import Entity, Field
from crossdock.sandbox.business_central.problems import BAD_REQUEST, NOT_FOUND, BusinessCentralError

TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<mark>[(),]))"
)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
FINDERS: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
CASES: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}
TAKES = {
    "guid": "guid",
    "date": "date",
    "datetime": "datetime",
    "decimal": "number",
    "int32": "number",
    "boolean": "boolean",
}
"""Which literal a kind of field is compared with; all others take strings."""
OR_REFUSED = "The 'OR' operator is not supported on distinct fields on an OData filter."
MOST_DEEP = 50
"""Brackets within brackets that are followed."""


class Condition(msgspec.Struct, frozen=True):
    """A parsed filter. `equals` are the values that fields must have for it to hold, for use with an index."""

    holds: Callable[[dict[str, Any]], bool]
    fields: frozenset[str]
    equals: dict[str, Any]


class _Term(msgspec.Struct, frozen=True):
    field: Field
    read: Callable[[dict[str, Any]], Any]
    folded: bool


def parse_filter(text: str, entity: Entity) -> Condition:
    """Parse a filter over the fields of `entity`. Raises BusinessCentralError for what Business Central refuses."""
    return _Parser(_tokens(text), entity).whole()


def comparable(field: Field, value: Any) -> Any:
    """A value in the form in which two of them compare."""
    if field.kind == "datetime":
        return datetime.fromisoformat(value)
    if field.kind == "guid":
        return value.lower()
    return value.strip().upper() if field.code else value


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        if match is None:
            raise BusinessCentralError(400, NOT_FOUND, f"Syntax error at position {place} in '{text}'.")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], entity: Entity) -> None:
        self._tokens = tokens
        self._entity = entity
        self._at = 0
        self._deep = 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._at != len(self._tokens):
            raise self._wrong("an operator")
        return condition

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._word("or"):
            parts.append(self._both())
        if len(parts) == 1:
            return parts[0]
        fields = frozenset().union(*(part.fields for part in parts))
        if len(fields) > 1:
            raise BusinessCentralError(400, BAD_REQUEST, OR_REFUSED)
        return Condition(lambda row: any(part.holds(row) for part in parts), fields, {})

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._word("and"):
            parts.append(self._one())
        if len(parts) == 1:
            return parts[0]
        equals = {name: value for part in parts for name, value in part.equals.items()}
        fields = frozenset().union(*(part.fields for part in parts))
        return Condition(lambda row: all(part.holds(row) for part in parts), fields, equals)

    def _one(self) -> Condition:
        if self._mark("("):
            self._deep += 1
            if self._deep > MOST_DEEP:
                raise BusinessCentralError(400, BAD_REQUEST, "The filter is nested too deeply.")
            condition = self._either()
            self._need(")")
            self._deep -= 1
            return condition
        kind, text = self._peek()
        if kind == "word" and text in FINDERS:
            return self._find(text)
        term = self._term()
        if self._word("in"):
            return self._within(term)
        kind, text = self._take()
        if kind != "word" or text not in COMPARE:
            raise self._wrong("eq, ne, gt, ge, lt, le or in")
        compare, value = COMPARE[text], self._literal(term)
        equals = {term.field.name: value} if text == "eq" and not term.folded else {}
        return Condition(lambda row: compare(term.read(row), value), frozenset({term.field.name}), equals)

    def _find(self, name: str) -> Condition:
        self._take()
        self._need("(")
        term = self._term()
        if term.field.kind in TAKES:
            raise BusinessCentralError(400, BAD_REQUEST, f"{name} is for strings; {term.field.name} is none.")
        self._need(",")
        value = self._literal(term)
        self._need(")")
        find = FINDERS[name]
        return Condition(lambda row: find(term.read(row), value), frozenset({term.field.name}), {})

    def _within(self, term: _Term) -> Condition:
        self._need("(")
        values = [self._literal(term)]
        while self._mark(","):
            values.append(self._literal(term))
        self._need(")")
        return Condition(lambda row: term.read(row) in values, frozenset({term.field.name}), {})

    def _term(self) -> _Term:
        kind, text = self._take()
        if kind != "word":
            raise self._wrong("a property")
        if text in CASES:
            self._need("(")
            inner, turn = self._term(), CASES[text]
            self._need(")")
            return _Term(inner.field, lambda row: turn(inner.read(row)), True)
        field = self._entity.fields.get(text)
        if field is None:
            message = f"Could not find a property named '{text}' on type 'Microsoft.NAV.{self._entity.name}'."
            raise BusinessCentralError(400, BAD_REQUEST, message)
        return _Term(field, lambda row: comparable(field, row.get(text, field.default)), False)

    def _literal(self, term: _Term) -> Any:
        kind, text = self._take()
        if kind == "word" and text in ("true", "false"):
            kind = "boolean"
        wanted = TAKES.get(term.field.kind, "string")
        if kind == "date" and wanted == "datetime":
            kind, text = "datetime", f"{text}T00:00:00Z"
        if kind != wanted:
            message = (
                "A binary operator with incompatible types was detected. "
                f"Found '{text}' for {term.field.name} of type {term.field.edm}."
            )
            raise BusinessCentralError(400, BAD_REQUEST, message)
        try:
            return _value(kind, text, term)
        except ValueError as error:
            raise BusinessCentralError(400, BAD_REQUEST, f"'{text}' is not a {term.field.edm}.") from error

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _word(self, text: str) -> bool:
        found = self._peek() == ("word", text)
        self._at += found
        return found

    def _mark(self, text: str) -> bool:
        found = self._peek() == ("mark", text)
        self._at += found
        return found

    def _need(self, text: str) -> None:
        if not self._mark(text):
            raise self._wrong(f"'{text}'")

    def _wrong(self, wanted: str) -> BusinessCentralError:
        return BusinessCentralError(400, NOT_FOUND, f"{wanted} expected near part {self._at + 1} of the filter.")


def _value(kind: str, text: str, term: _Term) -> Any:
    match kind:
        case "string":
            plain = text[1:-1].replace("''", "'")
            # A folded term is compared with what was written: tolower(code) eq 'ABC' finds nothing.
            return plain if term.folded else comparable(term.field, plain)
        case "number":
            return float(text) if "." in text else int(text)
        case "boolean":
            return text == "true"
        case "date":
            date.fromisoformat(text)
    return comparable(term.field, text)
