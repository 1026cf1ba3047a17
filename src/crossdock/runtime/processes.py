# SPDX-License-Identifier: Apache-2.0
"""The roles that `up` runs as processes of their own: started, started again when they crash, stopped in order."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import structlog

from crossdock.errors import NeedsConfig
from crossdock.runtime.spawn import Child

EXIT_CONFIGURATION = 78
"""Exit code of a role that cannot run before a setting changes (EX_CONFIG of sysexits.h): not started again."""

_PARENT = "CROSSDOCK_PARENT"
_LOOK_EVERY = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_CALM_AFTER = 30.0
_log = structlog.get_logger(__name__)


class Role:
    """One process `python -m crossdock NAME ARGUMENTS`, kept running."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        stop_within: float = 20.0,
        module: str = "crossdock",
    ) -> None:
        """`environment`: variables beside those of this process. `stop_within`: seconds from SIGTERM to SIGKILL."""
        self.name = name
        self.restarts = 0
        self._child = Child(
            [sys.executable, "-m", module, name, *arguments],
            stop=((signal.SIGTERM, stop_within),),
            environment={**os.environ, **(environment or {}), _PARENT: str(os.getpid())},
        )

    @property
    def pid(self) -> int:
        """Its process id, another after each restart."""
        return self._child.pid

    async def keep_running(self) -> None:
        """Start it, and again when it ends, after a pause that grows from 0.2 to 10 s and is short again after calm.

        Ends by cancellation, which stops the process in order; or with NeedsConfig when the process says that a setting
        is wrong. Run it in the main thread's loop.
        """
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        try:
            while True:
                self._child.start()
                since = loop.time()
                while self._child.running:  # noqa: ASYNC110 - a process ends without an event
                    await asyncio.sleep(_LOOK_EVERY)
                if self._child.exit_code == EXIT_CONFIGURATION:
                    raise NeedsConfig(f"the {self.name} cannot run with these settings", fix="see its log lines above")
                pause = _FIRST_PAUSE if loop.time() - since > _CALM_AFTER else pause
                _log.warning(
                    "process ended, starting it again", role=self.name, code=self._child.exit_code, pause=pause
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                self.restarts += 1
        finally:
            await self._child.stop()


async def run_roles(roles: Sequence[Role]) -> None:
    """Keep all `roles` running until cancelled; then, or when one gives up, all are stopped. Raises what it raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for role in roles:
                group.create_task(role.keep_running(), name=role.name)
    except ExceptionGroup as error:
        raise error.exceptions[0] from error


async def parent_gone() -> None:
    """Return when the process that started this one as a `Role` has ended; never in a process started otherwise.

    For systems where the kernel does not tell children of their parent's death.
    """
    parent = int(os.environ.get(_PARENT, "0") or "0")
    while parent == 0 or os.getppid() == parent:  # noqa: ASYNC110 - the system gives no event
        await asyncio.sleep(1)


def step_port(host: str, port: int, *, tries: int = 50) -> int:
    """The first port from `port` on that is free to listen on at `host`. NeedsConfig when none of `tries` is."""
    for candidate in range(port, min(port + tries, 65_536)):
        if _free(host, candidate):
            return candidate
    raise NeedsConfig(
        f"ports {port} to {min(port + tries, 65_536) - 1} are all taken on {host}",
        field="CROSSDOCK_PORT",
        value=port,
        fix="give another with --port or CROSSDOCK_PORT",
    )


def _free(host: str, port: int) -> bool:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise NeedsConfig(
            f"{host} is not an address of this machine",
            field="CROSSDOCK_HOST",
            value=host,
            fix="use 127.0.0.1, or 0.0.0.0 to listen on every address",
        ) from error
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: connections of an ended run that linger do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise NeedsConfig(
                        f"{host} is not an address of this machine",
                        field="CROSSDOCK_HOST",
                        value=host,
                        fix="use 127.0.0.1, or 0.0.0.0 to listen on every address",
                    ) from error
                return False
    return True
