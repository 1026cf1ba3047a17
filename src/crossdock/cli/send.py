# SPDX-License-Identifier: Apache-2.0
"""`crossdock send`: feed files or payloads to an interface, as if its system had sent them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.app.send import Target, Tell, check_declared, send_file, target_of
from crossdock.app.wiring import Wired, wire
from crossdock.cli.connect import database_url
from crossdock.cli.options import DEFAULT_ESTATE, DataFolder, EstateFile
from crossdock.cli.output import EXIT_NO, EXIT_USAGE, AsJson, console, fail, plain, print_json, table
from crossdock.connectors.file_drop.take import FileReport
from crossdock.errors import CrossdockError, NeedsConfig
from crossdock.runtime.postgres import open_pool
from crossdock.settings import Settings

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


def send(
    interface: Annotated[str, typer.Argument(help="The interface, as the estate names it.")],
    files: Annotated[
        list[Path], typer.Argument(help="Files, or JSON payloads.", exists=True, dir_okay=False, readable=True)
    ],
    estate: EstateFile = DEFAULT_ESTATE,
    topic: Annotated[str, typer.Option(help="The topic of payloads (default: the interface's first).")] = "",
    as_json: AsJson = False,
    data: DataFolder = None,
) -> None:
    """Feed files to an interface, with a progress bar. What was sent before is recognised and makes no second effect.

    A file interface takes whole files; any other takes one JSON payload per file, without asking for its system's
    signature. Exit code 0: everything is kept; 1: a file was refused, the others are kept; 2: the interface or topic is
    not in the estate, or the estate cannot be used; 3: no Crossdock runs here.
    """
    try:
        wired = wire(estate)
        target = target_of(wired, interface, topic)
    except NeedsConfig as error:
        fail(error)
        raise typer.Exit(EXIT_USAGE) from error
    try:
        url = database_url(Settings.load(data=data))
        reports = asyncio.run(_send(url, wired, target, files, quiet=as_json))
    except CrossdockError as error:
        raise fail(error) from error
    if as_json:
        print_json(reports)
    else:
        _print(reports)
    if any(report.refused for report in reports):
        raise typer.Exit(EXIT_NO)


async def _send(url: str, wired: Wired, target: Target, files: Sequence[Path], *, quiet: bool) -> list[FileReport]:
    pool = await open_pool(url, min_size=1, max_size=2, statement_timeout=120, name="crossdock-send")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[seen]}"), TimeElapsedColumn())
    async with pool:
        await check_declared(pool, target.interface)
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
            reports = []
            for path in files:
                rows = None if quiet or target.topic else await asyncio.to_thread(_rows, path)
                reports.append(await send_file(pool, wired, target, path, _teller(progress, path.name, rows)))
            return reports


def _teller(progress: Progress, name: str, rows: int | None) -> Tell:
    task = progress.add_task(escape(name), total=rows, seen="")

    def tell(report: FileReport) -> None:
        seen = f"{report.rows:,} rows, {report.documents:,} documents, {report.duplicates:,} known"
        progress.update(task, completed=report.rows, seen=seen)

    return tell


def _rows(path: Path) -> int | None:
    """About how many rows a plain file has, for the bar; None when it cannot be told without unpacking it."""
    with suppress(OSError), path.open("rb") as file:
        lines, last = 0, b""
        while chunk := file.read(_CHUNK):
            if not last and chunk.startswith(_GZIP):
                return None
            lines, last = lines + chunk.count(b"\n"), chunk
        return max(lines - last.endswith(b"\n"), 1)
    return None


def _print(reports: Sequence[FileReport]) -> None:
    figures = ("rows", "documents", "duplicates", "bad_rows")
    shown = table("file", *(name.replace("_", " ") for name in figures), "refused", right=("bad rows", *figures))
    for report in reports:
        values = [f"{getattr(report, name):,}" for name in figures]
        shown.add_row(plain(report.file), *values, plain(report.refused, "red"))
    console().print(shown)
