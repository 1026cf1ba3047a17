# SPDX-License-Identifier: Apache-2.0
"""Who a change of a contract hits, from recorded traffic: consumers that called a route, interfaces whose recorded
payloads the new version refuses. Of a payload nothing is told but its form: field paths and types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec
from jsonschema.exceptions import ValidationError
from msgspec import Struct

from crossdock.governance.contract_change import ContractChange
from crossdock.governance.keyring import SQL
from crossdock.governance.route_usage import UsageWish, route_usage
from crossdock.governance.schema_side import Side

MOST_SAMPLES = 500
"""The most recorded payloads that are tried."""
LOOKED_BACK = 20_000
"""Among so many of the newest documents they are looked for."""
_DEEPEST = 8
_MOST_FIELDS = 40
_LARGEST = 1_000_000
_NAME = re.compile(r"[A-Za-z_@$][\w.:$-]{0,59}")
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


Fault = tuple[str, str, str]
"""What is wrong with a payload: place, rule, type found there."""
_UNIONS = frozenset({"anyOf", "oneOf", "allOf", "not", "if"})


class HitConsumer(Struct, frozen=True, kw_only=True):
    """A consumer that called the route: how often since the day asked for, and when last (UTC)."""

    consumer: str
    requests: int
    last_at: datetime


class FormOf(Struct, frozen=True, kw_only=True):
    """A recorded payload that would break, without its values: `document` is its id in the journal, `at` the place of
    the fault, `rule` what it breaks, `found` the type found there, `form` the whole payload with types for values."""

    document: int
    at: str
    rule: str
    found: str
    form: Any


class HitInterface(Struct, frozen=True, kw_only=True):
    """An interface whose recorded payloads were tried: how many, how many of them the new version does not take, or
    takes otherwise; and one of those."""

    interface: str
    tried: int
    broken: int
    example: FormOf | None


class Hit(Struct, frozen=True, kw_only=True):
    """Who one breaking change hits: `rule` at `place` in `where`; `note`: what recorded traffic cannot say."""

    place: str
    rule: str
    where: str
    consumers: list[HitConsumer] = []
    interfaces: list[HitInterface] = []
    note: str = ""


class Recorded(Struct, frozen=True):
    """A payload of the journal: its document, the interface it came by, and what it says."""

    document: int
    interface: str
    payload: Any


async def recorded(conn: asyncpg.Connection, kind: str, limit: int = MOST_SAMPLES) -> list[Recorded]:
    """The newest documents of a kind in canonical form, among the LOOKED_BACK newest of all; what is no JSON or above a
    million bytes is left out."""
    return list(
        _decoded(await conn.fetch(SQL.recorded_documents, kind, LOOKED_BACK, min(limit, MOST_SAMPLES), _LARGEST))
    )


async def recorded_sources(conn: asyncpg.Connection, mapping: str, limit: int = MOST_SAMPLES) -> list[Recorded]:
    """What came in of the newest documents that `mapping` (any version) made, the same way."""
    rows = await conn.fetch(SQL.recorded_sources, mapping, LOOKED_BACK, min(limit, MOST_SAMPLES), _LARGEST)
    return list(_decoded(rows))


async def route_hits(conn: asyncpg.Connection, changes: Iterable[ContractChange], since: date) -> list[Hit]:
    """For each breaking change of an OpenAPI document the consumers that called its route since a day."""
    callers: dict[tuple[str, str], list[HitConsumer]] = {}
    for one in await route_usage(conn, UsageWish(since=since, limit=5_000)):
        found = HitConsumer(consumer=one.consumer, requests=one.requests, last_at=one.last_at)
        callers.setdefault((one.method, one.path), []).append(found)
    return [
        Hit(place=one.place, rule=one.rule, where=one.where, consumers=callers.get(_route(one.where), []))
        for one in changes
        if one.verdict == "breaking"
    ]


async def senders_of(conn: asyncpg.Connection, kind: str) -> list[str]:
    """The interfaces by which objects of a kind are sent out."""
    return [row["name"] for row in await conn.fetch(SQL.interfaces_out, kind)]


def sent_hits(changes: Iterable[ContractChange], senders: Sequence[str]) -> list[Hit]:
    """For each breaking change of what we send: by which interfaces it goes out; how it is read is not recorded."""
    note = f"sent by {', '.join(senders)}: how it is read there is not recorded" if senders else ""
    return [
        Hit(place=one.place, rule=one.rule, where=one.where, note=note or "no interface sends it")
        for one in changes
        if one.verdict == "breaking" and one.direction == "sent"
    ]


def payload_hits(changes: Iterable[ContractChange], old: Side, new: Side, samples: Sequence[Recorded]) -> list[Hit]:
    """For each breaking change of what we receive the interfaces whose recorded payloads `old` takes and `new` refuses
    there; a payload that breaks several is counted for each."""
    faults = [(one, list(new.errors(one.payload)) if old.accepts(one.payload) else []) for one in samples]
    return [
        Hit(
            place=change.place,
            rule=change.rule,
            where=change.where,
            interfaces=_by_interface([(one, _fault(errors, change)) for one, errors in faults]),
        )
        for change in changes
        if change.verdict == "breaking" and change.direction == "received"
    ]


def interface_hits(tried: Sequence[tuple[Recorded, tuple[str, str] | None]]) -> list[HitInterface]:
    """Per interface what came of its recorded payloads: each with (field, what is wrong), None = as before."""
    return _by_interface([(one, None if wrong is None else (wrong[0], wrong[1], "")) for one, wrong in tried])


def form_of(payload: Any, depth: int = 0) -> Any:
    """`payload` with types for values, so that nobody is named: of a list the first element stands for all, names that
    look like data are left out, and what is deep or wide is cut."""
    if isinstance(payload, dict):
        if depth == _DEEPEST:
            return "object"
        shown = list(payload.items())[:_MOST_FIELDS]
        form = {name if _NAME.fullmatch(name) else "(name)": form_of(value, depth + 1) for name, value in shown}
        return form if len(payload) <= _MOST_FIELDS else {**form, "(more)": f"{len(payload) - _MOST_FIELDS} fields"}
    if isinstance(payload, list):
        return [form_of(payload[0], depth + 1)] if payload and depth < _DEEPEST else []
    return _TYPES.get(type(payload), "string")


def _decoded(rows: Iterable[asyncpg.Record]) -> Iterable[Recorded]:
    for row in rows:
        try:
            payload = msgspec.json.decode(row["body"])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        yield Recorded(row["id"], row["interface"], payload)


def _route(where: str) -> tuple[str, str]:
    """`GET /v1/orders → 200`: the route without what it answers."""
    method, _, path = where.partition(" → ")[0].partition(" ")
    return method, path


def _fault(errors: Sequence[ValidationError], change: ContractChange) -> Fault | None:
    """The fault of those that `change` makes; None when it makes none of them."""
    for error in errors:
        if _made_by(change, error):
            at = "/".join(_shown(str(part)) for part in error.absolute_path)
            return f"/{at}" if at else "", str(error.validator), _type(error.instance)
    return None


def _made_by(change: ContractChange, error: ValidationError) -> bool:
    rule = str(error.validator)
    if rule in _UNIONS and rule != change.rule:
        return change.rule != "required"
    if rule != change.rule:
        return False
    if rule == "required":
        return any(repr(name) in error.message for name in (change.before, change.after) if isinstance(name, str))
    # Of a property its name must be that of the place; what a place in a definition or a list is called is not known.
    *_, word, name = ("", "", *change.place.split("/"))
    named = [part for part in error.absolute_path if isinstance(part, str)]
    return word != "properties" or (bool(named) and named[-1] == name.replace("~1", "/").replace("~0", "~"))


def _shown(name: str) -> str:
    return name if name.isdecimal() or _NAME.fullmatch(name) else "(name)"


def _type(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return f"array of {len(value)}"
    if isinstance(value, str):
        return f"string of {len(value)} characters"
    return _TYPES.get(type(value), "string")


def _by_interface(tried: Sequence[tuple[Recorded, Fault | None]]) -> list[HitInterface]:
    found: dict[str, list[tuple[Recorded, Fault | None]]] = {}
    for pair in tried:
        found.setdefault(pair[0].interface, []).append(pair)
    made = []
    for interface, those in sorted(found.items()):
        broken = [(one, fault) for one, fault in those if fault is not None]
        example = None
        if broken:
            first, (at, rule, kind) = broken[0]
            example = FormOf(document=first.document, at=at, rule=rule, found=kind, form=form_of(first.payload))
        made.append(HitInterface(interface=interface, tried=len(those), broken=len(broken), example=example))
    return made
