# SPDX-License-Identifier: Apache-2.0
"""Child processes that do not outlive their parent where the system can see to it, and end in steps when told."""

from __future__ import annotations

import asyncio
import functools
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

Step = tuple[signal.Signals, float]
"""A signal, and the seconds to wait for the end after it."""


class Account(msgspec.Struct, frozen=True):
    """An account of this machine that a child runs as."""

    name: str
    uid: int
    gid: int


def find_account(name: str) -> Account | None:
    """The account called `name`, None when the machine has none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid)


class Child:
    """One child process. Start it from the thread that lives as long as it should: Linux ends it with that *thread*.

    `orphaned`: the signal it gets when its parent dies (Linux with util-linux's setpriv; elsewhere nothing happens
    and the child must watch for itself). `stop`: signals in turn with the seconds given to each; SIGKILL comes last
    by itself. `output`: file that its standard output and error are appended to; None = shared with this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stop: Sequence[Step],
        orphaned: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] | None = None,
        output: Path | None = None,
        account: Account | None = None,
    ) -> None:
        self._command = [*_dying_with_parent(orphaned), *command]
        self._stop = tuple(stop)
        self._environment = environment
        self._output = output
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 before the first start."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """True from `start` until it has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while running or never started; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, again if it has ended. OSError when the program cannot be run."""
        if self.running:
            return
        output = _append_to(self._output) if self._output else None
        account = self._account
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a list of our own, no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=None if self._environment is None else dict(self._environment),
                cwd="/",
                # A Ctrl-C in the terminal is for the parent, which then stops its children in order.
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        finally:
            if output:
                output.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it is still running."""
        if self._process is not None:
            self._process.send_signal(number)

    async def ended(self, within: float) -> bool:
        """Wait at most `within` seconds for its end; True when it has ended."""
        until = asyncio.get_running_loop().time() + within
        while self.running:
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(0.02)
        return True

    async def stop(self) -> None:
        """End it: each signal in turn, then SIGKILL. Returns when it is gone."""
        for number, patience in (*self._stop, (signal.SIGKILL, 10.0)):
            if not self.running:
                return
            self.signal(number)
            if await self.ended(patience):
                return


def ends_with_parent() -> bool:
    """True where the system ends a Child when its parent dies, whatever the parent dies of."""
    return _setpriv() is not None


def minimal_environment(**more: str) -> dict[str, str]:
    """An environment that carries none of ours, whose variables may be secrets, to a program that needs none of it."""
    return {"PATH": os.defpath, "LANG": "C", "LC_ALL": "C", "TZ": "UTC", **more}


def _append_to(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


def _dying_with_parent(number: signal.Signals) -> list[str]:
    program = _setpriv()
    return [program, "--pdeathsig", number.name.removeprefix("SIG"), "--"] if program else []


@functools.cache
def _setpriv() -> str | None:
    """A setpriv that knows parent-death signals (busybox has one that does not)."""
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    if program is None:
        return None
    known = subprocess.run(  # noqa: S603 - a fixed command
        [program, "--pdeathsig", "TERM", "--", "true"], check=False, capture_output=True, timeout=10
    )
    return program if known.returncode == 0 else None
