# SPDX-License-Identifier: Apache-2.0
"""`crossdock replay`: apply again what was kept."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.app.replay import Report, Tell, Wish, replay
from crossdock.app.wiring import wire
from crossdock.cli.connect import with_database
from crossdock.cli.moment import HELP, moment
from crossdock.cli.options import DEFAULT_ESTATE, By, DataFolder, EstateFile, account
from crossdock.cli.output import EXIT_NO, EXIT_USAGE, AsJson, console, fail, plain, print_json, table
from crossdock.errors import NeedsConfig
from crossdock.runtime.clock import now

app = typer.Typer(help="Apply again what was kept, without doubling anything.", no_args_is_help=True)
_SHOWN = 20


@app.callback()
def _group() -> None:
    """Apply again what was kept, without doubling anything."""


@app.command()
def inventory(  # CD003: one parameter per option is how typer reads a command line
    since: Annotated[str, typer.Option("--since", help=f"Documents received from then on. {HELP}", metavar="TIME")],
    until: Annotated[
        str | None, typer.Option("--until", help="Documents received before then (default: now).", metavar="TIME")
    ] = None,
    sku: Annotated[str, typer.Option("--sku", help="Only this SKU.")] = "",
    source: Annotated[str, typer.Option("--source", help="Only documents of this source.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find out what would change, and change nothing.")] = False,
    heal: Annotated[bool, typer.Option("--heal", help="Make levels that differ what their ledger says.")] = False,
    by: By = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit.")] = "",
    estate: EstateFile = DEFAULT_ESTATE,
    as_json: AsJson = False,
    data: DataFolder = None,
) -> None:
    """Apply movements and counts again that were kept since a time, and compare every level with its ledger.

    What the ledger has is left alone, also when the document says something else now: that is listed. Exit code 0:
    ledger and levels are as the documents say; 1: something is left to look at, or --dry-run found what would change;
    2: wrong usage, or the estate cannot be used; 3: the database cannot be reached.
    """
    begin = moment(since)
    end = moment(until) if until is not None else now()
    if begin >= end:
        raise typer.BadParameter("it is not before --until", param_hint="--since")
    wish = Wish(
        since=begin, until=end, sku=sku, source=source, dry_run=dry_run, heal=heal, by=account(by), reason=reason
    )
    try:
        wired = wire(estate)
    except NeedsConfig as error:
        fail(error)
        raise typer.Exit(EXIT_USAGE) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress:
        report = with_database(data, lambda conn: replay(conn, wired, wish, _teller(progress)))
    if as_json:
        print_json(report)
    else:
        print_report(report, console())
    if report.left:
        raise typer.Exit(EXIT_NO)


def _teller(progress: Progress) -> Tell:
    tasks = {name: progress.add_task(name, total=None) for name in ("documents", "levels")}

    def tell(what: str, done: int, total: int) -> None:
        progress.update(tasks[what], completed=done, total=max(total, done))

    return tell


def print_report(report: Report, out: Console) -> None:
    """Figures, what changed by SKU, and what is left to look at."""
    verb = "would be entered" if report.dry_run else "entered"
    out.print(f"{report.documents:,} documents: {report.known:,} known, {report.entered:,} {verb}")
    if report.changes:
        figures = ("on hand", "quarantined", "allocated")
        changes = table("SKU", "location", *figures, right=figures)
        for change in report.changes[:_SHOWN]:
            values = [f"{getattr(change, name.replace(' ', '_')):+f}" for name in figures]
            changes.add_row(plain(change.sku), plain(change.location), *values)
        out.print(changes)
        _more(out, len(report.changes))
    if report.differing:
        out.print(plain(f"{report.differing:,} fields are otherwise in the ledger, and were left so:", "yellow"))
        differences = table("source", "movement", "field", "ledger", "document says", "document")
        for one in report.differences[:_SHOWN]:
            texts = (one.source, one.movement_id, one.field, one.ledger, one.document, one.document_id)
            differences.add_row(*(plain(text) for text in texts))
        out.print(differences)
        _more(out, report.differing)
    if report.refused:
        out.print(plain(f"{report.refused:,} cannot enter:", "yellow"))
        for problem in report.problems[:_SHOWN]:
            out.print(plain(f"  {problem}"))
        _more(out, report.refused)
    _print_drifts(report, out)


def _print_drifts(report: Report, out: Console) -> None:
    if not report.drifted:
        out.print(plain("every level is what its ledger adds up to", "green"))
        return
    healed = f", {report.healed:,} healed" if report.healed else "; --heal makes them what their ledger says"
    out.print(plain(f"{report.drifted:,} levels are not what their ledger adds up to{healed}:", "red"))
    drifts = table("SKU", "location", "what", "level", "ledger", right=("level", "ledger"))
    for one in report.drifts[:_SHOWN]:
        for what, level, ledger in (
            ("on hand", one.on_hand, one.ledger_on_hand + one.uncounted),
            ("quarantined", one.quarantined, one.ledger_quarantined),
            ("allocated", one.allocated, one.ledger_allocated),
            ("reserved", one.reserved, one.held_reserved),
            ("up to the count", one.ledger_on_hand + one.uncounted, one.ledger_on_hand),
        ):
            if level != ledger:
                drifts.add_row(plain(one.sku), plain(one.location), what, f"{level:f}", f"{ledger:f}")
    out.print(drifts)
    _more(out, report.drifted)


def _more(out: Console, number: int) -> None:
    if number > _SHOWN:
        out.print(f"  and {number - _SHOWN:,} more (--json has up to 1,000 of each)")
