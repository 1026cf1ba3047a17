# SPDX-License-Identifier: Apache-2.0
"""`crossdock audit`: who changed what by hand, and whether anybody changed that afterwards."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.moment import HELP, moment
from crossdock.cli.output import EXIT_NO, EXIT_USAGE, AsJson, console, fail, plain, print_json, table
from crossdock.errors import Refused
from crossdock.journal.audit import MOST_LISTED, AuditEntry, list_audit
from crossdock.journal.audit_chain import audit_head, head_of, verify_audit

app = typer.Typer(name="audit", help="Who changed what by hand, before and after.", no_args_is_help=True)
_SHOWN = 200


@app.command("list")
def list_(
    since: Annotated[str | None, typer.Option(help=f"Acts from then on. {HELP}", metavar="TIME")] = None,
    who: Annotated[str | None, typer.Option(help="Only acts of this person.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only acts on this kind of thing, as case or crosswalk.")] = None,
    key: Annotated[str | None, typer.Option(help="Only acts on this: its id, KIND/ID, or its business key.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED)] = 100,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List acts, the newest first."""
    begin = moment(since) if since is not None else None

    async def read(conn: Connection) -> list[AuditEntry]:
        return await list_audit(conn, since=begin, who=who, kind=kind, key=key, limit=limit)

    found = with_database(data, read)
    if as_json:
        print_json(found)
        return
    out = console()
    if not found:
        out.print("No act fits.")
        return
    rows = table("row", "at", "who", "from", "action", "what", "key", "before", "after", "why", right=("row",))
    for one in found:
        rows.add_row(
            str(one.id),
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            plain(one.who),
            one.origin,
            plain(one.action),
            plain(one.what),
            plain(one.key),
            plain(_short(one.before)),
            plain(_short(one.after)),
            plain(one.reason),
        )
    out.print(rows)
    if len(found) == limit:
        out.print(plain(f"Only the newest {limit} are shown; narrow the filters or raise --limit.", "yellow"))


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="A head that was kept elsewhere: the audit must still go through it.")
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check every row of the audit against the one before it; exit code 1 and the first broken row if one is."""
    try:
        kept = head_of(head) if head is not None else None
    except Refused as error:
        fail(error)
        raise typer.Exit(EXIT_USAGE) from error
    found = with_database(data, lambda conn: verify_audit(conn, kept))
    if as_json:
        print_json(found)
    elif found.broken is None:
        typer.echo(f"{found.rows} rows hold; the head is {found.head}")
    else:
        typer.echo(f"broken at row {found.broken.id}: {found.broken.why}; {found.rows} rows before it hold", err=True)
    if found.broken is not None:
        raise typer.Exit(EXIT_NO)


@app.command("head")
def head_(data: DataFolder = None, as_json: AsJson = False) -> None:
    """Print where the audit ends, as NUMBER:SHA256; kept elsewhere it shows even a chain that was worked out anew."""
    found = with_database(data, audit_head)
    if as_json:
        print_json(found)
    else:
        typer.echo(str(found))


def _short(value: object) -> str:
    if value is None:
        return ""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
