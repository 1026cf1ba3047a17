# SPDX-License-Identifier: Apache-2.0
"""`crossdock trace KEY`: one business key across all systems."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from crossdock.cli.connect import DataFolder, with_database
from crossdock.cli.moment import HELP as MOMENT
from crossdock.cli.moment import moment
from crossdock.cli.output import AsJson, console, duration, plain, print_json, table
from crossdock.inventory.recall import recall
from crossdock.journal.history import Trace, trace

_STYLES = {"delivered": "green", "settled": "green", "case": "red", "edited": "yellow", "action": "yellow"}


def show_trace(
    key: Annotated[
        str, typer.Argument(help="Order number, key, PO, fulfillment reference, tracking number, SKU or document id.")
    ],
    at: Annotated[
        str | None, typer.Option("--at", help=f"What we believed of this SKU then. {MOMENT}", metavar="TIME")
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Print everything that happened to a key, in order; exit code 1 when nothing or several things are called so.

    With --at: the levels of a SKU as they were believed to be, what each channel had been told, and the movements that
    had made it so.
    """
    when = moment(at) if at is not None else None
    result = with_database(data, lambda conn: trace(conn, key) if when is None else recall(conn, key, when))
    if as_json:
        print_json(result)
    else:
        print_trace(result, console())


def print_trace(result: Trace, out: Console) -> None:
    """The timeline, the decision with its reasons, and what is still owed."""
    out.print(plain(result.title, "bold"))
    out.print(plain(result.key if result.at is None else f"{result.key} as of {result.at:%Y-%m-%d %H:%M:%S} UTC"))
    _print_stock(result, out)
    lines = table("UTC", "after", "what", "detail", "took", right=("after", "took"))
    start = result.timeline[0].at if result.timeline else None
    for entry in result.timeline:
        after = duration((entry.at - start).total_seconds()) if start else ""
        took = duration(entry.seconds) if entry.seconds is not None else ""
        who = f" by {entry.who}" if entry.who else ""
        what = plain(entry.title + who, _STYLES.get(entry.kind, ""))
        lines.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], after, what, plain(entry.detail[:200]), took)
    out.print(lines)
    if result.order is not None:
        out.print()
        out.print(plain("decision", "bold"))
        out.print(plain_json(bytes(result.order.decision)))
    for delivery in result.deliveries:
        if delivery.state in ("due", "case"):
            error = f": {delivery.last_error}" if delivery.last_error else ""
            when = f", next try {delivery.next_at:%H:%M:%S} UTC" if delivery.state == "due" else ""
            out.print(plain(f"owed: {delivery.system} {delivery.operation} is {delivery.state}{when}{error}", "yellow"))
    if result.truncated:
        out.print(plain("There is more than is shown here.", "yellow"))


def _print_stock(result: Trace, out: Console) -> None:
    """Levels by what they are, lots, what is to come, and what channels were told."""
    if result.levels:
        figures = ("on hand", "quarantined", "allocated", "reserved", "free")
        levels = table("location", *figures, "counted UTC", right=figures)
        for level in result.levels:
            values = [f"{getattr(level, name.replace(' ', '_')):f}" for name in figures]
            counted = f"{level.counted_at:%Y-%m-%d %H:%M:%S}" if level.counted_at else ""
            levels.add_row(plain(level.location), *values, counted)
        out.print(levels)
    if result.lots:
        lots = table("lot", "location", "on hand", "expires", right=("on hand",))
        for lot in result.lots:
            lots.add_row(plain(lot.lot), plain(lot.location), f"{lot.on_hand:f}", str(lot.expires_on or ""))
        out.print(lots)
    if result.expected:
        coming = table("to come", "location", "quantity", "received", "due UTC", right=("quantity", "received"))
        for one in result.expected:
            due = f"{one.due_at:%Y-%m-%d %H:%M}"
            coming.add_row(plain(one.reference), plain(one.location), f"{one.quantity:f}", f"{one.received:f}", due)
        out.print(coming)
    if result.told:
        told = table("channel", "location", "told", "at UTC", right=("told",))
        for row in result.told:
            told.add_row(
                plain(row.system), plain(row.location), f"{row.quantity:f}", f"{row.told_at:%Y-%m-%d %H:%M:%S}"
            )
        out.print(told)


def plain_json(body: bytes) -> str:
    """JSON for reading, two spaces deep, brackets kept from being taken as markup."""
    text = msgspec.json.format(body, indent=2).decode("utf-8", "replace")
    return "\n".join(plain(line).markup for line in text.splitlines())
