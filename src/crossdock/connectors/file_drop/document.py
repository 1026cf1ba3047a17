# SPDX-License-Identifier: Apache-2.0
"""Make a message of a group of rows: body, key, deduplication key, and what is wrong with it if anything is.

The body is `{"rows": [{column: text, …}, …]}` and holds nothing of the file it came in, so that the same invoice in
another file is noticed as the same bytes. Where the rows stood is in the headers: `{"file", "digest", "rows"}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from crossdock.connectors.file_drop.feed import DropFeed
from crossdock.connectors.file_drop.group import Group
from crossdock.connectors.file_drop.records import Record
from crossdock.connectors.file_drop.route import Route, Routed, Row
from crossdock.connectors.file_drop.segments import Header
from crossdock.estate.check_feeds import PLACEHOLDER
from crossdock.sdk.receiving import Incoming, digest_of

MAX_KEY = 200
MAX_PROBLEM = 1000
EXTRA = "(more)"
BAD_ROW = "bad_row"

_ENCODE = msgspec.json.Encoder().encode


class Made(msgspec.Struct, frozen=True):
    """A message, and how many of its rows were bad."""

    incoming: Incoming
    bad_rows: int


def make_document(group: Group, feed: DropFeed, header: Header, route: Route, file: str, digest: str) -> Made:
    """The message for `group` from the file called `file` with content digest `digest`."""
    rows = [_row(number, record, feed, header) for number, record in enumerate(group.records, start=1)]
    bad = [(record.row, problem) for record in group.records if (problem := _bad(record, header))]
    routed = route(rows) if group.key or not feed.declared.group_by else None
    problems = [f"row {row}: {problem}" for row, problem in bad[:5]]
    if len(bad) > 5:
        problems.append(f"and {len(bad) - 5} more rows")
    if group.left_out:
        problems.append(f"{group.left_out} rows more than one document may have; they are in the archived file only")
    if routed is None and not bad:
        problems.append("no topic of the feed fits these rows" if group.key else "the row has no group key")
    if routed is not None and routed.topic.problem:
        fix = f" {routed.topic.fix}" if routed.topic.fix else ""
        problems.append(_fill(routed.topic.problem, routed.row) + fix)
    key = _key(routed, feed, rows, digest, group)
    body = _ENCODE({"rows": rows})
    return Made(
        Incoming(
            interface=feed.interface,
            topic=routed.topic.topic if routed else BAD_ROW,
            dedup_key=f"{digest}/{_group_digest(group)}",
            key=key,
            body=body,
            headers=_ENCODE({"file": file[:200], "digest": digest, "rows": row_ranges(group.records)}),
            items=len(group.records) + group.left_out,
            digest=digest_of(body),
            problem="; ".join(problems)[:MAX_PROBLEM],
        ),
        len(bad),
    )


def row_ranges(records: Sequence[Record]) -> list[list[int]]:
    """Row numbers as ranges, first and last included: rows 2, 3, 4 and 9 are [[2, 4], [9, 9]]."""
    ranges: list[list[int]] = []
    for record in records:
        if ranges and record.row == ranges[-1][1] + 1:
            ranges[-1][1] = record.row
        else:
            ranges.append([record.row, record.row])
    return ranges


def _group_digest(group: Group) -> str:
    # A row without a group is named by where it stands: two equal lines are two rows.
    name = group.key or f"row {group.records[0].row}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _bad(record: Record, header: Header) -> str:
    if record.problem:
        return record.problem
    found, wanted = len(record.fields), len(header.columns)
    return "" if found == wanted else f"{found} columns where the header has {wanted}"


def _row(number: int, record: Record, feed: DropFeed, header: Header) -> Row:
    row = dict(zip(header.columns, record.fields, strict=False))
    if len(record.fields) > len(header.columns):
        row[EXTRA] = feed.declared.delimiter.join(record.fields[len(header.columns) :])
    if feed.declared.line_number:
        row[feed.declared.line_number] = str(number)
    return row


def _key(routed: Routed | None, feed: DropFeed, rows: Sequence[Row], digest: str, group: Group) -> str:
    if routed is not None:
        key = _fill(routed.topic.key, rows[0])
        return key if len(key) <= MAX_KEY else f"{key[: MAX_KEY - 17]}~{_short(key)}"
    return f"file/{feed.interface}/{digest}/{_short(_group_digest(group))}"


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _fill(template: str, row: Row) -> str:
    return PLACEHOLDER.sub(lambda found: row.get(found[1], "").strip()[:100] or found[2] or "", template)
