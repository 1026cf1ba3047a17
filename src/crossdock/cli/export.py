# SPDX-License-Identifier: Apache-2.0
"""`crossdock export demand` and `crossdock export availability`: what a planning system is fed with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from crossdock.app.planning import AVAILABLE, DEMAND, Format, WholeFile, availability, header, lines
from crossdock.app.wiring import stock_rules_of, wire
from crossdock.catalog.cache import Catalog
from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.options import DEFAULT_ESTATE, EstateFile
from crossdock.cli.output import EXIT_USAGE, fail
from crossdock.errors import CrossdockError, NeedsConfig
from crossdock.estate.findings import EstateError
from crossdock.inventory.demand import days, demand_of
from crossdock.runtime.clock import now

app = typer.Typer(no_args_is_help=True, help="Write what other systems plan with.")
MOST_DAYS = 1100

Form = Annotated[Format, typer.Option("--format", help="csv or jsonl.")]
Out = Annotated[Path | None, typer.Option("--out", help="The file to write, whole or not at all; default: the screen.")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day (UTC).")]
Until = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day after the last one (default: tomorrow).")
]


@app.callback()
def _group() -> None:
    """Write what other systems plan with."""


@app.command("demand")
def export_demand(
    since: Day, until: Until = None, form: Form = "csv", out: Out = None, data: DataFolder = None
) -> None:
    """Write demand per day, SKU and channel: ordered, shipped, cancelled and lost for want of goods, in base units."""
    first, end = since.date(), until.date() if until is not None else now().date() + timedelta(days=1)
    if not 0 < (end - first).days <= MOST_DAYS:
        wrong = NeedsConfig(
            f"{first} to {end} is no span of 1 to {MOST_DAYS} days", field="until", fix="put until after since"
        )
        fail(wrong)
        raise typer.Exit(EXIT_USAGE)

    async def read(conn: Connection, write: Callable[[Sequence[Struct]], None]) -> None:
        catalog = Catalog()
        await catalog.refresh(conn)
        for day in days(first, end):
            write(await demand_of(conn, day, catalog))

    _write(data, out, DEMAND, form, read)


@app.command("availability")
def export_availability(
    estate: EstateFile = DEFAULT_ESTATE, form: Form = "csv", out: Out = None, data: DataFolder = None
) -> None:
    """Write what every channel may sell of every SKU now, in base units."""
    try:
        rules = stock_rules_of(wire(estate).estate)
    except (CrossdockError, EstateError) as error:
        raise fail(error) from error

    async def read(conn: Connection, write: Callable[[Sequence[Struct]], None]) -> None:
        chunks: AsyncIterator[Sequence[Struct]] = availability(conn, rules)
        async for chunk in chunks:
            write(chunk)

    _write(data, out, AVAILABLE, form, read)


def _write(
    data: Path | None,
    out: Path | None,
    columns: Sequence[str],
    form: Format,
    read: Callable[[Connection, Callable[[Sequence[Struct]], None]], Awaitable[None]],
) -> None:
    if out is None:
        typer.echo(header(columns, form), nl=False)
        with_database(data, lambda conn: read(conn, lambda rows: typer.echo(lines(rows, columns, form), nl=False)))
        return
    try:
        with WholeFile(out) as file:
            file.write(header(columns, form))
            with_database(data, lambda conn: read(conn, lambda rows: file.write(lines(rows, columns, form))))
    except CrossdockError as error:
        raise fail(error) from error
