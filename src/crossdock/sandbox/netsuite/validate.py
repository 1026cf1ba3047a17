# SPDX-License-Identifier: Apache-2.0
"""Checks request bodies against the field tables. A misspelt field is dropped in silence unless the caller asks for
errors."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from crossdock.sandbox.netsuite.fields import (
    ADDRESS,
    ADDRESS_FIELDS,
    ANY,
    ENUM,
    ENUMS,
    READ_ONLY,
    RECORDS,
    SUBLISTS,
)
from crossdock.sandbox.netsuite.problems import NetSuiteError


class BodyCheck:
    """Cleans one body. `strict` is `X-NetSuite-PropertyNameValidation: Error`."""

    def __init__(self, record_type: str, *, strict: bool, custom_fields: frozenset[str]) -> None:
        self._type = record_type
        self._strict = strict
        self._custom = custom_fields
        self.dropped: list[str] = []

    def clean(self, body: Any) -> dict[str, Any]:
        """The known fields with values of the right type. Raises NetSuiteError INVALID_CONTENT otherwise."""
        if not isinstance(body, dict):
            raise NetSuiteError(400, "INVALID_CONTENT", "The request body must be a JSON object.")
        sublists = SUBLISTS[self._type]
        plain = {name: value for name, value in body.items() if name not in sublists}
        cleaned = self._fields(plain, RECORDS[self._type], "")
        for name, columns in sublists.items():
            if name in body:
                cleaned[name] = self._lines(name, body[name], columns)
        return {name: value for name, value in cleaned.items() if name not in READ_ONLY}

    def _lines(self, name: str, value: Any, columns: dict[str, str]) -> list[dict[str, Any]]:
        items = value.get("items") if isinstance(value, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise NetSuiteError(
                400, "INVALID_CONTENT", f"Sublist {name} must be an object with the array items.", f"$.{name}"
            )
        return [self._fields(item, columns, f"{name}.items[{place}].") for place, item in enumerate(items)]

    def _fields(self, value: dict[str, Any], known: dict[str, str], prefix: str) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for name, given in value.items():
            if name in self._custom:
                cleaned[name] = given
            elif name not in known:
                if self._strict:
                    detail = f"Unknown reference or field '{name}'. Provide a valid property name."
                    raise NetSuiteError(400, "INVALID_CONTENT", detail, f"$.{prefix}{name}")
                self.dropped.append(f"{prefix}{name}")
            else:
                if given is not None:
                    self._value(name, known[name], given, f"$.{prefix}{name}")
                cleaned[name] = given
        return cleaned

    def _value(self, name: str, kind: str, given: Any, path: str) -> None:
        if not _fits(kind, given):
            raise NetSuiteError(
                400, "INVALID_CONTENT", f"Invalid value for the field {name}: it must be of type {kind}.", path
            )
        if kind == ENUM and name in ENUMS and given.get("id") not in ENUMS[name]:
            raise NetSuiteError(400, "INVALID_CONTENT", f"Invalid value for the field {name}: unknown id.", path)
        if kind == ADDRESS:
            for field in given:
                if field not in ADDRESS_FIELDS:
                    if self._strict:
                        raise NetSuiteError(400, "INVALID_CONTENT", f"Unknown field '{field}'.", f"{path}.{field}")
                    self.dropped.append(f"{path[2:]}.{field}")


def _fits(kind: str, given: Any) -> bool:
    match kind:
        case "string":
            return isinstance(given, str)
        case "number":
            return isinstance(given, int | float) and not isinstance(given, bool)
        case "integer":
            return isinstance(given, int) and not isinstance(given, bool)
        case "boolean":
            return isinstance(given, bool)
        case "date":
            return isinstance(given, str) and _is_date(given)
        case "date-time":
            return isinstance(given, str) and _is_moment(given)
        case "reference" | "enumeration":
            return isinstance(given, dict) and all(isinstance(part, str | list) for part in given.values())
        case "address":
            return isinstance(given, dict)
    return kind == ANY


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
