# SPDX-License-Identifier: Apache-2.0
"""Checks request bodies against the facts of an entity: names, types, read-only, lengths; nothing is dropped in
silence."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import msgspec

from crossdock.sandbox.business_central.entities import Entity, Field
from crossdock.sandbox.business_central.problems import (
    BAD_REQUEST,
    NO_VALUE,
    READ_ONLY,
    TOO_LONG,
    UNKNOWN,
    BusinessCentralError,
)

DATE = re.compile(r"\d{4}-\d\d-\d\d")
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
UNKNOWN_PROPERTY = (
    "The property '{name}' does not exist on type 'Microsoft.NAV.{type}'. "
    "Make sure to only use property names that are defined by the type."
)
TOO_LONG_TEXT = (
    "The length of the string is {length}, but it must be less than or equal to {most} characters. Value: {value}"
)


class Body(msgspec.Struct, frozen=True):
    """A checked body: its own values, and the lines nested in it by navigation (None: not mentioned)."""

    values: dict[str, Any]
    lines: dict[str, list[dict[str, Any]]]


def decode(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises BusinessCentralError 400."""
    try:
        given = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BusinessCentralError(400, BAD_REQUEST, f"Invalid Request Body: {error}.") from error
    if not isinstance(given, dict):
        raise BusinessCentralError(400, BAD_REQUEST, "Invalid Request Body: a JSON object is expected.")
    return given


def check_body(entity: Entity, given: dict[str, Any], parts: dict[str, Entity]) -> Body:
    """The values of a body, Code fields in capitals; `parts` (by navigation) may be nested. Raises
    BusinessCentralError."""
    nested = {name: given[name] for name in parts if name in given}
    own = {name: value for name, value in given.items() if name not in parts}
    return Body(
        check_values(entity, own),
        {name: [check_values(parts[name], line) for line in _lines(name, value)] for name, value in nested.items()},
    )


def check_values(entity: Entity, given: dict[str, Any]) -> dict[str, Any]:
    """The values of one record. Raises BusinessCentralError for the first that is wrong."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name.startswith("@"):
            continue
        field = entity.fields.get(name)
        if field is None:
            text = UNKNOWN_PROPERTY.format(name=name, type=entity.name)
            raise BusinessCentralError(400, BAD_REQUEST, text)
        if field.read_only:
            raise BusinessCentralError(400, READ_ONLY, f"Control '{name}' is read-only.")
        if value is None:
            raise BusinessCentralError(400, NO_VALUE, f"Field '{name}' must not be blank or empty.")
        values[name] = _value(field, value)
    return values


def _lines(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(line, dict) for line in value):
        raise BusinessCentralError(400, BAD_REQUEST, f"Invalid Request Body: {name} is an array of objects.")
    return value


def _value(field: Field, value: Any) -> Any:
    if field.members:
        if value not in field.members:
            text = f"'{value}' is not an option. The existing options are: {','.join(field.members)}"
            raise BusinessCentralError(400, UNKNOWN, text)
        return value
    if not _fits(field.kind, value):
        raise BusinessCentralError(400, BAD_REQUEST, f"Unable to convert value of '{field.name}' to {field.edm}.")
    if field.kind == "guid":
        return value.lower()
    if field.kind != "string":
        return value
    kept = value.strip().upper() if field.code else value
    if field.length is not None and len(kept) > field.length:
        text = TOO_LONG_TEXT.format(length=len(kept), most=field.length, value=kept[:250])
        raise BusinessCentralError(400, TOO_LONG, text)
    return kept


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case "decimal":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "int32":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
        case "boolean":
            return isinstance(value, bool)
        case "guid":
            return isinstance(value, str) and GUID.fullmatch(value) is not None
        case "date":
            return isinstance(value, str) and DATE.fullmatch(value) is not None and _parses(date, value)
        case "datetime":
            return isinstance(value, str) and _parses(datetime, value)
    return isinstance(value, str)


def _parses(kind: type[date], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True
