# SPDX-License-Identifier: Apache-2.0
"""`crossdock cases`: list, show, retry, release, edit and dismiss from the terminal, each action with `--dry-run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from crossdock.canonical.hold import KINDS
from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.options import By, account
from crossdock.cli.output import EXIT_NO, EXIT_USAGE, AsJson, console, money, plain, print_json, table, until
from crossdock.cli.revise import revise
from crossdock.triage.act import act
from crossdock.triage.dismiss import dismiss
from crossdock.triage.edit import edit, editable
from crossdock.triage.list import MAX_LISTED, CaseDetail, CaseRow, list_cases, show_case
from crossdock.triage.release import release
from crossdock.triage.retry import retry

app = typer.Typer(name="cases", help="Documents that need a person.", no_args_is_help=True)

Ids = Annotated[list[int] | None, typer.Argument(help="Case ids; or give filters instead.")]
Interface = Annotated[str | None, typer.Option(help="Only cases of this interface.")]
System = Annotated[str | None, typer.Option(help="Only cases of this system.")]
ErrorClass = Annotated[str | None, typer.Option("--class", help="Only cases of this error class, as needs_edit.")]
Owner = Annotated[str | None, typer.Option(help="Only cases of this owner.")]
Words = Annotated[str | None, typer.Option("--text", help="Only cases with this in key, reason, field or value.")]
Hold = Annotated[str | None, typer.Option(help="Only held orders, by kind of hold, as credit; or any.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


class Acted(Struct, frozen=True, kw_only=True):
    """What an action prints as JSON: the cases it was about and how many were acted on."""

    action: str
    cases: list[int]
    done: int
    dry_run: bool


class Filters(Struct, frozen=True, kw_only=True):
    """Which open cases an action is about when no ids are given."""

    interface: str | None
    system: str | None
    klass: str | None
    owner: str | None
    text: str | None
    hold: str | None = None

    def empty(self) -> bool:
        """Whether nothing narrows the choice."""
        return not any((self.interface, self.system, self.klass, self.owner, self.text, self.hold))


@app.command("list")
def list_(  # CD003: every option of a command is a parameter, that is how typer reads them
    state: Annotated[str, typer.Option(help="open, resolved, dismissed or any.")] = "open",
    interface: Interface = None,
    system: System = None,
    klass: ErrorClass = None,
    owner: Owner = None,
    text: Words = None,
    hold: Hold = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED)] = 100,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List cases, the newest first."""
    if state not in ("open", "resolved", "dismissed", "any"):
        raise typer.BadParameter("use open, resolved, dismissed or any", param_hint="--state")
    _check_hold(hold)
    wanted = Filters(interface=interface, system=system, klass=klass, owner=owner, text=text, hold=hold)
    cases = with_database(data, lambda conn: _find(conn, wanted, None if state == "any" else state, limit))
    if as_json:
        print_json(cases)
        return
    out = console()
    if not cases:
        narrowed = state != "open" or not wanted.empty()
        out.print("No case fits." if narrowed else "No open cases: nothing needs a person.")
        return
    _print_list(cases)
    if len(cases) == limit:
        out.print(plain(f"Only the newest {limit} are shown; narrow the filters or raise --limit.", "yellow"))


@app.command()
def show(
    case: Annotated[int, typer.Argument(help="Case id.")], data: DataFolder = None, as_json: AsJson = False
) -> None:
    """Show one case: what is wrong, how to mend it, the document as it stands, and what was tried."""
    detail = with_database(data, lambda conn: show_case(conn, case))
    if as_json:
        print_json(detail)
    else:
        _print_case(detail)


