# SPDX-License-Identifier: Apache-2.0
"""Who the breaking changes of a contract hit: asked of the journal and of the counts of who calls what, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
from rich.console import Console

from crossdock.canonical.objects import OBJECTS
from crossdock.cli.connect import Connection
from crossdock.cli.contract_files import Given
from crossdock.cli.output import plain
from crossdock.errors import Refused
from crossdock.governance.contract_change import ContractChange
from crossdock.governance.contract_traffic import (
    Hit,
    interface_hits,
    payload_hits,
    recorded,
    recorded_sources,
    route_hits,
    senders_of,
    sent_hits,
)
from crossdock.governance.schema_side import Side
from crossdock.mapping.effects import outcomes
from crossdock.sdk.words import Mapping

_SHOWN = 600


async def hits(
    conn: Connection, changes: Sequence[ContractChange], both: tuple[Given, Given], since: date
) -> list[Hit]:
    """Who is hit by what breaks from one of `both` to the other. Refused where recorded traffic says nothing of it."""
    old, new = both
    if old.mapping is not None and new.mapping is not None:
        return await _of_mapping(conn, old.mapping, new.mapping)
    if old.kind == "openapi":
        return await route_hits(conn, changes, since)
    if old.kind == "schema":
        kind = _kind_of(new.document)
        sides = Side(old.document, old.document), Side(new.document, new.document)
        sent = sent_hits(changes, await senders_of(conn, kind))
        return payload_hits(changes, *sides, await recorded(conn, kind)) + sent
    raise Refused(
        "who listens to the event stream is not recorded",
        rule="traffic",
        fix="leave --traffic out; `crossdock subscriptions list` says who has events sent",
    )


async def _of_mapping(conn: Connection, old: Mapping, new: Mapping) -> list[Hit]:
    samples = await recorded_sources(conn, old.name)
    came = outcomes(old, new, {str(one.document): one.payload for one in samples})
    tried = [(one, came[str(one.document)]) for one in samples if str(one.document) in came]
    return [Hit(place="", rule="mapping", where=old.name, interfaces=interface_hits(tried))]


def _kind_of(document: dict[str, object]) -> str:
    identity = str(document.get("$id", "")).rpartition("/schemas/")[2].partition("/")[0]
    name = next((one for one in (identity, str(document.get("title", ""))) if one in OBJECTS), "")
    if not name:
        raise Refused(
            "which recorded documents the schema is about is not known",
            rule="traffic",
            fix="give it the title or $id of a canonical object, as `GET /schemas` lists them",
        )
    return name


def print_hits(found: Sequence[Hit], out: Console) -> None:
    """Say who is hit, change by change."""
    for one in found:
        at = " ".join(part for part in (one.where, one.rule, one.place) if part)
        hit = [face for face in one.interfaces if face.broken]
        if one.note:
            out.print(plain(f"{at}: {one.note}"))
            continue
        if not one.consumers and not hit:
            tried = sum(face.tried for face in one.interfaces)
            out.print(
                plain(f"nobody is hit, as far as recorded: {at}" + (f" ({tried} payloads tried)" if tried else ""))
            )
            continue
        out.print(plain(f"hit by {at}", "bold"))
        for consumer in one.consumers:
            said = f"{consumer.requests:,} requests, the last {consumer.last_at:%Y-%m-%d %H:%M}"
            out.print(plain(f"  consumer {consumer.consumer}: {said}"))
        for face in hit:
            out.print(plain(f"  interface {face.interface}: {face.broken} of {face.tried} recorded payloads"))
            if face.example is not None:
                example = face.example
                what = f"{example.rule}, {example.found}" if example.found else example.rule
                out.print(plain(f"    document {example.document}, {example.at or '/'}: {what}"))
                form = msgspec.json.encode(example.form).decode()
                out.print(plain(f"    {form if len(form) <= _SHOWN else form[:_SHOWN] + '…'}"))
