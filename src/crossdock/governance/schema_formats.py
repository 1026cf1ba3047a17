# SPDX-License-Identifier: Apache-2.0
"""Formats of strings that a comparison of schemas can decide, with a sample of each.

JSON Schema leaves it open whether `format` is enforced; what decodes our messages does, so a comparison does as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from uuid import UUID

from jsonschema import FormatChecker

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

SAMPLES = {
    "date-time": "2026-11-23T12:00:00Z",
    "date": "2026-11-23",
    "time": "12:00:00Z",
    "uuid": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    "email": "someone@example.com",
    "decimal": "1.5",
}
FORMATS = FormatChecker(formats=())


def _checked(name: str, form: re.Pattern[str] | None, read: Callable[[str], object]) -> None:
    def holds(value: object) -> bool:
        if not isinstance(value, str):
            return True
        if form is not None and not form.fullmatch(value):
            return False
        read(value)
        return True

    FORMATS.checks(name, raises=(ValueError, InvalidOperation))(holds)


def _dated(value: str) -> object:
    return datetime.fromisoformat(value[:19])


_checked("date-time", _DATE_TIME, _dated)
_checked("date", _DATE, date.fromisoformat)
_checked("time", _TIME, lambda value: time.fromisoformat(value[:8]))
_checked("uuid", None, UUID)
_checked("email", _EMAIL, str)
_checked("decimal", None, Decimal)
