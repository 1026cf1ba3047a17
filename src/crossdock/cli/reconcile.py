# SPDX-License-Identifier: Apache-2.0
"""`crossdock reconcile inventory`: compare stock now, and say what differs and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from crossdock.app.reconciling import compared_systems, reconcile_rules
from crossdock.app.wiring import Wired, wire
from crossdock.cli.connect import DataFolder, database_url
from crossdock.cli.options import DEFAULT_ESTATE, By, EstateFile, account
from crossdock.cli.output import EXIT_NO, AsJson, console, fail, money, plain, print_json, table
from crossdock.errors import CrossdockError
from crossdock.estate.findings import EstateError
from crossdock.inventory.compared import Difference
from crossdock.inventory.reconcile import Asked, Report, reconcile
from crossdock.runtime.postgres import open_pool
from crossdock.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Compare what systems have with what we have.")

SystemName = Annotated[str, typer.Option("--system", help="Only this system.")]
Skus = Annotated[list[str] | None, typer.Option("--sku", help="Only this SKU; may be given several times.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
SHOWN = 50
_DONE = {
    "": "settles by itself",
    "counted": "counted",
    "told_again": "told again",
    "case": "new case",
    "case_open": "case is open",
    "left": "left",
}


@app.callback()
def _group() -> None:
    """Compare what systems have with what we have."""


@app.command("inventory")
def reconcile_inventory(  # CD003: every option of a command is a parameter, that is how typer reads them
    estate: EstateFile = DEFAULT_ESTATE,
    system: SystemName = "",
    sku: Skus = None,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    dry_run: DryRun = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compare stock with what ERP and warehouse have and what channels show; exit code 1 when a system could not be
    asked.

    What differs is asked for again after a moment, classified, and mended by the rules under `inventory.reconcile` of
    the estate, or becomes a case.
    """
    try:
        wired = wire(estate)
        asked = Asked(by=account(by), origin="cli", reason=reason, system=system, skus=sku, dry_run=dry_run)
        report = asyncio.run(_run(wired, Settings.load(data=data), asked))
    except (CrossdockError, EstateError) as error:
        raise fail(error) from error
    if as_json:
        print_json(_told(report))
    else:
        print_report(report, console(), dry_run=dry_run)
    if not all(one.answered for one in report.systems):
        raise typer.Exit(EXIT_NO)


async def _run(wired: Wired, settings: Settings, asked: Asked) -> Report:
    rules = reconcile_rules(wired.estate)
    pool = await open_pool(database_url(settings), max_size=3, statement_timeout=600, name="crossdock-cli")
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("asking")
        async with pool, compared_systems(wired, asked.system) as systems:
            return await reconcile(
                pool, systems, rules, asked, lambda name, rows: bar.update(task, description=f"{name}: {rows:,} rows")
            )


def _told(report: Report) -> dict[str, object]:
    return {
        "id": report.id,
        "started_at": report.started_at,
        "compared": report.compared,
        "equal": report.equal,
        "counted": report.acted("counted"),
        "told_again": report.acted("told_again"),
        "cases": report.acted("case"),
        "accuracy": report.accuracy(),
        "systems": [
            {
                "system": one.system,
                "compared": one.compared,
                "equal": one.equal,
                "problems": one.problems,
                "differences": [_difference(found) for found in one.differences],
            }
            for one in report.systems
        ],
    }


def _difference(found: Difference) -> dict[str, object]:
    shown = msgspec.to_builtins(found)
    names = ("sku", "location", "ours", "theirs", "as_of", "reason", "action", "money", "currency")
    return {**{name: shown[name] for name in names}, "class": found.kind, "amount": found.amount}


def print_report(report: Report, out: Console, *, dry_run: bool) -> None:
    """Accuracy by system and location, then the differences, then what could not be compared."""
    figures = ("compared", "equal", "accuracy")
    books = table("system", "location", *figures, right=figures)
    for one in report.systems:
        for place, number in sorted(one.compared.items()):
            equal = one.equal.get(place, 0)
            share = f"{equal / number:.2%}" if number else ""
            books.add_row(plain(one.system), plain(place or "all"), f"{number:,}", f"{equal:,}", share)
    out.print(books)
    found = [difference for one in report.systems for difference in one.differences]
    if found:
        right = ("ours", "theirs", "money")
        rows = table("system", "SKU", "location", *right, "class", "what is done", "why", right=right)
        for difference in found[:SHOWN]:
            rows.add_row(
                plain(difference.system),
                plain(difference.sku),
                plain(difference.location or "all"),
                _figure(difference.ours),
                _figure(difference.theirs),
                money(difference.money, difference.currency),
                difference.kind,
                _DONE[difference.action],
                plain(difference.reason),
            )
        out.print()
        out.print(rows)
    print_end(out, len(found) - SHOWN, [(one.system, one.problems) for one in report.systems], dry_run=dry_run)


def print_end(out: Console, left: int, problems: Iterable[tuple[str, Sequence[str]]], *, dry_run: bool) -> None:
    """How many differences were left out, then what each system could not be compared for."""
    if left > 0:
        out.print(f"and {left:,} more: see --json")
    for system, said in problems:
        for problem in said:
            out.print(plain(f"{system}: {problem}", "yellow"))
    if dry_run:
        out.print("Nothing was done: this was a dry run.")


def _figure(value: object) -> str:
    return "none" if value is None else f"{value:,}"
