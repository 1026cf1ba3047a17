# SPDX-License-Identifier: Apache-2.0
"""`crossdock trace KEY`: one business key across all systems."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from crossdock.cli.connect import DataFolder, with_database
from crossdock.cli.output import AsJson, console, duration, plain, print_json, table
from crossdock.journal.history import Trace, trace

_STYLES = {"delivered": "green", "settled": "green", "case": "red", "edited": "yellow", "action": "yellow"}


def show_trace(
    key: Annotated[
        str, typer.Argument(help="Order number, key, PO, fulfillment reference, tracking number, SKU or document id.")
    ],
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Print everything that happened to a key, in order; exit code 1 when nothing or several things are called so."""
    result = with_database(data, lambda conn: trace(conn, key))
    if as_json:
        print_json(result)
    else:
        print_trace(result, console())


def print_trace(result: Trace, out: Console) -> None:
    """The timeline, the decision with its reasons, and what is still owed."""
    out.print(plain(result.title, "bold"))
    out.print(plain(result.key))
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


def plain_json(body: bytes) -> str:
    """JSON for reading, two spaces deep, brackets kept from being taken as markup."""
    text = msgspec.json.format(body, indent=2).decode("utf-8", "replace")
    return "\n".join(plain(line).markup for line in text.splitlines())
