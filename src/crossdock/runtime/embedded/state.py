# SPDX-License-Identifier: Apache-2.0
"""What is written beside the engines: who runs them and where they answer."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec
import psutil

from crossdock.errors import NeedsConfig
from crossdock.settings import Settings

_STATE = "engines.json"
_LOCK = "lock"


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where PostgreSQL and NATS answer. Both URLs may hold passwords, so `repr` hides them."""

    database_url: str
    nats_url: str

    def __repr__(self) -> str:
        return "Endpoints(***)"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The state file. `supervisor`: process id, 0 after a clean stop; `since`: its start in Unix seconds."""

    supervisor: int = 0
    since: float = 0.0
    database_url: str = ""
    nats_url: str = ""
    socket_folder: str = ""
    nats_port: int = 0

    def __repr__(self) -> str:
        return f"State(supervisor={self.supervisor})"


def discover(settings: Settings) -> Endpoints | None:
    """The engines to use: those the settings name, else the embedded ones running in the data folder; None = none run.

    Raises NeedsConfig when the data folder's engines belong to another account.
    """
    state = State()
    if not (settings.database_url and settings.nats_url):
        state = read_state(settings.data)
        if not (state.supervisor and alive(state.supervisor, state.since)):
            return None
    return Endpoints(
        database_url=settings.database_url or state.database_url, nats_url=settings.nats_url or state.nats_url
    )


def read_state(data: Path) -> State:
    """The state file of a data folder; an empty State when there is none or it is damaged."""
    path = data / _STATE
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return State()
    except PermissionError as error:
        raise NeedsConfig(
            f"{path} belongs to another account",
            field="data",
            value=str(data),
            fix="run this command as the account that runs `crossdock up`, or give another --data",
        ) from error


def write_state(data: Path, state: State) -> None:
    """Replace the state file at once; only this account can read it."""
    write_private(data / _STATE, msgspec.json.encode(state))


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only this account can read; a reader sees the old or the new one, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def alive(pid: int, since: float) -> bool:
    """True when process `pid` runs and is the one that started at `since` (a number may have been given again)."""
    try:
        process = psutil.Process(pid)
        # Two seconds: the start is computed from the boot time, which a clock correction moves.
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - since) < 2
    except psutil.NoSuchProcess:
        return False


def started(pid: int) -> float:
    """When process `pid` started, Unix seconds."""
    return psutil.Process(pid).create_time()


class FolderLock:
    """One supervisor per data folder. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, data: Path) -> None:
        self._path = data / _LOCK
        self._handle: int | None = None

    def take(self) -> None:
        """Take it, or raise NeedsConfig naming the process that has it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise NeedsConfig(
                f"the engines in {self._path.parent} are already run by process {holder}",
                field="data",
                value=str(self._path.parent),
                fix=f"stop process {holder} first, or give another --data",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle

    def release(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
