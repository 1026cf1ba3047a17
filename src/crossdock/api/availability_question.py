# SPDX-License-Identifier: Apache-2.0
"""Questions about availability, read from a query string or a JSON body; what is wrong with one is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.governance.caller import LOCAL, Caller
from crossdock.inventory.rules import ChannelRule
from crossdock.runtime.clock import now

MOST_SKUS = 100
MOST_SKUS_IN_BATCH = 500
MOST_QUERY = 16_384
MOST_BODY = 256 * 1024
_SHOWN = 20
_SLACK = timedelta(seconds=2)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


class Question(Struct, frozen=True):
    """What is asked: of which SKUs, on which channel, whether to explain, and of which moment (None: now)."""

    channel: str
    skus: tuple[str, ...]
    explain: bool = False
    at: datetime | None = None


class AvailabilityQuestion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/availability:batch`: at most 500 SKUs."""

    channel: str
    skus: list[str]
    explain: bool = False
    as_of: str | None = None


_BATCH = msgspec.json.Decoder(AvailabilityQuestion)


def of_query(query: bytes) -> Question:
    """The question in a query string: `channel`, `sku` (repeated), `explain`, `as_of`. Refused with the field."""
    if len(query) > MOST_QUERY:
        raise _wrong(f"the query is longer than {MOST_QUERY} bytes", "", "query_size", _BATCH_INSTEAD, 414)
    channel: str | None = None
    explain: str | None = None
    at: str | None = None
    skus: list[str] = []
    for part in query.split(b"&"):
        name, _, raw = part.partition(b"=")
        value = _text(raw)
        if name == b"sku":
            skus.append(value)
        elif name == b"channel" and channel is None:
            channel = value
        elif name == b"explain" and explain is None:
            explain = value
        elif name == b"as_of" and at is None:
            at = value
        elif part:
            shown = repr(name[:100].decode("latin-1"))
            known = name in (b"channel", b"explain", b"as_of")
            reason = f"{shown} is given twice" if known else f"there is no parameter {shown}"
            raise _wrong(reason, "", "parameter", "give channel, sku (as often as there are SKUs), explain, as_of")
    if channel is None:
        raise _wrong("the channel is missing", "channel", "missing", "add channel=NAME")
    return _question(channel, skus, _truth(explain), at, MOST_SKUS, "sku")


def of_body(body: bytes) -> Question:
    """The question in the body of a batch. Refused 400 for what is not JSON, 422 with the field for the rest."""
    try:
        batch = _BATCH.decode(body)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        raise _wrong(reason, where.rstrip("`").lstrip("."), "validation", "see /openapi.json for the body") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"the body is not JSON: {error}"[:300], "", "not_json", "send one JSON object", 400) from error
    return _question(batch.channel, batch.skus, batch.explain, batch.as_of, MOST_SKUS_IN_BATCH, "skus")


def channel_of(question: Question, channels: Mapping[str, ChannelRule], caller: Caller = LOCAL) -> ChannelRule:
    """The rules of the channel asked about. Refused when stock is not sold on it, 404 to a caller that sees only some:
    one of others is no more to it than one that does not exist."""
    channel = channels.get(question.channel)
    if channel is None or not caller.sees_channel(channel.name):
        seen = sorted(name for name in channels if caller.sees_channel(name))
        known = ", ".join(seen[:_SHOWN]) or "none: no channel of yours sells stock by the estate's inventory section"
        reason = f"stock is not sold on channel {_short(question.channel)}"
        status = 422 if caller.channels is None else 404
        raise _wrong(reason, "channel", "availability.channel", f"put one of {known}", status)
    return channel


def check_known(question: Question, products: Collection[str]) -> None:
    """Refuse a question about SKUs that the catalog does not have; it names them."""
    unknown = [sku for sku in question.skus if sku not in products]
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        reason = f"the catalog has no SKU {_list(unknown[:_SHOWN])}{more}"
        raise _wrong(reason, "sku", "availability.sku", "leave it out, or bring its product first")


def _question(channel: str, skus: Iterable[str], explain: bool, at: str | None, most: int, field: str) -> Question:
    asked = tuple(dict.fromkeys(skus))
    if not asked:
        raise _wrong("no SKU is asked about", field, "missing", f"add {field}")
    if len(asked) > most:
        fix = _BATCH_INSTEAD if most < MOST_SKUS_IN_BATCH else f"ask about {most} at a time"
        raise _wrong(f"{len(asked)} SKUs are asked about, at most {most} are answered", field, "too_many", fix)
    return Question(channel, asked, explain, _time(at) if at is not None else None)


_BATCH_INSTEAD = f"POST /v1/availability:batch answers {MOST_SKUS_IN_BATCH} SKUs at once"


def _text(raw: bytes) -> str:
    try:
        return (unquote_to_bytes(raw.replace(b"+", b" ")) if b"%" in raw or b"+" in raw else raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong("the query is not UTF-8", "", "encoding", "percent-encode UTF-8", 400) from error


def _truth(text: str | None) -> bool:
    if text in (None, "false", "0"):
        return False
    if text in ("true", "1", ""):
        return True
    raise _wrong(f"{_short(text or '')} is neither true nor false", "explain", "boolean", "put true or false")


def _time(text: str) -> datetime:
    # The plus of an offset comes out of a query as a space.
    said = text[:16] + text[16:].replace(" ", "+") if _DATE.match(text) else text
    try:
        at = msgspec.convert(said, type=datetime)
    except msgspec.ValidationError as error:
        raise _time_wrong(f"{_short(text)} is no time") from error
    if at.tzinfo is None:
        raise _time_wrong(f"{_short(text)} says nothing of its time zone")
    if at > now() + _SLACK:
        raise _time_wrong(f"{_short(text)} has not come yet")
    return at


def _time_wrong(reason: str) -> Refused:
    return _wrong(reason, "as_of", "time", "put a moment of the past as RFC 3339 has it: 2026-11-23T12:00:00Z")


def _wrong(reason: str, field: str, rule: str, fix: str, status: int = 422) -> Refused:
    return Refused(reason, status=status, field=field, rule=rule, fix=fix)


def _list(names: list[str]) -> str:
    return ", ".join(_short(name) for name in names)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