@app.command("retry")
def retry_(  # CD003: every option of a command is a parameter, that is how typer reads them
    ids: Ids = None,
    interface: Interface = None,
    system: System = None,
    klass: ErrorClass = None,
    text: Words = None,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    dry_run: DryRun = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Try cases again from the step where they stopped, by ids or by filters (500 at most at a time)."""
    wanted = Filters(interface=interface, system=system, klass=klass, owner=None, text=text)
    _act(
        "retry",
        ids,
        wanted,
        lambda c, chosen: retry(c, chosen, by=account(by), origin="cli", reason=reason),
        dry_run,
        data,
        as_json,
    )


@app.command("release")
def release_(  # CD003: every option of a command is a parameter, that is how typer reads them
    reason: Annotated[str, typer.Option(help="Why these orders may go on; kept in the audit and with the order.")],
    ids: Ids = None,
    interface: Interface = None,
    hold: Hold = None,
    text: Words = None,
    by: By = "",
    dry_run: DryRun = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Let held orders go on with what holds them, by ids or by filters (the held ones among them, 500 at most)."""
    _check_hold(hold)
    given = any((interface, hold, text))
    wanted = Filters(
        interface=interface, system=None, klass=None, owner=None, text=text, hold=(hold or "any") if given else None
    )
    _act(
        "release",
        ids,
        wanted,
        lambda c, chosen: release(c, chosen, by=account(by), origin="cli", reason=reason),
        dry_run,
        data,
        as_json,
    )


@app.command("dismiss")
def dismiss_(  # CD003: every option of a command is a parameter, that is how typer reads them
    reason: Annotated[str, typer.Option(help="Why these documents need no delivery; kept in the audit.")],
    ids: Ids = None,
    interface: Interface = None,
    system: System = None,
    klass: ErrorClass = None,
    text: Words = None,
    by: By = "",
    dry_run: DryRun = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give cases up: documents become rejected, deliveries cancelled (500 at most at a time)."""
    wanted = Filters(interface=interface, system=system, klass=klass, owner=None, text=text)
    _act(
        "dismiss",
        ids,
        wanted,
        lambda c, chosen: dismiss(c, chosen, by=account(by), origin="cli", reason=reason),
        dry_run,
        data,
        as_json,
    )


@app.command("edit")
def edit_(  # CD003: every option of a command is a parameter, that is how typer reads them
    case: Annotated[int, typer.Argument(help="Case id.")],
    file: Annotated[
        Path | None, typer.Option(help="Take the edited document from here (- for standard input).")
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="Change single fields: lines[0].sku=CD-1001 (repeatable).")
    ] = None,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    dry_run: DryRun = False,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Mend the document in $EDITOR, from a file or field by field; it goes on from where it stopped."""
    if file is not None and assign:
        raise typer.BadParameter("give either --file or --set", param_hint="--set")
    before = with_database(data, lambda conn: editable(conn, case))
    body = revise(before.body, file, assign or [])
    if body == before.body:
        typer.echo("Nothing was changed, so nothing was done.", err=True)
        raise typer.Exit(EXIT_NO)

    async def work(conn: Connection) -> int:
        await edit(conn, case, body, by=account(by), origin="cli", reason=reason)
        return 1

    done = with_database(data, lambda conn: act(conn, work, dry_run=dry_run))
    _report(Acted(action="edit", cases=[case], done=done, dry_run=dry_run), as_json)


def _act(
    action: str,
    ids: list[int] | None,
    wanted: Filters,
    work: Callable[[Connection, list[int]], Awaitable[int]],
    dry_run: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    if bool(ids) != wanted.empty():
        typer.echo("give case ids, or filters, not both and not neither", err=True)
        raise typer.Exit(EXIT_USAGE)

    async def run(conn: Connection) -> Acted:
        chosen = ids or [case.id for case in await _find(conn, wanted, "open", MAX_LISTED)]
        done = await act(conn, lambda c: work(c, chosen), dry_run=dry_run) if chosen else 0
        return Acted(action=action, cases=chosen, done=done, dry_run=dry_run)

    _report(with_database(data, run), as_json)


def _check_hold(hold: str | None) -> None:
    if hold is not None and hold not in (*KINDS, "any"):
        raise typer.BadParameter(f"use {', '.join(KINDS)} or any", param_hint="--hold")


async def _find(conn: Connection, wanted: Filters, state: str | None, limit: int) -> list[CaseRow]:
    return await list_cases(
        conn,
        state=state,
        interface=wanted.interface,
        system=wanted.system,
        klass=wanted.klass,
        owner=wanted.owner,
        text=wanted.text,
        limit=limit,
        hold=wanted.hold,
    )


def _report(acted: Acted, as_json: bool) -> None:
    if as_json:
        print_json(acted)
    else:
        would = "would " if acted.dry_run else ""
        typer.echo(f"{would}{acted.action}: {acted.done} of {len(acted.cases)} cases")
    if acted.done < len(acted.cases) or not acted.cases:
        raise typer.Exit(EXIT_NO)


def _print_list(cases: list[CaseRow]) -> None:
    columns = ("case", "key", "interface", "step", "class", "field", "reason", "money", "deadline")
    rows = table(*columns, right=("case", "money"))
    for case in cases:
        retried = " (retried)" if case.retried_at and case.state == "open" else ""
        rows.add_row(
            str(case.id),
            plain(case.key),
            plain(case.interface + (f" → {case.system}" if case.system else "")),
            plain(case.step),
            plain((f"held: {case.hold}" if case.hold else case.klass) + retried),
            plain(case.field),
            plain(case.reason[:160]),
            money(case.money, case.currency),
            until(case.deadline) if case.state == "open" else plain(case.state),
        )
    console().print(rows)


def _print_case(detail: CaseDetail) -> None:
    out, case = console(), detail.case
    out.print(plain(f"case {case.id} · {case.state} · {case.key}", "bold"))
    facts = table("", "")
    facts.show_header = False
    pairs = {
        "what": case.reason,
        "field": case.field,
        "value": case.value,
        "fix": case.fix,
        "held": case.hold,
        "class": f"{case.klass} ({case.rule})" if case.rule else case.klass,
        "step": f"{case.step}, {case.interface}" + (f" → {case.system}" if case.system else ""),
        "owner": case.owner,
        "money": money(case.money, case.currency),
        "opened": f"{case.opened_at:%Y-%m-%d %H:%M:%S} UTC",
        "retried": f"{case.retried_at:%Y-%m-%d %H:%M:%S} UTC by {case.retried_by}" if case.retried_at else "",
        "closed": f"{case.closed_by}: {case.close_reason}" if case.closed_at else "",
        "document": f"{case.document_id}, {detail.document.document.state}",
    }
    for name, value in pairs.items():
        if value:
            facts.add_row(name, plain(value))
    if case.deadline and case.state == "open":
        facts.add_row("deadline", until(case.deadline))
    out.print(facts)
    for one in detail.failures[:20]:
        kind = f"hold, {one.hold}" if one.mark else one.hold or "must be mended"
        out.print(plain(f"{one.field or '-'} ({one.rule}; {kind}): {one.reason}; fix: {one.fix}"))
    for exchange in detail.document.exchanges[:5]:
        went = f"{exchange.method} {exchange.url} → {exchange.status}"
        out.print(plain(f"try {exchange.number}: {went} {exchange.outcome}"))
        out.print(plain(exchange.answered.text[:500]))
    if detail.stage:
        out.print(plain(f"{detail.stage} form, {detail.body.size} bytes", "bold"))
        out.print(plain_lines(detail.body.text[:5000]))


def plain_lines(text: str) -> str:
    """`text` with its line ends, every line plain."""
    return "\n".join(plain(line).markup for line in text.splitlines())
