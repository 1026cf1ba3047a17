# SPDX-License-Identifier: Apache-2.0
"""Claim files in a folder (Competing Consumers): one process takes a file, a dead one's file is taken up again.

`<folder>/processing/` holds what is being taken, `done/` what was, `refused/` what could not be, each with a
`.reason.txt` beside it, `.taken/` a note per content. A claim is a rename (one of several processes wins it) plus a
file lock, which the system lets go when its process dies: a file in `processing/` that can be locked lost its process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec import Struct

from crossdock.connectors.file_drop.feed import DropFeed

# What upload tools call a file that is still growing.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")
MAX_FILES = 1000


class Taken(Struct, frozen=True):
    """A note of content that was taken: the file's name, when (UTC), and what became of it."""

    file: str
    at: datetime
    rows: int
    documents: int


class Claimed(Struct, frozen=True):
    """A file that is ours. `name`: as it was dropped; `path`: where it lies now."""

    name: str
    path: Path


@contextmanager
def claim_files(feed: DropFeed) -> Iterator[Generator[Claimed, None, None]]:
    """Files to take, oldest first, each locked until the next is asked for; those of dead processes come first."""
    feed.folder.mkdir(parents=True, exist_ok=True)
    for part in ("processing", "done", "refused", ".taken"):
        (feed.folder / part).mkdir(exist_ok=True)
    claims = _claims(feed)
    try:
        yield claims
    finally:
        claims.close()


def _claims(feed: DropFeed) -> Generator[Claimed, None, None]:
    for path in _oldest_first(feed.folder / "processing"):
        with _locked(path) as ours:
            if ours:
                yield Claimed(path.name.partition(".")[2] or path.name, path)
    for path in _ready(feed):
        mine = feed.folder / "processing" / f"{uuid4().hex[:12]}.{path.name}"
        try:
            path.rename(mine)
        except FileNotFoundError:
            continue  # another process was quicker
        claimed = Claimed(path.name, mine)
        if not os.access(mine, os.R_OK):
            refuse(feed, claimed, "We have no permission to read the file. Give it read permission and drop it again.")
            continue
        with _locked(mine) as ours:
            if ours:
                yield claimed


def _ready(feed: DropFeed) -> Iterator[Path]:
    now = time.time()
    for path in _oldest_first(feed.folder):
        name = path.name
        if name.startswith(".") or name.endswith(UNFINISHED) or not fnmatchcase(name, feed.declared.pattern):
            continue
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime >= feed.declared.settle_seconds:
                yield path


def _oldest_first(folder: Path) -> list[Path]:
    found: list[tuple[float, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            # A link could lead out of the folder: only files that lie in it are taken.
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    found.append((entry.stat().st_mtime, entry.path))
    return [Path(path) for _, path in sorted(found)[:MAX_FILES]]


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # Who held the lock before may have archived the file in between.
        yield _is_at(path, file.fileno())


def _is_at(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except FileNotFoundError:
        return False


def taken_before(feed: DropFeed, digest: str) -> Taken | None:
    """The note on this content, None when it is new to this folder."""
    note = feed.folder / ".taken" / digest
    return msgspec.json.decode(note.read_bytes(), type=Taken) if note.exists() else None


def note_taken(feed: DropFeed, digest: str, taken: Taken) -> None:
    """Keep a note that this content was taken whole; on disk when this returns."""
    _write(feed.folder / ".taken" / digest, msgspec.json.encode(taken))


def archive(feed: DropFeed, claimed: Claimed, digest: str, remark: str = "") -> Path:
    """Move a taken file to `done/`, under the time, its digest and its name; `remark` is written beside it."""
    target = feed.folder / "done" / f"{_stamp()}-{digest[:12]}-{claimed.name}"
    if remark:
        _write(target.with_name(target.name + ".note.txt"), f"{remark}\n".encode())
    claimed.path.rename(target)
    return target


def refuse(feed: DropFeed, claimed: Claimed, reason: str) -> Path:
    """Move a file that cannot be taken to `refused/`, with `reason` beside it in a `.reason.txt`."""
    target = feed.folder / "refused" / f"{_stamp()}-{claimed.name}"
    _write(target.with_name(target.name + ".reason.txt"), f"{reason}\n".encode())
    claimed.path.rename(target)
    return target


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"


def _write(path: Path, body: bytes) -> None:
    waiting = path.with_name(f".{uuid4().hex[:12]}.tmp")
    with waiting.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
