# SPDX-License-Identifier: Apache-2.0
"""`crossdock reconcile prices`: compare prices now; what differs, what it may cost and what is done about it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from crossdock.app.reconciling_prices import compared_prices, look_again_after
from crossdock.app.wiring import Wired, wire
from crossdock.catalog.price_compared import PriceDifference
from crossdock.catalog.price_drift import AskedPrices, PriceReport, reconcile_prices
from crossdock.cli.connect import DataFolder, database_url
from crossdock.cli.options import DEFAULT_ESTATE, By, EstateFile, account
from crossdock.cli.output import EXIT_NO, AsJson, console, fail, money, plain, print_json, table
from crossdock.cli.reconcile import SHOWN, DryRun, Skus, SystemName, app, print_end
from crossdock.errors import CrossdockError
from crossdock.estate.findings import EstateError
from crossdock.runtime.postgres import open_pool
from crossdock.settings import Settings

_DONE = {"": "settles by itself", "told_again": "told again", "left": "for a person"}


@app.command("prices")
def reconcile_price_lists(  # CD003: every option of a command is a parameter, that is how typer reads them
    estate: EstateFile = DEFAULT_ESTATE,
    system: SystemName = "",
    sku: Skus = None,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    dry_run: DryRun = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compare the prices channels show with those they should, and an ERP's base prices with the products' own; exit
    code 1 when a system could not be asked.

    What differs is asked for again after a moment. A channel that shows another price than it was told is told again,
    once; the rest is left to a person, with what the difference comes to for what was sold in thirty days.
    """
    try:
        wired = wire(estate)
        asked = AskedPrices(
            by=account(by),
            origin="cli",
            reason=reason,
            system=system,
            skus=sku,
            dry_run=dry_run,
            look_again_after=look_again_after(wired),
        )
        report = asyncio.run(_run(wired, Settings.load(data=data), asked))
    except (CrossdockError, EstateError) as error:
        raise fail(error) from error
    if as_json:
        print_json(_told(report))
    else:
        print_prices(report, console(), dry_run=dry_run)
    if not all(one.answered for one in report.systems):
        raise typer.Exit(EXIT_NO)


async def _run(wired: Wired, settings: Settings, asked: AskedPrices) -> PriceReport:
    pool = await open_pool(database_url(settings), max_size=2, statement_timeout=600, name="crossdock-cli")
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("asking")
        async with pool, compared_prices(wired, asked.system) as systems:
            return await reconcile_prices(
                pool, systems, asked, lambda name, rows: bar.update(task, description=f"{name}: {rows:,} rows")
            )


def _told(report: PriceReport) -> dict[str, object]:
    return {
        "id": report.id,
        "started_at": report.started_at,
        "told_again": report.acted("told_again"),
        "left": report.acted("left"),
        "systems": [
            {
                "system": one.system,
                "channel": one.channel,
                "compared": one.compared,
                "equal": one.equal,
                "currency": one.currency,
                "at_risk": one.at_risk,
                "problems": one.problems,
                "differences": [_difference(found) for found in one.differences],
            }
            for one in report.systems
        ],
    }


def _difference(found: PriceDifference) -> dict[str, object]:
    shown = msgspec.to_builtins(found)
    names = ("sku", "ours", "theirs", "currency", "reason", "action", "units", "money")
    return {**{name: shown[name] for name in names}, "class": found.kind}


def print_prices(report: PriceReport, out: Console, *, dry_run: bool) -> None:
    """How many are equal by system and what is at risk, then the differences, then what could not be compared."""
    figures = ("compared", "equal", "at risk")
    books = table("system", "channel", *figures, right=figures)
    for one in report.systems:
        risk = money(one.at_risk, one.currency)
        books.add_row(plain(one.system), plain(one.channel or "base"), f"{one.compared:,}", f"{one.equal:,}", risk)
    out.print(books)
    found = [difference for one in report.systems for difference in one.differences]
    if found:
        right = ("ours", "theirs", "sold", "at risk")
        rows = table("system", "SKU", *right, "class", "what is done", "why", right=right)
        for difference in sorted(found, key=lambda each: -(each.money or 0))[:SHOWN]:
            rows.add_row(
                plain(difference.system),
                plain(difference.sku),
                money(difference.ours, difference.currency),
                money(difference.theirs, difference.currency),
                f"{difference.units:f}",
                money(difference.money, difference.currency),
                difference.kind,
                _DONE[difference.action],
                plain(difference.reason),
            )
        out.print()
        out.print(rows)
    print_end(out, len(found) - SHOWN, [(one.system, one.problems) for one in report.systems], dry_run=dry_run)
