# SPDX-License-Identifier: Apache-2.0
"""`crossdock events`: the event stream from the terminal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.connect import DataFolder
from crossdock.cli.moment import HELP, moment
from crossdock.cli.output import EXIT_USAGE, fail
from crossdock.errors import CrossdockError, EngineAway
from crossdock.journal.replay import Wanted
from crossdock.journal.replay import replay as replay_events
from crossdock.runtime.embedded import discover
from crossdock.runtime.nats import Bus
from crossdock.settings import Settings

app = typer.Typer(help="The event stream: what became true, in the order of commits.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The event stream: what became true, in the order of commits."""


@app.command()
def replay(
    since: Annotated[str, typer.Option(help=f"Events stored from then on. {HELP}")] = "",
    from_sequence: Annotated[int | None, typer.Option(min=1, help="Events from this number in the stream on.")] = None,
    sku: Annotated[str, typer.Option(help="Events about this SKU only.")] = "",
    kind: Annotated[
        str, typer.Option("--type", help="Events of this kind only: sales_order, sales_order.accepted.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until interrupted.")] = False,
    data: DataFolder = None,
) -> None:
    """Print events of the stream again, each as one line of JSON with its `sequence` in the stream.

    Without a start: all that the stream holds. To continue later, start from the last sequence plus one.
    """
    if since and from_sequence is not None:
        typer.echo("give --since or --from-sequence, not both", err=True)
        raise typer.Exit(EXIT_USAGE)
    wanted = Wanted(
        after=(from_sequence or 1) - 1,
        since=moment(since) if since else None,
        kind=kind,
        sku=sku,
        follow=follow,
    )
    try:
        with suppress(KeyboardInterrupt, BrokenPipeError):
            asyncio.run(_print(data, wanted))
    except CrossdockError as error:
        raise fail(error) from error


async def _print(data: Path | None, wanted: Wanted) -> None:
    bus = await Bus.connect(_nats_url(Settings.load(data=data)), name="crossdock-cli")
    try:
        async for message in replay_events(bus, wanted):
            # `sequence` is a CloudEvents extension; the event itself is printed as it was published.
            typer.echo(message.payload[:-1] + b',"sequence":"%d"}' % message.sequence)
    finally:
        await bus.close()


def _nats_url(settings: Settings) -> str:
    endpoints = discover(settings)
    url = settings.nats_url or (endpoints.nats_url if endpoints is not None else "")
    if not url:
        raise EngineAway(
            f"no Crossdock runs on the data folder {settings.data}",
            field="CROSSDOCK_DATA",
            fix="start `crossdock up`, name its folder with --data, or set NATS_URL",
        )
    return url
