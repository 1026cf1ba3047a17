# SPDX-License-Identifier: Apache-2.0
"""Checks of single fields that the contract's tables share; each gives the problems of one field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crossdock.sandbox.problems import Problem, problem


def unknown(value: dict[str, Any], known: frozenset[str], prefix: str = "") -> list[Problem]:
    """Fields of `value` that are not `known`."""
    return [
        problem(f"{prefix}{name}", "unknown_field", "this field is not in the contract")
        for name in value
        if name not in known
    ]


def text(value: Any, field: str, limit: int, *, required: bool = True) -> list[Problem]:
    """A string of at most `limit` characters; null and "" count as missing."""
    if value is None or value == "":
        return [problem(field, "required", "this field is required")] if required else []
    if not isinstance(value, str):
        return [problem(field, "wrong_type", "this field is a string")]
    return [problem(field, "too_long", f"at most {limit} characters")] if len(value) > limit else []


def whole(value: Any, field: str, most: int) -> list[Problem]:
    """A whole number from 0 to `most`."""
    if value is None:
        return [problem(field, "required", "this field is required")]
    if not isinstance(value, int) or isinstance(value, bool):
        return [problem(field, "wrong_type", "this field is a whole number")]
    return [] if 0 <= value <= most else [problem(field, "out_of_range", f"give 0 to {most}")]


def moment(value: Any, field: str) -> list[Problem]:
    """A time that is there and has an offset."""
    if value is None or value == "":
        return [problem(field, "required", "this field is required")]
    if not isinstance(value, str):
        return [problem(field, "wrong_type", "a time is a string")]
    return [] if instant(value) else [problem(field, "bad_time", "give RFC 3339 with an offset: 2026-11-23T12:00:00Z")]


def instant(value: str) -> datetime | None:
    """The moment in UTC that RFC 3339 text names, None when it is no such text."""
    try:
        made = datetime.fromisoformat(value)
    except ValueError:
        return None
    return made.astimezone(UTC) if made.tzinfo is not None and len(value) >= 20 and len(value) <= 40 else None


def quantity(value: Any, field: str) -> list[Problem]:
    """A decimal string above 0 and at most 1,000,000."""
    if value is None:
        return [problem(field, "required", "this field is required")]
    if not isinstance(value, str):
        return [problem(field, "wrong_type", "a quantity is a decimal string")]
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return [problem(field, "bad_quantity", "a quantity is a decimal string such as 3 or 2.5")]
    good = amount.is_finite() and 0 < amount <= 1_000_000
    return [] if good else [problem(field, "bad_quantity", "a quantity is above 0 and at most 1000000")]
