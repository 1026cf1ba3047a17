# SPDX-License-Identifier: Apache-2.0
"""`crossdock subscriptions`: who is told of events by webhook, how their endpoints do, and telling them again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.moment import HELP, moment
from crossdock.cli.options import By, account
from crossdock.cli.output import EXIT_NO, AsJson, console, plain, print_json, table
from crossdock.journal.audit import Author
from crossdock.subscriptions.change import (
    MOST_LISTED,
    delete,
    disable,
    enable,
    replay,
    subscription,
    subscriptions,
)
from crossdock.subscriptions.subscription import Subscription
from crossdock.triage.act import act

app = typer.Typer(name="subscriptions", help="Who is told of events by webhook.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Subscription id, as sub_….")]
Reason = Annotated[str, typer.Option(help="Why, for the audit.")]


@app.command("list")
def list_(
    consumer: Annotated[str | None, typer.Option(help="Only those of this consumer.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED)] = 100,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List subscriptions with how their endpoints do; exit code 1 when one is disabled or fails."""

    async def read(conn: Connection) -> list[Subscription]:
        return await subscriptions(conn, consumer, limit=limit)

    found = with_database(data, read)
    if as_json:
        print_json(found)
    elif not found:
        console().print("No subscription fits.")
    else:
        _print(found)
    if any(one.state == "disabled" or one.health.failing_since for one in found):
        raise typer.Exit(EXIT_NO)


@app.command()
def show(one: Id, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Show one subscription: what it wants, and how its endpoint does."""
    _tell(with_database(data, lambda conn: subscription(conn, None, one)), as_json)


@app.command("enable")
def enable_(one: Id, by: By = "", reason: Reason = "", data: DataFolder = None, as_json: AsJson = False) -> None:
    """Deliver to a disabled subscription again, all that waits first."""
    _change(one, lambda conn, who: enable(conn, None, one, who), (by, reason), data, as_json)


@app.command("disable")
def disable_(one: Id, by: By = "", reason: Reason = "", data: DataFolder = None, as_json: AsJson = False) -> None:
    """Deliver nothing more to a subscription; its events wait."""
    _change(one, lambda conn, who: disable(conn, None, one, who), (by, reason), data, as_json)


@app.command("replay")
def replay_(
    one: Id,
    since: Annotated[str, typer.Option(help=f"What became true from then on. {HELP}", metavar="TIME")],
    by: By = "",
    reason: Reason = "",
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell a subscription again what became true since a time, in order and under the ids it had."""
    begin = moment(since)
    _change(one, lambda conn, who: replay(conn, None, one, begin, who), (by, reason), data, as_json)


@app.command("delete")
def delete_(one: Id, by: By = "", reason: Reason = "", data: DataFolder = None) -> None:
    """End a subscription; what waits for it is dropped."""
    who = Author(by=account(by), origin="cli", reason=reason)
    with_database(data, lambda conn: act(conn, lambda c: delete(c, None, one, who)))
    typer.echo(f"{one} is no more")


def _change(
    one: str,
    work: Callable[[Connection, Author], Awaitable[None]],
    said: tuple[str, str],
    data: Path | None,
    as_json: bool,
) -> None:
    by, reason = said
    who = Author(by=account(by), origin="cli", reason=reason)

    async def run(conn: Connection) -> Subscription:
        await act(conn, lambda c: work(c, who))
        return await subscription(conn, None, one)

    _tell(with_database(data, run), as_json)


def _tell(one: Subscription, as_json: bool) -> None:
    if as_json:
        print_json(one)
    else:
        _print([one])


def _print(found: list[Subscription]) -> None:
    right = ("waiting", "delivered", "given up", "p50 ms")
    rows = table("id", "consumer", "endpoint", "types", "state", "failing since", "last error", *right, right=right)
    for one in found:
        health = one.health
        rows.add_row(
            one.id,
            plain(one.consumer),
            plain(one.url),
            plain(", ".join(one.types)),
            plain(f"{one.state}: {one.state_reason}" if one.state == "disabled" else one.state),
            f"{health.failing_since:%Y-%m-%d %H:%M}" if health.failing_since else "",
            plain(health.last_error[:200]),
            f"{health.waiting:,}{'+' if health.waiting_most else ''}",
            f"{health.delivered:,}",
            f"{health.given_up:,}",
            "" if health.p50_ms is None else str(health.p50_ms),
        )
    console().print(rows)
