# SPDX-License-Identifier: Apache-2.0
"""Wire polling: which systems are asked what changed, how often, and with which share of what they allow."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Final

import asyncpg
import structlog
from msgspec import Struct
from msgspec.structs import replace

from crossdock.app.wiring import OVERTAKES, Wired, secret_of
from crossdock.errors import CrossdockError, EngineAway, NeedsConfig
from crossdock.estate.compile import CompiledInterface
from crossdock.estate.durations import duration
from crossdock.intake.poll import Asked, due_in, poll, sync_polls
from crossdock.sdk.connector import MakePoller, SystemConfig
from crossdock.sdk.manifest import Limits, Polls
from crossdock.sdk.polling import Poller

# Asking takes no more than this share of the calls a system allows, and one call at a time.
SHARE: Final = 0.2
# A page may take several calls.
_CALLS: Final = 3
_AGAIN_SECONDS: Final = 2.0
_LONGEST_REST: Final = 30.0
Wake = Callable[[], Awaitable[object]]

log = structlog.get_logger(__name__)


class PolledSystem(Struct, frozen=True, kw_only=True):
    """A system that is asked, and about what."""

    name: str
    make: MakePoller
    config: SystemConfig
    topics: tuple[Asked, ...]


def polled_systems(wired: Wired) -> list[PolledSystem]:
    """Every system that is asked what changed, with the topics of its interfaces that are not retired.

    NeedsConfig when a setting of one cannot be resolved.
    """
    topics: dict[str, list[Asked]] = defaultdict(list)
    for (system, topic), face in sorted(wired.estate.incoming.items()):
        manifest = wired.connectors[system].manifest
        for polls in manifest.polls:
            if polls.topic == topic:
                topics[system].append(_asked(face, polls, wired.estate.limits(system, manifest.limits)))
    return [one for name in topics for one in [_system(wired, name, topics[name])] if one is not None]


def _asked(face: CompiledInterface, polls: Polls, limits: Limits) -> Asked:
    said = face.declared.poll
    return Asked(
        interface=face.name,
        topic=polls.topic,
        every=duration(said.every) if said.every else timedelta(seconds=polls.interval),
        overlap=duration(said.overlap) if said.overlap else timedelta(seconds=polls.overlap),
        since=datetime.combine(said.since, time(), UTC) if said.since is not None else None,
        patience=limits.timeout * _CALLS,
        pause=_CALLS / (limits.rate * SHARE) if limits.rate else 0.0,
        overtakes=face.object in OVERTAKES,
    )


def _system(wired: Wired, name: str, topics: Sequence[Asked]) -> PolledSystem | None:
    connector, estate = wired.connectors[name], wired.estate
    if connector.make_poller is None:
        return None
    config = SystemConfig(
        name=name,
        settings=estate.settings(name, os.environ),
        secret=secret_of(wired, name),
        limits=replace(estate.limits(name, connector.manifest.limits), concurrency=1),
        names=estate.names(name),
        translate={},
    )
    return PolledSystem(name=name, make=connector.make_poller, config=config, topics=tuple(topics))


async def watch_polls(stop: asyncio.Event, pool: asyncpg.Pool, systems: Sequence[PolledSystem], wake: Wake) -> None:
    """Ask every system until `stop` is set, each by itself: one that is away delays no other. Survives an absent
    database."""
    topics = [topic for system in systems for topic in system.topics]
    while not stop.is_set():
        try:
            await sync_polls(pool, topics)
            break
        except EngineAway as error:
            log.info("poll.engine_away", reason=error.reason)
            await _rest(stop, _AGAIN_SECONDS)
    async with asyncio.TaskGroup() as group:
        for system in systems:
            group.create_task(_watch(stop, pool, system, wake))


async def _watch(stop: asyncio.Event, pool: asyncpg.Pool, system: PolledSystem, wake: Wake) -> None:
    troubles: dict[str, str] = {}
    poller: Poller | None = None
    try:
        while not stop.is_set():
            rest = _LONGEST_REST
            for topic in system.topics:
                poller = poller or _made(system, troubles)
                rest = min(rest, await _turn(stop, pool, topic, poller, wake, troubles) if poller else rest)
            await _rest(stop, max(rest, 0.05))
    finally:
        if poller is not None:
            await poller.close()


def _made(system: PolledSystem, troubles: dict[str, str]) -> Poller | None:
    """A poller; None while its settings do not let one be made."""
    try:
        return system.make(system.config)
    except NeedsConfig as error:
        _tell(troubles, system.name, "", error)
        return None


async def _turn(
    stop: asyncio.Event, pool: asyncpg.Pool, topic: Asked, poller: Poller, wake: Wake, troubles: dict[str, str]
) -> float:
    """Read a topic if it is due; seconds until it is due again."""
    try:
        read = await poll(pool, topic, poller, wake, stop)
        if read is not None:
            if troubles.pop(topic.topic, ""):
                log.info("poll.well_again", interface=topic.interface, topic=topic.topic)
            if read.kept:
                log.info("poll.read", interface=topic.interface, topic=topic.topic, kept=read.kept, pages=read.pages)
        return await due_in(pool, topic)
    except EngineAway as error:
        log.info("poll.engine_away", reason=error.reason)
    except CrossdockError as error:
        _tell(troubles, topic.interface, topic.topic, error)
    except Exception:  # edge: a bug in one connector must not end the scheduler's other tasks
        log.exception("poll.failed", interface=topic.interface, topic=topic.topic)
    return _AGAIN_SECONDS


def _tell(troubles: dict[str, str], interface: str, topic: str, error: CrossdockError) -> None:
    """Tell of trouble when it begins, and not at every try."""
    if troubles.get(topic) != error.reason:
        troubles[topic] = error.reason
        log.warning("poll.trouble", interface=interface, topic=topic, reason=error.reason, fix=error.fix)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
