# SPDX-License-Identifier: Apache-2.0
"""Send a month of real invoices through the whole path and compare three counts of what arrived.

    python examples/online_retail/run.py online_retail.csv.gz --month 2011-01

Starts a simulated NetSuite and Crossdock with engines of its own, runs `crossdock send`, waits until all is at rest and
prints what the file, Crossdock and NetSuite count. Exit code 0 only if all agree and the books balance.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: its neighbours are found from the project's folder
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.app.demo.figures import Figures
from crossdock.cli.output import console, print_json, table
from crossdock.errors import CrossdockError
from crossdock.runtime.telemetry import configure_logs
from examples.online_retail.counts import Comparison
from examples.online_retail.prepare import cut_month
from examples.online_retail.stage import Stage, compared, sending, settle, staged
from examples.online_retail.totals import Sum
from examples.online_retail.usage import cpu_seconds, ended_seconds

FIGURES = ("documents", "lines", "goods", "charges", "total")


async def run(export: Path, work: Path, month: str, *, quiet: bool) -> tuple[Comparison, dict[str, Any]]:
    """Send `month` of `export` ("" = all of it): the comparison, and what it took (seconds, CPU seconds)."""
    async with staged(export, work) as stage:
        file = export
        if month:
            file = work / f"online-retail-{month}.csv"
            await asyncio.to_thread(cut_month, export, month, file)
        before, began = cpu_seconds(), time.monotonic()
        ended = ended_seconds()
        process = await sending(stage, file, captured=quiet, as_json=quiet)
        _, complaint = await process.communicate()
        sender = round(ended_seconds() - ended, 2)
        if process.returncode:
            raise CrossdockError(f"crossdock send failed: {(complaint or b'').decode().strip() or 'see above'}")
        sent = time.monotonic() - began
        await _settled(stage, quiet)
        seconds, after = time.monotonic() - began, cpu_seconds()
        comparison = await compared(stage, file)
        cpu = {name: round(used - before.get(name, 0.0), 2) for name, used in after.items()} | {
            "crossdock send": sender
        }
        return comparison, {"sent_seconds": round(sent, 1), "seconds": round(seconds, 1), "cpu_seconds": cpu}


async def _settled(stage: Stage, quiet: bool) -> None:
    if quiet:
        await settle(stage)
        return
    columns = (TextColumn("settled"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(), transient=True) as progress:
        task = progress.add_task("settled")

        def show(figures: Figures) -> None:
            progress.update(task, completed=figures.settled + figures.cases, total=figures.settled + figures.open)

        await settle(stage, show)


def show_comparison(comparison: Comparison) -> None:
    """Print the three counts side by side, month by month, then the books."""
    out = console()
    for month in sorted({line.month for line in comparison.lines}):
        shown = table("", "counted by", *FIGURES, "agrees", right=FIGURES, title=month)
        for line in (one for one in comparison.lines if one.month == month):
            mark = "[green]yes[/]" if line.agrees else "[red]NO[/]"
            shown.add_row(line.kind, "the file", *_figures(line.file), mark)
            shown.add_row("", "Crossdock", *_figures(line.crossdock))
            if line.erp is not None:
                left_out = line.file.charges_of_nothing
                note = f" (charges of 0.00 left out: {left_out})" if left_out else ""
                shown.add_row("", f"NetSuite{note}", *_figures(line.erp))
        out.print(shown)
    columns = ("received", "duplicate", "rejected", "settled", "open")
    books = table("interface", *columns, "lines", "balanced", right=(*columns, "lines"), title="The books")
    for book in comparison.books:
        figures = [f"{getattr(book, name):,}" for name in columns]
        books.add_row(book.interface, *figures, f"{book.lines.received:,}", "yes" if book.balanced else "NO")
    out.print(books)
    out.print("[green]Everything agrees.[/]" if comparison.agrees else "[red]It does NOT agree.[/]")


def _figures(counted: Sum) -> list[str]:
    money = (counted.goods, counted.charges, counted.total)
    return [f"{counted.documents:,}", f"{counted.lines:,}", *(f"{amount:,.2f}" for amount in money)]


def as_data(comparison: Comparison, took: dict[str, Any]) -> dict[str, Any]:
    """The comparison for programs; amounts are strings in GBP."""
    return {
        "agrees": comparison.agrees,
        "lines": [
            {
                "month": line.month,
                "kind": line.kind,
                "agrees": line.agrees,
                "file": asdict(line.file),
                "crossdock": asdict(line.crossdock),
                "netsuite": asdict(line.erp) if line.erp is not None else None,
            }
            for line in comparison.lines
        ],
        "books": comparison.books,
        "doubled": comparison.doubled,
        **took,
    }


@contextmanager
def _work_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="online-retail-") as own:
        yield Path(own)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Send real invoices through Crossdock and compare what arrived.")
    parser.add_argument("export", type=Path, help="online_retail.csv or .csv.gz")
    parser.add_argument("--month", default="", help="only this month, as 2011-01")
    parser.add_argument("--work", type=Path, help="a new folder to work in and keep (default: one that is gone after)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    given = parser.parse_args()
    configure_logs("warning", "auto", role="example")
    try:
        with _work_folder(given.work) as work:
            comparison, took = asyncio.run(run(given.export.resolve(), work, given.month, quiet=given.json))
    except (CrossdockError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if given.json:
        print_json(as_data(comparison, took))
    else:
        show_comparison(comparison)
        cpu = ", ".join(f"{name} {seconds}" for name, seconds in took["cpu_seconds"].items())
        console().print(f"Sent in {took['sent_seconds']} s, settled after {took['seconds']} s. CPU seconds: {cpu}")
    return 0 if comparison.agrees else 1


if __name__ == "__main__":
    sys.exit(main())
