# SPDX-License-Identifier: Apache-2.0
"""Folders that PostgreSQL's account can reach, found or made without touching the permissions of anybody else's."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from hashlib import sha256
from pathlib import Path

from crossdock.errors import NeedsConfig
from crossdock.runtime.embedded.state import write_private
from crossdock.runtime.spawn import Account, find_account

_POINTER = "postgres.location"
# A socket's path may have 107 bytes on Linux and 103 on macOS; the file in the folder is `.s.PGSQL.5432`.
_LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")


class Home:
    """Where one PostgreSQL cluster lives: `data` (its data folder) and `sockets`, both of its account and 0700."""

    def __init__(self, data: Path, sockets: Path) -> None:
        self.data = data
        self.sockets = sockets


def postgres_account() -> Account | None:
    """The account PostgreSQL must run as: None = ours; `nobody` when we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    account = find_account("nobody")
    if account is None or account.uid == 0:
        raise NeedsConfig(
            "PostgreSQL refuses to run as root and this machine has no account `nobody`",
            field="DATABASE_URL",
            fix="run Crossdock as an ordinary user, or set DATABASE_URL to a server you run",
        )
    return account


def make_data_folder(data: Path) -> None:
    """Make the data folder if it is missing; NeedsConfig when it cannot be written."""
    try:
        if not data.is_dir():
            data.mkdir(parents=True, exist_ok=True)
            # Root's must let `nobody` pass through to its own folder inside; nothing in it is readable for others.
            data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as error:
        raise NeedsConfig(
            f"the data folder {data} cannot be written: {error.strerror}",
            field="data",
            value=str(data),
            fix="make it writable for this account, or give another folder with --data or CROSSDOCK_DATA",
        ) from error


def find_home(data: Path, account: Account | None, sockets_before: str) -> Home:
    """The home of the cluster that belongs to data folder `data`, made on first use.

    It is inside `data`, or, when `account` cannot reach that, in a folder of its own that a pointer file in `data`
    names. `sockets_before`: the socket folder of the last run, used again where it still is ours, so that URLs stay
    the same.
    """
    pointer = data / _POINTER
    if pointer.is_file():
        root = Path(pointer.read_text("utf-8").strip())
        if not (root / "postgres").is_dir():
            raise NeedsConfig(
                f"the database of {data} was in {root}, which is gone",
                field="data",
                value=str(data),
                fix=f"bring {root} back; or, to begin with an empty database, remove {pointer}",
            )
    elif account is None or reachable(data, account):
        root = data
    else:
        root = _new_root(data)
        write_private(pointer, f"{root}\n".encode())
    home = root / "postgres"
    make_private(home, account)
    return Home(home, _socket_folder(root, account, sockets_before))


def erase(data: Path) -> None:
    """Remove a data folder with its database, wherever that is. The engines must not be running."""
    pointer = data / _POINTER
    if pointer.is_file():
        shutil.rmtree(Path(pointer.read_text("utf-8").strip()), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def reachable(path: Path, account: Account) -> bool:
    """True when `account` may pass through every folder of `path` (by owner, group and others; lists are not read)."""
    resolved = path.resolve()
    return all(_may(folder.stat(), account, 0o1) for folder in (resolved, *resolved.parents) if folder.is_dir())


def make_private(folder: Path, account: Account | None) -> None:
    """Make `folder` 0700 for `account` (None: ours); one that is there is left as it is, if the owner is right."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # lstat: a link that somebody else has put there is not followed.
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
            raise NeedsConfig(
                f"{folder} does not belong to the account that PostgreSQL runs as (user id {owner})",
                field="data",
                value=str(folder),
                fix="run Crossdock as the account that made the data folder, or give another --data",
            ) from None
        return
    if account:
        os.chown(folder, account.uid, account.gid)


def roots_for_root(name: str) -> list[Path]:
    """Folders named `name` that everybody can pass through and only root can write to, best first. For root."""
    candidates = (Path("/var/lib/crossdock") / name, Path("/var/tmp/crossdock") / name)  # noqa: S108 - see _trusted
    return [path for path in (*candidates, Path(tempfile.gettempdir(), "crossdock", name)) if _trusted(path)]


def _trusted(path: Path) -> bool:
    """Make `path` and its parent as root's own; False where that fails or somebody else was there before."""
    for folder in (path.parent, path):
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
            found = folder.lstat()
        except OSError:
            return False
        # Our own making may have been narrowed by a umask; that of others must not be writable for them.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            return False
        if not found.st_mode & 0o001:
            return False
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


def _new_root(data: Path) -> Path:
    # Not by the path alone: a data folder that was removed and made again begins empty.
    digest = sha256(str(data.resolve()).encode()).hexdigest()[:8]
    for parent in roots_for_root("databases"):
        root = parent / f"{digest}-{secrets.token_hex(4)}"
        root.mkdir(mode=0o755)
        root.chmod(0o755)
        (root / "belongs-to").write_text(f"{data}\n", "utf-8")
        return root
    raise NeedsConfig(
        f"for root, PostgreSQL runs as `nobody`, and that account can reach neither {data} nor /var/lib/crossdock",
        field="data",
        value=str(data),
        fix="give a --data folder whose parents everybody may enter, run as an ordinary user, or set DATABASE_URL",
    )


def _socket_folder(root: Path, account: Account | None, before: str) -> Path:
    folder = root / "sockets"
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
        make_private(folder, account)
        return folder
    if before and _still_ours(Path(before), account):
        return Path(before)
    short = Path(tempfile.mkdtemp(prefix="crossdock-"))
    if account:
        os.chown(short, account.uid, account.gid)
    if len(os.fsencode(short)) > _LONGEST_SOCKET_FOLDER:
        raise NeedsConfig(
            f"neither {folder} nor {short} is short enough for a socket",
            field="data",
            value=str(root),
            fix="set TMPDIR or --data to a folder with a shorter path",
        )
    return short


def _still_ours(folder: Path, account: Account | None) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    owner = account.uid if account else os.geteuid()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == 0o700


def _may(found: os.stat_result, account: Account, bit: int) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & bit << 6)
    if found.st_gid == account.gid:
        return bool(found.st_mode & bit << 3)
    return bool(found.st_mode & bit)
