# SPDX-License-Identifier: Apache-2.0
"""`crossdock consumers usage`: who still calls what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from crossdock.api.ops.usage import SINCE, Usage, chosen, read_usage
from crossdock.api.route_life import endings_of
from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.moment import HELP, moment
from crossdock.cli.options import DEFAULT_ESTATE, EstateFile
from crossdock.cli.output import AsJson, console, fail, plain, print_json, table
from crossdock.errors import CrossdockError
from crossdock.estate.load import load_estate
from crossdock.governance.route_usage import MOST_ROWS, UsageWish
from crossdock.runtime.clock import now

app = typer.Typer(name="consumers", help="Consumers of the API, and what they use of it.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Consumers of the API, and what they use of it."""


@app.command()
def usage(  # CD003: every option is one parameter, that is how typer reads them
    since: Annotated[
        str | None, typer.Option(help=f"From that day on (default: 30 days). {HELP}", metavar="TIME")
    ] = None,
    consumer: Annotated[str, typer.Option(help="Only this consumer; `local` where the estate has none.")] = "",
    route: Annotated[str, typer.Option(help="Only this route: 'GET /v1/orders/{id}', or a path with any method.")] = "",
    deprecated: Annotated[bool, typer.Option("--deprecated", help="Only routes that the estate ends.")] = False,
    daily: Annotated[bool, typer.Option("--daily", help="A row for each day (UTC), the newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS)] = 500,
    estate: EstateFile = DEFAULT_ESTATE,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Say who calls which route of the API how often, and when last; what is called though it ends is marked.

    Counted is what was let in. Gateways tell their counts every few seconds.
    """
    try:
        endings = endings_of(load_estate(estate))
        routes = chosen(route, deprecated, endings)
    except CrossdockError as error:
        raise fail(error) from error
    begin = moment(since) if since is not None else now() - SINCE
    wish = UsageWish(since=begin.date(), consumer=consumer, routes=routes, daily=daily, limit=limit)

    async def read(conn: Connection) -> list[Usage]:
        return await read_usage(conn, wish, endings)

    found = with_database(data, read)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print(f"Nobody called it since {begin:%Y-%m-%d}.")
        return
    _print(found, daily)
    if len(found) == limit:
        console().print(plain(f"Only {limit} rows are shown; narrow the filters or raise --limit.", "yellow"))


def _print(found: list[Usage], daily: bool) -> None:
    rows = table("consumer", "route", "day" if daily else "days", "requests", "last", "ends", right=("requests",))
    today = datetime.now(UTC).date()
    for one in found:
        ends = ""
        if one.deprecated:
            ends = "deprecated" if one.sunset is None else f"{one.sunset}{' (passed)' if one.sunset <= today else ''}"
            ends += f", use {one.replaced_by}" if one.replaced_by else ""
        rows.add_row(
            plain(one.consumer),
            plain(one.route),
            plain(one.day if daily else one.days),
            f"{one.requests:,}",
            f"{one.last_at:%Y-%m-%d %H:%M}",
            plain(ends, "yellow"),
        )
    console().print(rows)
