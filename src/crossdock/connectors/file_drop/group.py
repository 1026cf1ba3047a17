# SPDX-License-Identifier: Apache-2.0
"""Second look at a file: rows of one group together (Aggregator), in the order in which groups begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from crossdock.connectors.file_drop.records import Record, read_records
from crossdock.connectors.file_drop.segments import Header, Segment, SegmentIndex, find_segments, group_key
from crossdock.estate.feeds import Feed


class Group(Struct, frozen=True):
    """Rows that make one document, at least one.

    `key`: "" for a row that belongs to no group; `left_out`: how many rows were beyond the feed's limits.
    """

    key: str
    records: list[Record]
    left_out: int = 0


class _Bounded:
    """Rows of one group, no more of them than the feed allows for one document."""

    def __init__(self, feed: Feed) -> None:
        self.records: list[Record] = []
        self.left_out = 0
        self._feed = feed
        self._bytes = 0

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self._bytes += record.end - record.start
            fits = len(self.records) < self._feed.max_rows and self._bytes <= self._feed.max_bytes
            if fits or not self.records:
                self.records.append(record)
            else:
                self.left_out += 1


def read_groups(path: Path, feed: Feed, header: Header) -> Iterator[Group]:
    """Every row of the file at `path` in exactly one group. The file must not change; memory holds one group."""
    with path.open("rb") as file, path.open("rb") as aside:
        if not feed.group_by:
            for record in _records(file, feed, header.body_at, header.body_row):
                yield Group("", [record])
            return
        index = SegmentIndex()
        try:
            index.fill(find_segments(file, feed, header))
            yield from _gather(file, aside, feed, header, index)
        finally:
            index.close()


def _records(file: BinaryIO, feed: Feed, at: int, row: int) -> Iterator[Record]:
    file.seek(at)
    return read_records(file, encoding=feed.encoding, delimiter=feed.delimiter, multiline=feed.multiline, row=row)


def _gather(file: BinaryIO, aside: BinaryIO, feed: Feed, header: Header, index: SegmentIndex) -> Iterator[Group]:
    places = [header.columns.index(column) for column in feed.group_by]
    records = _records(file, feed, header.body_at, header.body_row)
    for key, run in groupby(records, key=lambda record: group_key(record, places)):
        if not key:
            for record in run:
                yield Group("", [record])
            continue
        segments = index.of(key) if index.scattered else []
        rows = _Bounded(feed)
        rows.add(run)
        if segments and segments[0].start != rows.records[0].start:
            continue  # went out with the group's first segment
        for segment in segments[1:]:
            rows.add(_rows_of(aside, feed, segment))
        yield Group(key, rows.records, rows.left_out)


def _rows_of(file: BinaryIO, feed: Feed, segment: Segment) -> Iterator[Record]:
    for record in _records(file, feed, segment.start, segment.row):
        if record.start >= segment.end:
            return
        yield record
