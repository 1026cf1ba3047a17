# SPDX-License-Identifier: Apache-2.0
"""`crossdock key`: API keys of consumers: make, list, rotate, revoke."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from msgspec import Struct

from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.options import DEFAULT_ESTATE, EstateFile
from crossdock.cli.output import AsJson, console, fail, plain, print_json, table, until
from crossdock.errors import CrossdockError, Refused
from crossdock.estate.durations import duration
from crossdock.estate.load import Estate, load_estate
from crossdock.governance.issue_keys import ApiKey, KeyWish, create_key, list_keys, revoke_key, rotate_key
from crossdock.governance.key import NewKey, name_in
from crossdock.runtime.clock import now
from crossdock.triage.act import act

app = typer.Typer(name="key", help="API keys of consumers.", no_args_is_help=True)

KeyName = Annotated[str, typer.Argument(help="The key's name as `key list` shows it, or the whole key.")]
By = Annotated[str, typer.Option(help="Who does it (default: the account that runs this).")]


class Shown(Struct, frozen=True, kw_only=True):
    """A new key; the only time its secret is told."""

    key: str
    made: ApiKey
    replaces: ApiKey | None = None


@app.command()
def create(  # CD003: every option is one parameter, that is how typer reads them
    consumer: Annotated[str, typer.Argument(help="A consumer of the estate.")],
    plan: Annotated[str, typer.Option(help="A plan of the estate (default: the consumer's).")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="Allow only this of what the consumer may; repeat it for several.")
    ] = None,
    expires_in: Annotated[str, typer.Option(help="How long it is good, as 90d (default: until revoked).")] = "",
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    by: By = "",
    estate: EstateFile = DEFAULT_ESTATE,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make a key for a consumer and print it, once: it is not kept, only what recognizes it.

    Gateways take it within about a second.
    """
    scopes = scope or []
    until_ = now() + _duration(expires_in, "--expires-in") if expires_in else None
    try:
        _check(load_estate(estate), consumer, plan, scopes)
    except CrossdockError as error:
        raise fail(error) from error
    wish = KeyWish(consumer=consumer, plan=plan, scopes=scopes, note=note, by=_who(by), expires_at=until_)

    async def make(conn: Connection) -> tuple[NewKey, ApiKey]:
        return await create_key(conn, wish)

    new, made = with_database(data, lambda conn: act(conn, make))
    _show(Shown(key=new.key.reveal(), made=made), as_json)


@app.command()
def rotate(
    name: KeyName,
    overlap: Annotated[str, typer.Option(help="How long the old key goes on beside the new one.")] = "7d",
    by: By = "",
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make a key that replaces one, and print it, once. The old one goes on for a while and then ends by itself."""
    overlapping = _duration(overlap, "--overlap")

    async def turn(conn: Connection) -> tuple[NewKey, ApiKey, ApiKey]:
        return await rotate_key(conn, _name(name), overlapping, _who(by))

    new, made, old = with_database(data, lambda conn: act(conn, turn))
    _show(Shown(key=new.key.reveal(), made=made, replaces=old), as_json)


@app.command()
def revoke(name: KeyName, by: By = "", data: DataFolder = None, as_json: AsJson = False) -> None:
    """End a key now. Gateways refuse it within about a second, as long as they reach the database."""

    async def end(conn: Connection) -> ApiKey:
        return await revoke_key(conn, _name(name), _who(by))

    key = with_database(data, lambda conn: act(conn, end))
    if as_json:
        print_json(key)
        return
    console().print(plain(f"key {key.name} of {key.consumer} was revoked by {key.revoked_by}"))


@app.command("list")
def list_(
    consumer: Annotated[str, typer.Option(help="Only of this consumer.")] = "",
    ended: Annotated[bool, typer.Option("--all", help="Expired and revoked ones too.")] = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List keys, the newest first: whose, what for, until when, and when each was used last."""

    async def read(conn: Connection) -> list[ApiKey]:
        return await list_keys(conn, consumer, ended)

    found = with_database(data, read)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("No key fits.")
        return
    rows = table("name", "consumer", "plan", "scopes", "state", "ends", "last used", "note")
    at = datetime.now(UTC)
    for one in found:
        used = plain(f"{one.used_at:%Y-%m-%d %H:%M}" if one.used_at else "never")
        state = one.state(at)
        ends = plain("") if state in ("expired", "revoked") else until(one.expires_at)
        scopes = plain(" ".join(one.scopes) or "all of its consumer")
        rows.add_row(one.name, plain(one.consumer), plain(one.plan), scopes, state, ends, used, plain(one.note))
    console().print(rows)


def _show(shown: Shown, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    typer.echo(shown.key)
    made = shown.made
    told = f"key {made.name} of {made.consumer}; keep it now, it is not shown again"
    if shown.replaces is not None and shown.replaces.expires_at is not None:
        told += f". {shown.replaces.name} goes on until {shown.replaces.expires_at:%Y-%m-%d %H:%M} UTC"
    typer.echo(told, err=True)


def _check(estate: Estate, consumer: str, plan: str, scopes: Sequence[str]) -> None:
    declared = estate.consumers.get(consumer)
    if declared is None:
        known = ", ".join(sorted(estate.consumers)[:20]) or "none: the estate has no consumers"
        raise Refused(f"there is no consumer {consumer[:100]!r}", field="consumer", fix=f"use one of {known}")
    if plan and plan not in estate.plans:
        fix = f"use one of {', '.join(sorted(estate.plans)[:20])}"
        raise Refused(f"there is no plan {plan[:100]!r}", field="--plan", fix=fix)
    for scope in scopes:
        if scope not in declared.scopes:
            fix = f"use any of {', '.join(declared.scopes)}, or grant it to the consumer in the estate"
            raise Refused(f"{consumer} itself lacks the scope {scope[:100]!r}", field="--scope", fix=fix)


def _name(given: str) -> str:
    return name_in(given.encode()) or given


def _duration(text: str, option: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _who(by: str) -> str:
    return by or getpass.getuser()
