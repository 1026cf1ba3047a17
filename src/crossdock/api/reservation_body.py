# SPDX-License-Identifier: Apache-2.0
"""Bodies of calls about reservations, read from JSON; every field of the wrong type is named at once."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.inventory.reservation import MOST_LINES, ReservationLine, ReservationRequest

# A line takes about 100 bytes; far more than a reservation may have are not even read.
MOST_BODY = 512 * 1024
_FIX = "see /openapi.json for what this path takes"
_AT = re.compile(r" - at `(\$[^`]*)`$")
_NAMED = re.compile(r"field `([^`]{1,100})`")
_SHOWN = 100


class Longer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `:extend`."""

    ttl_seconds: int


class Ordered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `:commit`, which may be left out."""

    order_key: str = ""


Body = TypeVar("Body", bound=Struct)
_LONGER, _ORDERED = msgspec.json.Decoder(Longer), msgspec.json.Decoder(Ordered)
_REQUEST = msgspec.json.Decoder(ReservationRequest)


def request_of(body: bytes) -> ReservationRequest:
    """What is to be reserved. Refused 400 for what is not JSON, 422 with every field that is of the wrong type."""
    return _decode(_REQUEST, body)


def longer_of(body: bytes) -> Longer:
    """For how long a reservation is to be held. Raises Refused."""
    return _decode(_LONGER, body)


def ordered_of(body: bytes) -> Ordered:
    """Which order a reservation is for. Raises Refused."""
    return _decode(_ORDERED, body) if body else Ordered()


def _decode(decoder: msgspec.json.Decoder[Body], body: bytes) -> Body:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused.of(_faults(body, decoder, error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error


def _faults(body: bytes, decoder: msgspec.json.Decoder[Any], error: msgspec.ValidationError) -> list[Refused]:
    """What is wrong, at most one thing a line; the decoder itself stops at the first."""
    if decoder is not _REQUEST:
        return [_fault(error, "")]
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise _not_json(broken) from broken
    lines = raw.get("lines") if isinstance(raw, dict) else None
    if not isinstance(lines, list) or len(lines) > MOST_LINES:
        return [_fault(error, "")]
    found: list[Refused] = []
    for value, kind, prefix in [
        ({**raw, "lines": []}, ReservationRequest, ""),
        *((line, ReservationLine, f"lines[{index}]") for index, line in enumerate(lines)),
    ]:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as one:
            found.append(_fault(one, prefix))
    return found[:_SHOWN] or [_fault(error, "")]


def _fault(error: msgspec.ValidationError, prefix: str) -> Refused:
    """One fault in our own words' form: the place as `lines[3].quantity`."""
    reason = str(error)
    at = _AT.search(reason)
    path = at[1].removeprefix("$").lstrip(".") if at else ""
    named = _NAMED.search(reason)
    parts = [prefix, path, named[1] if named else ""]
    return Refused(_AT.sub("", reason)[:300], field=".".join(part for part in parts if part), rule="shape", fix=_FIX)


def _not_json(error: Exception) -> Refused:
    said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
    return Refused(f"the body is not JSON in UTF-8: {said}", status=400, rule="json", fix="send one JSON object")
