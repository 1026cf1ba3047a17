# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests, read from JSON into a struct; every field that is not what it should be is named at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from crossdock.errors import Refused

SHOWN = 100
"""The most faults that are told of one request."""
_FIX = "see /openapi.json for what this path takes"
_AT = re.compile(r" - at `(\$[^`]*)`$")

Body = TypeVar("Body", bound=Struct)


def decoded(decoder: msgspec.json.Decoder[Body], body: bytes) -> Body:
    """The struct that `body` says. Refused 400 for what is not JSON, 422 with every field that is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused.of(_faults(decoder, body, error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error


def _faults(decoder: msgspec.json.Decoder[Any], body: bytes, error: msgspec.ValidationError) -> list[Refused]:
    """What is wrong; the decoder itself stops at the first."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.ValidationError:  # a number beyond what is read without a type
        return [_fault(error, "")]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise _not_json(broken) from broken
    found: list[Refused] = []
    for fault in _wrong(raw, decoder.type, ""):
        found.append(fault)
        if len(found) == SHOWN:
            break
    # Numbers lose their digits when they are read without a type: what is wrong with one the decoder has said.
    return found or [_fault(error, "")]


def _wrong(value: Any, kind: Any, at: str) -> Iterator[Refused]:
    """What is wrong with `value`, which should be a `kind`, field by field and element by element."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        inner, element = _struct_of(kind), _element_of(kind)
        if inner is not None and isinstance(value, dict):
            yield from _wrong_fields(value, inner, at)
        elif element is not None and isinstance(value, list):
            for index, one in enumerate(value):
                yield from _wrong(one, element, f"{at}[{index}]")
        else:
            yield _fault(error, at)


def _wrong_fields(value: dict[str, Any], kind: type[Struct], at: str) -> Iterator[Refused]:
    before = f"{at}." if at else ""
    known = msgspec.structs.fields(kind)
    for field in known:
        if field.encode_name in value:
            yield from _wrong(value[field.encode_name], field.type, f"{before}{field.encode_name}")
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield _shape("it is missing", f"{before}{field.encode_name}")
    if kind.__struct_config__.forbid_unknown_fields:
        for name in value.keys() - {field.encode_name for field in known}:
            yield _shape("there is no such field", f"{before}{name}"[:200])


def _struct_of(kind: Any) -> type[Struct] | None:
    """The struct that `kind` is, or is when it is not null."""
    for one in get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,):
        if isinstance(one, type) and issubclass(one, Struct):
            return one
    return None


def _element_of(kind: Any) -> type[Struct] | None:
    """The struct of which `kind` is a tuple or list."""
    if get_origin(kind) not in (tuple, list):
        return None
    first = get_args(kind)[0]
    return first if isinstance(first, type) and issubclass(first, Struct) else None


def _fault(error: msgspec.ValidationError, prefix: str) -> Refused:
    """One fault in our own words' form: the place as `lines[3].quantity`."""
    reason = str(error)
    at = _AT.search(reason)
    path = at[1].removeprefix("$") if at else ""
    return _shape(_AT.sub("", reason)[:300], f"{prefix}{path}".lstrip("."))


def _shape(reason: str, field: str) -> Refused:
    return Refused(reason, field=field, rule="shape", fix=_FIX)


def _not_json(error: Exception) -> Refused:
    said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
    return Refused(f"the body is not JSON in UTF-8: {said}", status=400, rule="json", fix="send one JSON object")
