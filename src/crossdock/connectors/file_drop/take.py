# SPDX-License-Identifier: Apache-2.0
"""Take files (Idempotent Receiver): claim, read, hand over in batches, archive.

Killed at any point, the next run does the file again: a row's deduplication key is made of the file's content and the
row's group, so what was kept already is recognised.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from msgspec import Struct

from crossdock.connectors.file_drop.claim import (
    Claimed,
    Taken,
    archive,
    claim_files,
    note_taken,
    refuse,
    taken_before,
)
from crossdock.connectors.file_drop.document import Made, make_document
from crossdock.connectors.file_drop.feed import DropFeed
from crossdock.connectors.file_drop.group import read_groups
from crossdock.connectors.file_drop.route import compile_route
from crossdock.connectors.file_drop.segments import file_digest, read_header
from crossdock.connectors.file_drop.unpack import unpacked
from crossdock.errors import Refused, RetryLater
from crossdock.sdk.receiving import Incoming, KeepResult

MAX_BATCH = 500
MAX_BATCH_BYTES = 8_000_000

Keep = Callable[[Sequence[Incoming]], Awaitable[Sequence[KeepResult]]]


class FileReport(Struct, frozen=True, kw_only=True):
    """What became of one file. `rows`: without header and blank lines; `duplicates`: documents that were kept before.

    `refused`: why the whole file was, "" when it was not. `same_as`: the file with the same content that was taken
    earlier, "" when it is new.
    """

    file: str
    rows: int = 0
    documents: int = 0
    duplicates: int = 0
    bad_rows: int = 0
    refused: str = ""
    same_as: str = ""


Progress = Callable[[FileReport], None]


def no_progress(_: FileReport) -> None:
    """Tell nobody."""


async def take_files(feed: DropFeed, keep: Keep, progress: Progress = no_progress) -> list[FileReport]:
    """Take every file that is ready in the feed's folder; one report each, refused ones too.

    `keep` commits a batch of at most 500 messages and says of each whether it is new. What it raises ends the run: the
    file stays in `processing/` and is taken up again. `progress` is told after every batch. Raises RetryLater when the
    folder cannot be used (disk full, permissions).
    """
    reports: list[FileReport] = []
    try:
        with claim_files(feed) as claims:
            while (claimed := await asyncio.to_thread(next, claims, None)) is not None:
                reports.append(await _take(claimed, feed, keep, progress))
                progress(reports[-1])
    except OSError as error:
        raise RetryLater(f"files of {feed.interface} in {feed.folder} cannot be taken: {error}") from error
    return reports


async def _take(claimed: Claimed, feed: DropFeed, keep: Keep, progress: Progress) -> FileReport:
    try:
        with ExitStack() as stack:
            plain = await asyncio.to_thread(stack.enter_context, unpacked(claimed.path, feed.declared.max_file_bytes))
            digest = await asyncio.to_thread(file_digest, plain)
            before = await asyncio.to_thread(taken_before, feed, digest)
            if before is not None:
                remark = (
                    f"The same content was taken on {before.at:%Y-%m-%d %H:%M} UTC as {before.file}: nothing was done."
                )
                await asyncio.to_thread(archive, feed, claimed, digest, remark)
                return FileReport(file=claimed.name, same_as=before.file)
            report = await _keep_all(plain, claimed.name, digest, feed, keep, progress)
    except Refused as error:
        reason = f"{error.reason}. {error.fix}."
        await asyncio.to_thread(refuse, feed, claimed, reason)
        return FileReport(file=claimed.name, refused=reason)
    taken = Taken(claimed.name, datetime.now(UTC), report.rows, report.documents)
    await asyncio.to_thread(note_taken, feed, digest, taken)
    await asyncio.to_thread(archive, feed, claimed, digest)
    return report


async def take_file(path: Path, feed: DropFeed, keep: Keep, progress: Progress = no_progress) -> FileReport:
    """Take one file that lies anywhere and stays where it is (`crossdock send`). Refused when it cannot be taken.

    Sent again, its documents are recognised one by one: they are counted as duplicates and make no second effect.
    """
    with ExitStack() as stack:
        plain = await asyncio.to_thread(stack.enter_context, unpacked(path, feed.declared.max_file_bytes))
        digest = await asyncio.to_thread(file_digest, plain)
        return await _keep_all(plain, path.name, digest, feed, keep, progress)


async def _keep_all(plain: Path, name: str, digest: str, feed: DropFeed, keep: Keep, progress: Progress) -> FileReport:
    report = FileReport(file=name)
    async for batch in _batches(plain, name, digest, feed):
        results = await keep([made.incoming for made in batch])
        report = FileReport(
            file=name,
            rows=report.rows + sum(made.incoming.items for made in batch),
            documents=report.documents + len(batch),
            duplicates=report.duplicates + sum(result.duplicate for result in results),
            bad_rows=report.bad_rows + sum(made.bad_rows for made in batch),
        )
        progress(report)
    return report


async def read_documents(path: Path, feed: DropFeed) -> AsyncIterator[list[Incoming]]:
    """Batches of at most 500 messages (or about 8 MB) from the CSV file at `path`. Refused when its header is wrong."""
    with ExitStack() as stack:
        plain = await asyncio.to_thread(stack.enter_context, unpacked(path, feed.declared.max_file_bytes))
        digest = await asyncio.to_thread(file_digest, plain)
        async for batch in _batches(plain, path.name, digest, feed):
            yield [made.incoming for made in batch]


async def _batches(plain: Path, name: str, digest: str, feed: DropFeed) -> AsyncIterator[list[Made]]:
    documents = _documents(plain, name, digest, feed)
    try:
        while batch := await asyncio.to_thread(_next_batch, documents):
            yield batch
    finally:
        documents.close()


def _documents(plain: Path, name: str, digest: str, feed: DropFeed) -> Generator[Made, None, None]:
    with plain.open("rb") as file:
        header = read_header(file, feed.declared)
    route = compile_route(feed.declared.topics)
    for group in read_groups(plain, feed.declared, header):
        yield make_document(group, feed, header, route, name, digest)


def _next_batch(documents: Iterator[Made]) -> list[Made]:
    batch: list[Made] = []
    size = 0
    for made in islice(documents, MAX_BATCH):
        batch.append(made)
        size += len(made.incoming.body)
        if size >= MAX_BATCH_BYTES:
            break
    return batch
