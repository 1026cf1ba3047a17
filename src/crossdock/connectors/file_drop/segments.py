# SPDX-License-Identifier: Apache-2.0
"""First look at a file: header, digest, and where the rows of each group lie (Splitter).

Rows of one group need not stand together. The first look notes every run of neighbours with the same group key as a
segment (key, bytes, rows) in a temporary SQLite file; the second look reads the file again in order and, where a group
has several segments, fetches the later ones by their offsets. So memory stays flat whatever the size of the file, and
documents come in the order of their first rows.
"""

from __future__ import annotations

import codecs
import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from crossdock.connectors.file_drop.records import Record, read_records
from crossdock.errors import Refused
from crossdock.estate.feeds import Feed

_CHUNK = 1 << 20


class Header(Struct, frozen=True):
    """The header's columns as they stand, where the rows begin, and the row number they begin with."""

    columns: tuple[str, ...]
    body_at: int
    body_row: int


class Segment(Struct, frozen=True):
    """Neighbouring rows of one group: `start` to `end` in bytes, beginning with row `row`."""

    key: str
    start: int
    end: int
    row: int


def file_digest(path: Path) -> str:
    """The BLAKE2b digest (128 bits, hexadecimal) of the file's content."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_header(file: BinaryIO, feed: Feed) -> Header:
    """The header of `file`. Refused when it is missing, names a column twice or lacks one, which it names."""
    if file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    first = next(read_records(file, encoding=feed.encoding, delimiter=feed.delimiter, multiline=feed.multiline), None)
    if first is None:
        raise Refused("the file is empty", rule="header", fix=f"begin it with the columns {', '.join(feed.columns)}")
    if first.problem:
        raise Refused(
            f"the header cannot be read: {first.problem}", rule="header", fix=f"save the file as {feed.encoding}"
        )
    columns = tuple(column.strip() for column in first.fields)
    for column in feed.columns:
        if column not in columns:
            shown = ", ".join(columns)[:300]
            wanted = ", ".join(feed.columns)
            fix = f"the first line must name {wanted}, separated by {feed.delimiter!r}; it reads: {shown}"
            raise Refused(f"column {column!r} is missing", rule="header", field=column, fix=fix)
    twice = next((column for number, column in enumerate(columns) if column in columns[:number]), None)
    if twice is not None:
        raise Refused(
            f"column {twice!r} is there twice", rule="header", field=twice, fix="give each column its own name"
        )
    return Header(columns, first.end, first.row + 1)


def group_key(record: Record, places: Sequence[int]) -> str:
    """The values of the group columns, joined; "" where the row has none, it is then a document of its own."""
    if not places or len(record.fields) <= max(places):
        return ""
    values = [record.fields[place].strip() for place in places]
    return "\x1f".join(values) if any(values) else ""


class SegmentIndex:
    """Segments of one file in a temporary SQLite database that is gone when it is closed."""

    def __init__(self) -> None:
        # "" is SQLite's name for a private on-disk database; threads take turns, never at the same time.
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000;"
            "CREATE TABLE segment (key TEXT, first INTEGER, last INTEGER, row INTEGER); BEGIN;"
        )
        self.scattered = False

    def fill(self, segments: Iterator[Segment]) -> None:
        """Take up all segments and find out whether any group has more than one."""
        self._db.executemany(
            "INSERT INTO segment VALUES (?, ?, ?, ?)", ((s.key, s.start, s.end, s.row) for s in segments if s.key)
        )
        self._db.execute("CREATE INDEX segment_key ON segment (key, first)")
        found = self._db.execute("SELECT 1 FROM segment GROUP BY key HAVING count(*) > 1 LIMIT 1").fetchone()
        self.scattered = found is not None

    def of(self, key: str) -> list[Segment]:
        """All segments of group `key`, in the order of the file."""
        rows = self._db.execute("SELECT key, first, last, row FROM segment WHERE key = ? ORDER BY first", (key,))
        return [Segment(*row) for row in rows]

    def close(self) -> None:
        """Forget everything."""
        self._db.close()


def find_segments(file: BinaryIO, feed: Feed, header: Header) -> Iterator[Segment]:
    """Segments from where the rows begin to the end of the file."""
    places = [header.columns.index(column) for column in feed.group_by]
    file.seek(header.body_at)
    records = read_records(
        file, encoding=feed.encoding, delimiter=feed.delimiter, multiline=feed.multiline, row=header.body_row
    )
    for key, run in groupby(records, key=lambda record: group_key(record, places)):
        start = end = row = -1
        for record in run:
            if start < 0:
                start, row = record.start, record.row
            end = record.end
        yield Segment(key, start, end, row)
