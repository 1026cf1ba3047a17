# SPDX-License-Identifier: Apache-2.0
"""The shape of a file feed: where files come from, how rows become documents, what each document is."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from crossdock.estate.shape import Name


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One test on a column. `rows`: the first row of the document, any row, or every row. Exactly one test is given.

    `below` and `above` compare as decimals; text that is no number meets neither.
    """

    column: Name
    rows: Literal["first", "any", "every"] = "first"
    prefix: str | None = None
    equals: str | None = None
    one_of: tuple[str, ...] | None = None
    empty: bool | None = None
    zero: bool | None = None
    below: str | None = None
    above: str | None = None


class FileTopic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content-Based Router, one rule: a document for which all of `when` hold is of this topic; first match wins.

    `key`: the business key documents are kept in order by, with `{Column}` placeholders filled from the first row.
    `mapping`: the mapping file. `problem`: documents of this topic need a person, for this reason (`{Column}`, or
    `{Column|when empty}`, is filled from the row that met the last condition); `fix`: what that person can do.
    """

    topic: Name
    key: Name
    when: tuple[Condition, ...] = ()
    mapping: str = ""
    problem: str = ""
    fix: str = ""


class SftpSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An SFTP server that files are fetched from. `password`, `key`: references; `host_key`: its public key, one line.

    `after`: what becomes of a fetched file there: moved to the folder `taken` beside it, or deleted.
    `every_seconds`: how often the server is asked.
    """

    host: Name
    user: Name
    host_key: Name
    port: Annotated[int, Meta(ge=1, le=65535)] = 22
    folder: str = "."
    password: str = ""
    key: str = ""
    after: Literal["move", "delete"] = "move"
    every_seconds: Annotated[float, Meta(ge=1, le=86_400)] = 60.0


class Feed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files of one interface.

    `folder`: where they are dropped, relative to the estate file, or `env:NAME`. `pattern`: shell pattern of names.
    `settle_seconds`: how long a file must have been left alone before it is taken. `columns`: what the header must
    name. `group_by`: rows with the same values here are one document (none: a row is a document). `line_number`: a
    field added to every row under this name, its number in the document from 1. `multiline`: quoted fields may hold
    line breaks. `max_rows`, `max_bytes`: the most one document may have; `max_file_bytes`: one file, unpacked.
    """

    folder: Name
    columns: tuple[Name, ...]
    topics: tuple[FileTopic, ...]
    pattern: str = "*.csv"
    settle_seconds: Annotated[float, Meta(ge=0, le=3600)] = 2.0
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    multiline: bool = False
    group_by: tuple[Name, ...] = ()
    line_number: str = ""
    max_rows: Annotated[int, Meta(ge=1, le=100_000)] = 20_000
    max_bytes: Annotated[int, Meta(ge=1000, le=50_000_000)] = 5_000_000
    max_file_bytes: Annotated[int, Meta(ge=1000)] = 10_000_000_000
    sftp: SftpSource | None = None
