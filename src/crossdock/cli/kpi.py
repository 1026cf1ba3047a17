# SPDX-License-Identifier: Apache-2.0
"""`crossdock kpi NAME`: a key figure and its history."""

from __future__ import annotations

from typing import Annotated

import typer

from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.output import AsJson, console, plain, print_json, table
from crossdock.inventory.reconciled import KpiPoint, kpi_history

Name = Annotated[str, typer.Argument(help="The figure, as inventory_accuracy.")]
Dimension = Annotated[
    str | None, typer.Option("--dimension", help='Only this one, as warehouse/DC-EAST; "" is over all.')
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many values, the newest.")]


def show_kpi(
    name: Name, dimension: Dimension = None, limit: Limit = 50, data: DataFolder = None, as_json: AsJson = False
) -> None:
    """Print a key figure with its history, the newest first."""

    async def read(conn: Connection) -> list[KpiPoint]:
        return await kpi_history(conn, name, limit, dimension)

    points = with_database(data, read)
    if as_json:
        print_json(points)
        return
    rows = table("at", "of", name, right=(name,))
    for point in points:
        rows.add_row(f"{point.at:%Y-%m-%d %H:%M:%S}", plain(point.dimension or "all"), f"{point.value:.4f}")
    console().print(rows)
