# SPDX-License-Identifier: Apache-2.0
"""The supervisor of the embedded engines: one per data folder, starts in order, restarts what dies, stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

import structlog

from crossdock.errors import EngineAway
from crossdock.runtime.embedded.nats_server import NatsServer
from crossdock.runtime.embedded.places import make_data_folder
from crossdock.runtime.embedded.postgres_server import PostgresServer
from crossdock.runtime.embedded.state import Endpoints, FolderLock, State, read_state, started, write_state
from crossdock.settings import Settings

# Long, because recovery after a crash under load may have a gigabyte of log to read.
_READY_WITHIN = 120.0
_TRIES = 3
_RESTARTS, _RESTART_WINDOW = 5, 60.0
_LOOK_EVERY = 0.1
_TRIM_EVERY = 600
_log = structlog.get_logger(__name__)


class _Server(Protocol):
    name: str

    @property
    def running(self) -> bool: ...
    @property
    def pid(self) -> int: ...
    def settle(self) -> None: ...
    def trim_log(self) -> None: ...
    def start(self) -> None: ...
    async def ready(self, within: float) -> None: ...
    async def stop(self) -> None: ...


class Engines:
    """PostgreSQL and NATS for one data folder; an engine whose URL the settings give is not started.

    `watch`: restart an engine that dies, at most five times a minute. Start from the main thread: on Linux the engines
    end with the thread that started them.
    """

    def __init__(self, settings: Settings, *, watch: bool = True) -> None:
        self._settings = settings
        self._watching = watch
        self._lock = FolderLock(settings.data)
        self.postgres = None if settings.database_url else PostgresServer(settings)
        self.nats = None if settings.nats_url else NatsServer(settings)
        self._watcher: asyncio.Task[None] | None = None
        self._gave_up = asyncio.Event()
        self._reason = EngineAway("")
        self._opened = False

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, settings: Settings, *, watch: bool = True) -> AsyncIterator[Engines]:
        """Engines that run as long as the block."""
        engines = cls(settings, watch=watch)
        await engines.open()
        try:
            yield engines
        finally:
            await engines.stop()

    @property
    def database_url(self) -> str:
        """PostgreSQL's URL; it may hold a password."""
        return self._settings.database_url or (self.postgres.url if self.postgres else "")

    @property
    def nats_url(self) -> str:
        """NATS's URL; it may hold a token."""
        return self._settings.nats_url or (self.nats.url if self.nats else "")

    @property
    def endpoints(self) -> Endpoints:
        """Both URLs, as `discover` gives them to other processes."""
        return Endpoints(database_url=self.database_url, nats_url=self.nats_url)

    async def open(self) -> None:
        """Start what is to be started; returns when it answers. NeedsConfig, EngineAway: nothing is left running."""
        if not self._servers:
            return
        await asyncio.to_thread(make_data_folder, self._settings.data)
        self._lock.take()
        try:
            before = read_state(self._settings.data)
            async with asyncio.TaskGroup() as group:
                if self.postgres:
                    group.create_task(self._bring_up_postgres(self.postgres, before))
                if self.nats:
                    group.create_task(self._bring_up_nats(self.nats, before))
            self._write_state(os.getpid())
            self._opened = True
        except BaseException as error:
            await self.stop()
            if isinstance(error, BaseExceptionGroup):
                # Both may have failed; the first says enough.
                raise error.exceptions[0] from error
            raise
        if self._watching:
            self._watcher = asyncio.create_task(self._watch_until_hopeless())

    async def stop(self) -> None:
        """Stop watching, stop the engines in order, let go of the data folder. May be called twice."""
        if self._watcher:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            self._watcher = None
        await asyncio.gather(*(server.stop() for server in self._servers))
        if self._opened:
            self._write_state(0)
            self._opened = False
        self._lock.release()

    async def failure(self) -> EngineAway:
        """Wait until watching was given up because an engine keeps dying, and return why. Never returns otherwise."""
        await self._gave_up.wait()
        return self._reason

    @property
    def _servers(self) -> list[_Server]:
        return [server for server in (self.postgres, self.nats) if server]

    async def _bring_up_postgres(self, server: PostgresServer, before: State) -> None:
        await asyncio.to_thread(server.prepare, before.socket_folder)
        await _run(server)

    async def _bring_up_nats(self, server: NatsServer, before: State) -> None:
        for remaining in reversed(range(_TRIES)):
            await asyncio.to_thread(server.prepare, before.nats_port)
            server.start()
            try:
                await server.ready(_READY_WITHIN)
                return
            except EngineAway:
                # Somebody may have taken the port between our look and the server's start.
                if not remaining or server.running:
                    raise

    async def _watch_until_hopeless(self) -> None:
        try:
            await self._watch()
        except (EngineAway, OSError) as error:
            self._reason = error if isinstance(error, EngineAway) else EngineAway(f"an engine cannot be run: {error}")
            _log.error("engines given up", reason=str(error))
            self._gave_up.set()

    async def _watch(self) -> None:
        deaths: deque[float] = deque(maxlen=_RESTARTS)
        loop = asyncio.get_running_loop()
        trimmed = loop.time()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if loop.time() - trimmed > _TRIM_EVERY:
                trimmed = loop.time()
                for server in self._servers:
                    await asyncio.to_thread(server.trim_log)
            for server in self._servers:
                if server.running:
                    continue
                if len(deaths) == _RESTARTS and loop.time() - deaths[0] < _RESTART_WINDOW:
                    raise EngineAway(f"{server.name} ended {_RESTARTS + 1} times within {_RESTART_WINDOW:.0f} s")
                deaths.append(loop.time())
                _log.warning("engine ended, starting it again", engine=server.name, pid=server.pid)
                await _run(server)

    def _write_state(self, supervisor: int) -> None:
        write_state(
            self._settings.data,
            State(
                supervisor=supervisor,
                since=started(os.getpid()) if supervisor else 0.0,
                database_url=self.database_url,
                nats_url=self.nats_url,
                socket_folder=str(self.postgres.sockets) if self.postgres else "",
                nats_port=self.nats.port if self.nats else 0,
            ),
        )


async def _run(server: _Server) -> None:
    """Start a prepared server, again if it ends at once (parts of a killed run may need a second to vanish)."""
    for remaining in reversed(range(_TRIES)):
        await asyncio.to_thread(server.settle)
        server.start()
        try:
            await server.ready(_READY_WITHIN)
            _log.info("engine ready", engine=server.name, pid=server.pid)
            return
        except EngineAway:
            if not remaining or server.running:
                raise
            await asyncio.sleep(1)
