# SPDX-License-Identifier: Apache-2.0
"""`crossdock reservations`: what is held before there is an order, and giving it back from the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.options import By, account
from crossdock.cli.output import EXIT_NO, AsJson, console, plain, print_json, table, until
from crossdock.errors import Refused
from crossdock.inventory.release import release_by_hand
from crossdock.inventory.reservation import SQL, Answered, Reservation, as_it_stands, no_such
from crossdock.triage.act import act

app = typer.Typer(name="reservations", help="Goods held before there is an order.", no_args_is_help=True)

STATES = ("active", "committed", "allocated", "released", "expired", "any")
MOST_LISTED = 1000
Id = Annotated[str, typer.Argument(help="Reservation id, as rsv_….")]


class Listed(Struct, frozen=True, kw_only=True):
    """A reservation without its lines."""

    id: str
    channel: str
    reference: str
    state: str
    order_key: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help=f"{', '.join(STATES[:-1])} or any.")] = "active",
    channel: Annotated[str, typer.Option(help="Only of this channel.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED)] = 100,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List reservations, the newest first."""
    if state not in STATES:
        raise typer.BadParameter(f"use one of {', '.join(STATES)}", param_hint="--state")

    async def read(conn: Connection) -> list[Listed]:
        return [Listed(**row) for row in await conn.fetch(SQL.list_reservations, state, channel, limit)]

    found = with_database(data, read)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("No reservation fits.")
        return
    rows = table("id", "channel", "reference", "state", "order", "ends")
    for one in found:
        ends = until(one.expires_at) if one.state == "active" else plain("")
        rows.add_row(one.id, plain(one.channel), plain(one.reference), one.state, plain(one.order_key), ends)
    console().print(rows)


@app.command()
def show(reservation: Id, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Show one reservation and where its goods are held."""

    async def read(conn: Connection) -> Reservation:
        rows = await conn.fetch(SQL.reservations, [reservation])
        if not rows:
            raise no_such(reservation)
        return msgspec.json.decode(as_it_stands(rows[0]), type=Reservation)

    _print(with_database(data, read), as_json)


@app.command()
def release(
    reservation: Id,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give back what a reservation holds."""

    async def give_back(conn: Connection) -> Answered:
        outcome = await release_by_hand(conn, reservation, by=account(by), origin="cli", reason=reason)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    answered = with_database(data, lambda conn: act(conn, give_back, dry_run=dry_run))
    told = msgspec.json.decode(answered.body, type=Reservation)
    if not as_json and dry_run:
        typer.echo("dry run: nothing was done; it would be")
    _print(told, as_json)
    if told.state != "released":
        raise typer.Exit(EXIT_NO)


def _print(told: Reservation, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    out = console()
    order = f" · order {told.order_key}" if told.order_key else ""
    out.print(plain(f"{told.id} · {told.state} · {told.channel} · {told.reference}{order}", "bold"))
    if told.state == "active":
        out.print("expires", until(told.expires_at))
    rows = table("line", "sku", "wanted", "held", "location", right=("wanted",))
    for line in told.lines:
        held = ", ".join(f"{one.quantity} {one.sku}" for one in line.taken)
        places = ", ".join(dict.fromkeys(one.location for one in line.taken))
        rows.add_row(plain(line.line), plain(line.sku), f"{line.quantity} {line.unit}", plain(held), plain(places))
    out.print(rows)
