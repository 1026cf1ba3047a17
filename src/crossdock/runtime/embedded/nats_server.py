# SPDX-License-Identifier: Apache-2.0
"""NATS JetStream as a child: on loopback behind a token, flushed to disk before it acknowledges."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
from pathlib import Path

import msgspec
import structlog

from crossdock.errors import EngineAway, NeedsConfig
from crossdock.runtime.embedded.binaries import find_nats
from crossdock.runtime.embedded.leftovers import end, started_with
from crossdock.runtime.embedded.state import write_private
from crossdock.runtime.spawn import Child, minimal_environment
from crossdock.settings import Settings

_HOST = "127.0.0.1"
# Below the range that systems take ports of outgoing connections from, so that a restart finds its port free.
_PORTS = range(21_000, 30_000)
_STOP = ((signal.SIGTERM, 10.0),)
_log = structlog.get_logger(__name__)

# Without `sync_interval: always` the server acknowledges at once and flushes every two minutes.
_CONFIGURATION = """\
# Written by Crossdock at every start; changes made here are lost.
server_name: {name}
listen: "{host}:{port}"
authorization {{ token: "{token}" }}
max_payload: 1MB
max_connections: 256
log_file: {log}
logfile_size_limit: 16MB
logfile_max_num: 2
jetstream {{
  store_dir: {store}
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 16GB
}}
"""


class NatsServer:
    """One server in a data folder. `prepare` and `settle` block, run them in a thread; `start` in the main one."""

    name = "nats"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data / "nats"
        self._log_file = settings.data / "nats.log"
        self._configuration = self._folder / "nats.conf"
        self._server_name = ""
        self._token = ""
        self._child: Child | None = None
        self.port = 0

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        return self._child.pid if self._child else 0

    @property
    def url(self) -> str:
        """Its URL, once prepared. It holds the token."""
        return f"nats://{self._token}@{_HOST}:{self.port}"

    def prepare(self, port_before: int = 0) -> None:
        """Find the program and a port (that of the last run if it is free), write the configuration."""
        program = find_nats()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.settle()
        self.port = self._choose_port(port_before)
        self._server_name = f"crossdock-{secrets.token_hex(8)}"
        self._token = _kept_token(self._folder / "token")
        write_private(
            self._configuration,
            _CONFIGURATION.format(
                name=self._server_name,
                host=_HOST,
                port=self.port,
                token=self._token,
                log=json.dumps(str(self._log_file)),
                store=json.dumps(str(self._folder / "store")),
            ).encode(),
        )
        self._child = Child(
            [str(program), "-c", str(self._configuration)],
            stop=_STOP,
            # Its garbage collector keeps to this as long as it can.
            environment=minimal_environment(GOMEMLIMIT="256MiB"),
            output=self._folder / "output.log",
        )

    def settle(self) -> None:
        """End what an earlier run left behind: two servers on one store would spoil it."""
        ended = end(lambda: started_with("nats-server", self._configuration), _STOP, "NATS")
        if ended:
            _log.warning("ended NATS left by an earlier run", processes=ended)

    def trim_log(self) -> None:
        """The server keeps its own log small."""

    def start(self) -> None:
        """Start the process; `ready` tells when it answers."""
        if self._child is None:
            raise RuntimeError("prepare() comes before start()")
        self._child.start()

    async def ready(self, within: float) -> None:
        """Return when our server (not another on that port) answers. Raises EngineAway when it ended or time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while await self._greeting() != self._server_name:
            if not self.running or loop.time() > until:
                why = "does not answer in time" if self.running else "ended while starting"
                raise EngineAway(f"NATS {why} on port {self.port}; see {self._log_file}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop it in order."""
        if self._child:
            await self._child.stop()

    async def _greeting(self) -> str:
        """The name in the server's greeting, a line `INFO {json}`; empty when nobody answers."""
        try:
            reader, writer = await asyncio.open_connection(_HOST, self.port)
        except OSError:
            return ""
        try:
            line = await asyncio.wait_for(reader.readline(), 2)
            return str(msgspec.json.decode(line.removeprefix(b"INFO "), type=_Info).server_name)
        except (OSError, ValueError, msgspec.DecodeError):
            return ""
        finally:
            writer.close()

    def _choose_port(self, before: int) -> int:
        fixed = self._settings.nats_port
        if fixed:
            if not _free(fixed):
                raise NeedsConfig(
                    f"port {fixed} for NATS is taken",
                    field="CROSSDOCK_NATS_PORT",
                    value=fixed,
                    fix="choose another, or unset CROSSDOCK_NATS_PORT to take any that is free",
                )
            return fixed
        random = secrets.SystemRandom()
        for port in (before, *random.sample(_PORTS, 200)):
            if port and _free(port):
                return port
        raise EngineAway("no free port for NATS was found")


class _Info(msgspec.Struct):
    server_name: str


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does, so that connections of an ended run that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _kept_token(path: Path) -> str:
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text("ascii").strip()
