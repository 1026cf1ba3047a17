# SPDX-License-Identifier: Apache-2.0
"""Feed a file to an interface, as if its system had sent it (Idempotent Receiver)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
from msgspec import Struct

from crossdock.app.wiring import OVERTAKES, Wired
from crossdock.connectors.file_drop.feed import feed_of
from crossdock.connectors.file_drop.take import FileReport, take_file
from crossdock.errors import NeedsConfig, Refused
from crossdock.journal.keep import keep
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away
from crossdock.sdk.receiving import HookRequest, Identified, Incoming, KeepResult, digest_of

Tell = Callable[[FileReport], None]


class Target(Struct, frozen=True, kw_only=True):
    """Where files go: an interface, and the topic of payloads ("" for file interfaces, whose rows say it)."""

    interface: str
    topic: str


def target_of(wired: Wired, interface: str, topic: str) -> Target:
    """The target, checked against the estate. `topic` "" is the interface's first. NeedsConfig says what there is."""
    estate = wired.estate
    face = estate.interfaces.get(interface)
    if face is None or face.declared.direction != "in":
        known = sorted(name for name, one in estate.interfaces.items() if one.declared.direction == "in")
        raise NeedsConfig(
            f"no interface {interface!r} takes anything in",
            field="interface",
            fix=f"use one of {', '.join(known)}" if known else "declare an interface in the estate",
        )
    topics = face.declared.topics
    if face.declared.state == "retired":
        instead = face.declared.replaced_by
        raise NeedsConfig(
            f"interface {interface} is retired: nothing is taken for it any more",
            field="interface",
            fix=f"use {instead}" if instead else "ask its owner what to use instead",
        )
    if interface in estate.declared.files:
        if topic:
            raise NeedsConfig(
                f"{interface} takes files, whose rows say which topic they are", field="--topic", fix="leave it out"
            )
        return Target(interface=interface, topic="")
    if topic and topic not in topics:
        raise NeedsConfig(
            f"interface {interface} has no topic {topic!r}", field="--topic", fix=f"use one of {', '.join(topics)}"
        )
    return Target(interface=interface, topic=topic or topics[0])


async def check_declared(pool: asyncpg.Pool, interface: str) -> None:
    """NeedsConfig when the Crossdock behind `pool` runs an estate without `interface`: nobody would take it up."""
    with away():
        known = await pool.fetchval("SELECT EXISTS (SELECT FROM interface WHERE name = $1)", interface)
    if not known:
        raise NeedsConfig(
            f"the Crossdock that runs here does not know interface {interface!r}",
            field="estate",
            fix="start it with the same estate file",
        )


async def send_file(pool: asyncpg.Pool, wired: Wired, target: Target, path: Path, tell: Tell) -> FileReport:
    """Keep what is in the file at `path`; `tell` is told after every batch. A file that cannot be taken is a report
    with `refused`. Raises EngineAway when PostgreSQL cannot be reached: what was kept is kept, send it again."""

    async def keep_all(batch: Sequence[Incoming]) -> list[KeepResult]:
        return await keep(pool, batch)

    try:
        if not target.topic:
            return await take_file(path, feed_of(wired.estate, target.interface, os.environ), keep_all, tell)
        incoming = await asyncio.to_thread(_payload, wired, target, path)
        kept = (await keep_all([incoming]))[0]
        return FileReport(file=path.name, rows=1, documents=1, duplicates=int(kept.duplicate))
    except Refused as error:
        return FileReport(file=path.name, refused=". ".join(part for part in (error.reason, error.fix) if part))
    except OSError as error:
        return FileReport(file=path.name, refused=f"the file cannot be read: {error.strerror or error}")


def _payload(wired: Wired, target: Target, path: Path) -> Incoming:
    face = wired.estate.interfaces[target.interface]
    connector = wired.connectors[face.system]
    most = wired.estate.limits(face.system, connector.manifest.limits).body_bytes
    with path.open("rb") as file:
        body = file.read(most + 1)
    if len(body) > most:
        raise Refused(f"the file is larger than the {most} bytes the interface takes", fix="send it in parts")
    if not body.strip():
        raise Refused("the file is empty", fix="send one JSON payload per file")
    digest = digest_of(body)
    sent = f"sent/{digest & (2**64 - 1):016x}"
    request = HookRequest(
        system=face.system,
        topic=target.topic,
        headers=_headers(connector.manifest.name, sent),
        body=body,
        received_at=now(),
    )
    found = (
        connector.receiver.identify(request)
        if connector.receiver is not None
        else Identified(dedup_key=sent, key=f"{sent}/{target.interface}", topic=target.topic)
    )
    return Incoming(
        interface=target.interface,
        topic=target.topic,
        dedup_key=sent,
        key=found.key,
        version=found.version,
        body=body,
        digest=digest,
        overtakes=face.object in OVERTAKES,
        problem=found.problem,
    )


def _headers(connector: str, delivery: str) -> dict[str, str]:
    """A file has no headers; receivers look for the delivery's id under the name of Standard Webhooks or their own."""
    return {"webhook-id": delivery, f"x-{connector}-webhook-id": delivery}
