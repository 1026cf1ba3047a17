# SPDX-License-Identifier: Apache-2.0
"""Split a CSV file into records, one at a time (Splitter): one bad line is one bad record, the rest goes on.

A record is one line, so that a forgotten quote spoils its line and nothing after it. Where a feed says `multiline`, a
quoted field may go on for at most MAX_RECORD_LINES lines.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from msgspec import Struct

MAX_LINE_BYTES = 1_000_000
MAX_RECORD_LINES = 100


class Record(Struct, frozen=True):
    """One record. `row`: its line in the file, the header being 1; `start`, `end`: its bytes; `problem`: "" = sound."""

    row: int
    start: int
    end: int
    fields: list[str]
    problem: str = ""


class Lines:
    """Lines of a binary file with their numbers and offsets; a line longer than MAX_LINE_BYTES is cut."""

    def __init__(self, file: BinaryIO, *, row: int = 1) -> None:
        self.file = file
        self.row = row
        self.at = file.tell()

    def take(self) -> tuple[bytes, bool]:
        """The next line and whether it had to be cut; b"" at the end of the file."""
        line = self.file.readline(MAX_LINE_BYTES)
        self.at += len(line)
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            return line, False
        while rest := self.file.readline(MAX_LINE_BYTES):
            self.at += len(rest)
            if rest.endswith(b"\n"):
                break
        return line[:1000], True


def read_records(file: BinaryIO, *, encoding: str, delimiter: str, multiline: bool, row: int = 1) -> Iterator[Record]:
    """Records from where `file` stands, whose line has number `row`; blank lines are left out."""
    lines = Lines(file, row=row)
    while True:
        start, first = lines.at, lines.row
        raw, cut = lines.take()
        if not raw:
            return
        lines.row += 1
        if multiline and raw.count(b'"') % 2 and not cut:
            raw = _rest_of_record(lines, raw)
        if raw.isspace():
            continue
        problem = f"the line is longer than {MAX_LINE_BYTES} bytes" if cut else ""
        yield _parse(raw, encoding, delimiter, Record(first, start, lines.at, [], problem))


def _rest_of_record(lines: Lines, raw: bytes) -> bytes:
    at, row = lines.at, lines.row
    parts, quotes = [raw], raw.count(b'"')
    for _ in range(MAX_RECORD_LINES):
        line, cut = lines.take()
        if not line or cut:
            break
        lines.row += 1
        parts.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            return b"".join(parts)
    lines.file.seek(at)
    lines.at, lines.row = at, row
    return raw


def _parse(raw: bytes, encoding: str, delimiter: str, seen: Record) -> Record:
    problem = seen.problem
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        text = raw.decode(encoding, errors="replace")
        problem = problem or f"byte {error.start + 1} of the line is not {encoding}"
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
        problem = problem or "the line holds a NUL byte"
    text = text.rstrip("\r\n")
    if '"' not in text:
        return Record(seen.row, seen.start, seen.end, text.split(delimiter), problem)
    try:
        fields = next(csv.reader((text,), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        fields = text.split(delimiter)
        problem = problem or "a quote is opened and not closed, or stands inside a field"
    return Record(seen.row, seen.start, seen.end, fields, problem)
