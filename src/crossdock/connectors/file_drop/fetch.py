# SPDX-License-Identifier: Apache-2.0
"""Fetch files from an SFTP server into the feed's folder (Polling Consumer); from there on they are files like others.

A file arrives under a hidden name and is renamed when it is whole. Killed in between, the next run fetches it again;
killed before it was put away on the server, it comes a second time and is recognised by its content.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from uuid import uuid4

import asyncssh

from crossdock.connectors.file_drop.claim import MAX_FILES, UNFINISHED
from crossdock.connectors.file_drop.feed import DropFeed
from crossdock.errors import NeedsConfig, RetryLater
from crossdock.estate.feeds import SftpSource

CONNECT_SECONDS = 30.0
TAKEN = "taken"

Resolve = Callable[[str], str]
"""A secret reference ("env:NAME", "file:PATH") to its value; NeedsConfig when it cannot be resolved."""


async def fetch_files(feed: DropFeed, resolve: Resolve) -> list[Path]:
    """Fetch every finished file of the feed's SFTP source; where they lie now, in the order of their names.

    Raises NeedsConfig when the server is another than it was, refuses us, or holds a file that is too large (the
    others are fetched), RetryLater when it cannot be reached.
    """
    source = feed.declared.sftp
    if source is None:
        return []
    feed.folder.mkdir(parents=True, exist_ok=True)
    try:
        async with await _connect(source, resolve) as connection, connection.start_sftp_client() as sftp:
            finished = await _finished(sftp, feed, source)
            limit = feed.declared.max_file_bytes
            fetched = [await _fetch(sftp, feed, source, name) for name, size in finished if size <= limit]
    except (asyncssh.HostKeyNotVerifiable, asyncssh.PermissionDenied, asyncssh.KeyImportError) as error:
        raise NeedsConfig(
            f"{source.host} was not logged in to: {error}",
            field="sftp",
            fix="compare host_key with the server's public key, and check user and password or key",
        ) from error
    except asyncssh.SFTPPermissionDenied as error:
        fix = f"let {source.user} read {source.folder} and, for after: {source.after}, write to it"
        raise NeedsConfig(f"{source.host} forbids it: {error.reason}", field="sftp", fix=fix) from error
    except (asyncssh.Error, OSError) as error:
        raise RetryLater(f"{source.host} cannot be reached: {error}") from error
    too_large = [name for name, size in finished if size > limit]
    if too_large:
        fix = "split it there, or raise max_file_bytes of the feed"
        raise NeedsConfig(f"{too_large[0]} on {source.host} is larger than {limit} bytes", field="sftp", fix=fix)
    return fetched


async def _connect(source: SftpSource, resolve: Resolve) -> asyncssh.SSHClientConnection:
    host = source.host if source.port == 22 else f"[{source.host}]:{source.port}"
    return await asyncssh.connect(
        source.host,
        source.port,
        username=source.user,
        password=resolve(source.password) if source.password else None,
        client_keys=[asyncssh.import_private_key(resolve(source.key))] if source.key else None,
        known_hosts=asyncssh.import_known_hosts(f"{host} {source.host_key}\n"),
        agent_path=None,
        config=None,
        connect_timeout=CONNECT_SECONDS,
    )


async def _finished(sftp: asyncssh.SFTPClient, feed: DropFeed, source: SftpSource) -> list[tuple[str, int]]:
    before = await _listing(sftp, feed, source)
    if not before:
        return []
    # The server's clock need not be ours: a file is finished when it has not changed meanwhile.
    await asyncio.sleep(feed.declared.settle_seconds)
    after = await _listing(sftp, feed, source)
    return sorted((name, seen[0]) for name, seen in after.items() if before.get(name) == seen)[:MAX_FILES]


async def _listing(sftp: asyncssh.SFTPClient, feed: DropFeed, source: SftpSource) -> dict[str, tuple[int, int | None]]:
    found: dict[str, tuple[int, int | None]] = {}
    async for entry in sftp.scandir(source.folder):
        name = str(entry.filename)
        mode = entry.attrs.permissions
        if "/" in name or "\\" in name or name.startswith(".") or name.endswith(UNFINISHED):
            continue
        if mode is not None and not stat.S_ISREG(mode):
            continue
        if fnmatchcase(name, feed.declared.pattern):
            found[name] = (entry.attrs.size or 0, entry.attrs.mtime)
    return found


async def _fetch(sftp: asyncssh.SFTPClient, feed: DropFeed, source: SftpSource, name: str) -> Path:
    remote = PurePosixPath(source.folder) / name
    waiting = feed.folder / f".{uuid4().hex[:12]}.part"
    try:
        await sftp.get(str(remote), str(waiting), preserve=True, follow_symlinks=False)
        target = await asyncio.to_thread(_put, waiting, feed.folder / name)
    finally:
        await asyncio.to_thread(waiting.unlink, missing_ok=True)
    if source.after == "delete":
        await sftp.remove(str(remote))
    else:
        folder = remote.parent / TAKEN
        await sftp.makedirs(str(folder), exist_ok=True)
        await sftp.rename(str(remote), str(folder / f"{uuid4().hex[:8]}-{name}"))
    return target


def _put(waiting: Path, wanted: Path) -> Path:
    target, number = wanted, 1
    while True:
        try:
            os.link(waiting, target)  # unlike a rename it never takes the place of a file that waits there
        except FileExistsError:
            number += 1
            target = wanted.with_name(f"{wanted.stem}~{number}{wanted.suffix}")
        else:
            return target
