# SPDX-License-Identifier: Apache-2.0
"""Whether a finished value fits its target field: one small closure per field, made from the field's type."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from crossdock.mapping.convert_text import kind_of, text
from crossdock.mapping.failures import Unreadable, shown

_LONGEST_TEXT = 1_000_000
# Returns the value (made JSON-able for out), or raises Unreadable.
Check = Callable[[Any], Any]


def check_for(hint: Any) -> Check:
    """The check for a field whose annotation is `hint`. None passes where the type allows it."""
    info = inspect.type_info(hint)
    if isinstance(info, inspect.UnionType):
        members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        nullable = len(members) < len(info.types)
        inner = check_of(members[0], hint) if len(members) == 1 else _any_of(hint)
        return _or_none(inner) if nullable else inner
    return check_of(info, hint)


def _or_none(inner: Check) -> Check:
    return lambda value: None if value is None else inner(value)


def _any_of(hint: Any) -> Check:
    def check(value: Any) -> Any:
        try:
            return msgspec.convert(value, type=hint)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error)) from None

    return check


def check_of(info: inspect.Type, hint: Any) -> Check:
    """The check for a type without None as msgspec describes it; `hint`: its annotation."""
    if isinstance(info, inspect.Metadata):
        return check_of(info.type, hint)
    if isinstance(info, inspect.StrType):
        return _text_check(info)
    if isinstance(info, inspect.LiteralType):
        return _one_of(frozenset(info.values))
    if isinstance(info, inspect.StructType):
        return _instance_of(info.cls, "an object of the canonical language", hint)
    if isinstance(info, inspect.DecimalType):
        return _finite_decimal
    if isinstance(info, inspect.DateTimeType):
        return _aware_time
    if isinstance(info, inspect.BoolType):
        return _exactly(bool, "true or false", "boolean")
    if isinstance(info, inspect.IntType) and info.ge is None and info.le is None:
        return _whole_number
    return _any_of(hint)


def _text_check(info: inspect.StrType) -> Check:
    shortest = info.min_length or 0
    longest = info.max_length if info.max_length is not None else _LONGEST_TEXT
    pattern = re.compile(info.pattern) if info.pattern else None

    def check(value: Any) -> Any:
        if type(value) is not str:
            raise Unreadable(f"text was expected, found {kind_of(value)}", 'send a text, or add the converter "text"')
        if not shortest <= len(value) <= longest:
            raise Unreadable(
                f"{len(value)} characters, where {shortest} to {longest} fit", "shorten it, or add the converter cut"
            )
        if pattern is not None and not pattern.search(value):
            raise Unreadable(f"{shown(value)!r} does not look like {info.pattern}", "send a value of that form")
        return value

    return check


def _one_of(values: frozenset[Any]) -> Check:
    known = ", ".join(sorted(map(str, values)))

    def check(value: Any) -> Any:
        if isinstance(value, str | int) and value in values:
            return value
        raise Unreadable(f"{shown(value)!r} is none of {known}", "send one of these, or add it to the mapping's table")

    return check


def _instance_of(cls: type, wanted: str, hint: Any) -> Check:
    convert = _any_of(hint)

    def check(value: Any) -> Any:
        if type(value) is cls:
            return value
        if isinstance(value, dict):
            return convert(value)
        raise Unreadable(f"{wanted} ({cls.__name__}) was expected, found {kind_of(value)}", "correct the converters")

    return check


def _exactly(kind: type, wanted: str, converter: str) -> Check:
    def check(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise Unreadable(f"{wanted} was expected, found {kind_of(value)}", f'add the converter "{converter}"')

    return check


def _whole_number(value: Any) -> int:
    if type(value) is int and -(1 << 63) <= value < 1 << 63:
        return value
    raise Unreadable(f"a whole number of 64 bits was expected, found {kind_of(value)}", 'add the converter "integer"')


def _finite_decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise Unreadable(f"a decimal number was expected, found {kind_of(value)}", 'add the converter "decimal"')


def _aware_time(value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise Unreadable(f"a time was expected, found {kind_of(value)}", 'add the converter "datetime"')


def _bare(hint: Any) -> inspect.Type | None:
    info = None if hint is None else inspect.type_info(hint)
    return info.type if isinstance(info, inspect.Metadata) else info


def text_bounds(hint: Any) -> tuple[int, int] | None:
    """Shortest and longest text a plain text field takes; None for any other field, and for one with a pattern."""
    info = _bare(hint)
    if not isinstance(info, inspect.StrType) or info.pattern:
        return (0, _LONGEST_TEXT) if hint is None else None
    return info.min_length or 0, _LONGEST_TEXT if info.max_length is None else info.max_length


def is_closed(hint: Any) -> bool:
    """Whether a field takes texts of a small closed kind: a literal, or a code that a pattern of a few letters says."""
    info = _bare(hint)
    if isinstance(info, inspect.LiteralType):
        return True
    return isinstance(info, inspect.StrType) and info.pattern is not None


def holds(hint: Any, kind: type) -> bool:
    """Whether a field annotated `hint` takes every (finite, zoned) value of `kind`."""
    return hint is kind or (get_origin(hint) in (Union, UnionType) and kind in get_args(hint))


def json_able(value: Any) -> Any:
    """`value` as JSON can hold it: decimals and times as text, structs as objects. The check of fields sent out."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if value - value != 0.0:
            raise Unreadable(f"{value} is not a finite number", "send a finite number")
        return value
    if kind is Decimal or kind is datetime:
        return text(value)
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"{kind_of(value)} cannot be sent as JSON: {error}", "add a converter") from None


def fitting(check: Check, hint: Any, value: Any) -> Any:
    """A constant or default as its field takes it: as it stands, or read by msgspec ("0" for a decimal field).

    Raises Unreadable.
    """
    try:
        return check(value)
    except Unreadable:
        if hint is None:
            raise
    try:
        return msgspec.convert(value, type=hint)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)) from None
