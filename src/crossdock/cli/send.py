# SPDX-License-Identifier: Apache-2.0
"""`crossdock send`: feed files or payloads to an interface, as if its system had sent them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.app.wiring import OVERTAKES, Wired, wire
from crossdock.cli.connect import database_url
from crossdock.cli.options import DEFAULT_ESTATE, DataFolder, EstateFile
from crossdock.cli.output import EXIT_NO, AsJson, console, fail, print_json, table
from crossdock.connectors.file_drop.feed import feed_of
from crossdock.connectors.file_drop.take import FileReport, Keep, take_file
from crossdock.errors import CrossdockError, NeedsConfig, Refused
from crossdock.journal.keep import keep
from crossdock.runtime.postgres import open_pool
from crossdock.sdk.receiving import Incoming, KeepResult, digest_of
from crossdock.settings import Settings

Tell = Callable[[FileReport], None]


def send(
    interface: Annotated[str, typer.Argument(help="The interface, as the estate names it.")],
    files: Annotated[list[Path], typer.Argument(help="Files, or JSON payloads.", exists=True, dir_okay=False)],
    estate: EstateFile = DEFAULT_ESTATE,
    topic: Annotated[str, typer.Option(help="The topic of payloads (default: the interface's first).")] = "",
    as_json: AsJson = False,
    data: DataFolder = None,
) -> None:
    """Feed files to an interface, with progress. What was sent before is recognised and makes no second effect.

    A file interface takes whole files; any other takes one JSON payload per file. Exit code 1 when a file was refused.
    """
    try:
        settings, wired = Settings.load(data=data), wire(estate)
        reports = asyncio.run(_send(database_url(settings), wired, interface, files, topic))
    except CrossdockError as error:
        raise fail(error) from error
    if as_json:
        print_json(reports)
    else:
        _print(reports)
    if any(report.refused for report in reports):
        raise typer.Exit(EXIT_NO)


async def _send(url: str, wired: Wired, interface: str, files: Sequence[Path], topic: str) -> list[FileReport]:
    face = wired.estate.interfaces.get(interface)
    if face is None or face.declared.direction != "in":
        known = ", ".join(
            sorted(name for name, one in wired.estate.interfaces.items() if one.declared.direction == "in")
        )
        raise NeedsConfig(f"no interface {interface!r} takes anything in", field="interface", fix=f"use one of {known}")
    pool = await open_pool(url, min_size=1, max_size=2, statement_timeout=120, name="crossdock-send")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[seen]}"), TimeElapsedColumn())
    async with pool:
        with Progress(*columns, console=console(), transient=True) as progress:
            return [
                await _send_one(pool, wired, interface, path, topic, _teller(progress, path.name)) for path in files
            ]


def _teller(progress: Progress, name: str) -> Tell:
    task = progress.add_task(name, total=None, seen="")

    def tell(report: FileReport) -> None:
        progress.update(task, seen=f"{report.rows} rows, {report.documents} documents, {report.duplicates} known")

    return tell


async def _send_one(pool: asyncpg.Pool, wired: Wired, interface: str, path: Path, topic: str, tell: Tell) -> FileReport:
    async def keep_all(batch: Sequence[Incoming]) -> list[KeepResult]:
        return await keep(pool, batch)

    try:
        if interface in wired.estate.declared.files:
            return await take_file(path, feed_of(wired.estate, interface, os.environ), keep_all, tell)
        return await _send_payload(wired, interface, path, topic, keep_all)
    except Refused as error:
        return FileReport(file=path.name, refused=f"{error.reason}. {error.fix}")


async def _send_payload(
    wired: Wired,
    interface: str,
    path: Path,
    topic: str,
    keep_all: Keep,
) -> FileReport:
    face = wired.estate.interfaces[interface]
    topic = topic or face.declared.topics[0]
    if topic not in face.declared.topics:
        raise Refused(
            f"interface {interface} has no topic {topic!r}", fix=f"use one of {', '.join(face.declared.topics)}"
        )
    most = wired.estate.limits(face.system, wired.connectors[face.system].manifest.limits).body_bytes
    size = (await asyncio.to_thread(path.stat)).st_size
    if size > most:
        raise Refused(f"{path.name} is larger than the {most} bytes the interface takes", fix="send it in parts")
    body = await asyncio.to_thread(path.read_bytes)
    digest = digest_of(body)
    incoming = Incoming(
        interface=interface,
        topic=topic,
        dedup_key=f"sent/{digest & (2**64 - 1):016x}",
        key=f"sent/{interface}/{digest & (2**64 - 1):016x}",
        body=body,
        digest=digest,
        overtakes=face.object in OVERTAKES,
    )
    result = (await keep_all([incoming]))[0]
    return FileReport(file=path.name, rows=1, documents=1, duplicates=int(result.duplicate))


def _print(reports: Sequence[FileReport]) -> None:
    figures = ("rows", "documents", "duplicates", "bad_rows")
    shown = table("file", *(name.replace("_", " ") for name in figures), "refused", right=figures)
    for report in reports:
        shown.add_row(report.file, *(str(getattr(report, name)) for name in figures), report.refused or report.same_as)
    console().print(shown)
