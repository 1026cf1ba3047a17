# SPDX-License-Identifier: Apache-2.0
"""`crossdock contract diff`: what a new version of a contract breaks, each with a payload that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from crossdock.api.ops.usage import SINCE
from crossdock.cli.connect import DataFolder, with_database
from crossdock.cli.contract_files import CURRENT, Given, given, samples_for
from crossdock.cli.contract_hits import hits, print_hits
from crossdock.cli.moment import HELP, moment
from crossdock.cli.output import EXIT_NO, EXIT_USAGE, AsJson, console, fail, plain, print_json
from crossdock.errors import CrossdockError
from crossdock.governance.contract_change import ContractChange, Direction
from crossdock.governance.contract_documents import DIRECTIONS, document_changes
from crossdock.governance.contract_traffic import Hit
from crossdock.mapping.effects import Judged, effects
from crossdock.runtime.clock import now

app = typer.Typer(help="Contracts with other systems, and what a change of one would break.", no_args_is_help=True)
_STYLES = {"breaking": "bold red", "cannot tell": "yellow", "compatible": "green"}
_SHOWN = 600


class ContractDiff(Struct, frozen=True, kw_only=True):
    """What `crossdock contract diff --json` prints. `changes` are of documents, `rules` of mappings; `hit`: who a
    breaking change hits, None when it was not asked."""

    old: str
    new: str
    kind: str
    compatible: bool
    changes: list[ContractChange]
    rules: list[Judged]
    samples: int
    hit: list[Hit] | None = None


@app.callback()
def _group() -> None:
    """Contracts with other systems, and what a change of one would break."""


@app.command("diff")
def diff(  # CD003: every option is one parameter, that is how typer reads them
    old: Annotated[str, typer.Argument(help="A file, or `current`: what this version of Crossdock serves.")],
    new: Annotated[str, typer.Argument(help="As OLD.")],
    direction: Annotated[
        Literal["received", "sent", "both"],
        typer.Option(help="Who sends what a JSON Schema describes: others (received), we (sent), or both."),
    ] = "both",
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Folder of recorded sources a mapping is tried on (default: `samples` beside the mapping).",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="Say who is hit, from the recorded traffic of the database.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help=f"With --traffic: calls from that day on (default: 30 days). {HELP}", metavar="TIME"),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions of a contract: JSON Schema, OpenAPI, AsyncAPI or mapping; exit code 1 unless compatible.

    Each breaking change is shown by a payload that one version takes and the other refuses. What cannot be decided is
    said so, and is not compatible. With --traffic: who called a route that breaks, and by which interfaces payloads
    came that would break, with the form of one of them (field paths and types, no values).
    """
    begin = moment(since) if since is not None else now() - SINCE
    try:
        both = _both(old, new)
        result = compared((old, new), both, DIRECTIONS if direction == "both" else (direction,), samples)
    except CrossdockError as error:
        fail(error)
        raise typer.Exit(EXIT_USAGE) from error
    if traffic:
        result = replace(result, hit=with_database(data, lambda conn: hits(conn, result.changes, both, begin.date())))
    if as_json:
        print_json(result)
    else:
        _print(result, console())
    if not result.compatible:
        raise typer.Exit(EXIT_NO)


def compared(
    names: tuple[str, str], both: tuple[Given, Given], directions: tuple[Direction, ...], samples: Path | None
) -> ContractDiff:
    """The differences of two contracts, named as on the command line. CrossdockError says what cannot be compared."""
    before, after = both
    changes: list[ContractChange] = []
    rules: list[Judged] = []
    tried: dict[str, Any] = {}
    if before.mapping is not None and after.mapping is not None:
        tried = samples_for(before, after, samples)
        rules = effects(before.mapping, after.mapping, tried)
    else:
        changes = document_changes(before.document, after.document, directions)
    verdicts = [*(one.verdict for one in changes), *(one.verdict for one in rules)]
    return ContractDiff(
        old=names[0],
        new=names[1],
        kind=before.kind,
        compatible=all(verdict == "compatible" for verdict in verdicts),
        changes=changes,
        rules=rules,
        samples=len(tried),
    )


def _both(old: str, new: str) -> tuple[Given, Given]:
    """Both sides; one that is `current` is of the kind of the other."""
    if old == CURRENT:
        after = given(new, None)
        return given(old, after), after
    before = given(old, None)
    return before, given(new, before)


def _print(result: ContractDiff, out: Console) -> None:
    for change in result.changes:
        out.print(plain(f"{change.verdict}: {change.rule} at {change.place}", _STYLES[change.verdict]))
        also = f", and in {change.also} more" if change.also else ""
        who = "what we receive" if change.direction == "received" else "what we send"
        out.print(plain(f"  {who}{': ' + change.where if change.where else ''}{also}"))
        if change.before is not None or change.after is not None:
            out.print(plain(f"  {_json(change.before)} → {_json(change.after)}"))
        if change.note:
            out.print(plain(f"  {change.note}"))
        if change.witness is not None:
            out.print(plain(f"  valid under {change.witness.valid_under}: {_json(change.witness.payload)}"))
            out.print(plain(f"  {change.witness.refused_by} refuses it: {change.witness.reason}"))
    for rule in result.rules:
        out.print(plain(f"{rule.verdict}: {rule.change.target} {rule.change.kind}", _STYLES[rule.verdict]))
        if rule.change.before or rule.change.after:
            out.print(plain(f"  {rule.change.before or 'no rule'} → {rule.change.after or 'no rule'}"))
        if rule.effect is not None and rule.effect.refused:
            out.print(plain(f"  {rule.effect.sample} becomes a case: {rule.effect.refused}"))
        elif rule.effect is not None:
            told = f"{_json(rule.effect.before)} → {_json(rule.effect.after)}"
            out.print(plain(f"  {rule.effect.sample}: {told}"))
    if result.hit is not None:
        print_hits(result.hit, out)
    if result.kind == "mapping":
        out.print(f"tried on {result.samples} samples")
    verdicts = [*(one.verdict for one in result.changes), *(one.verdict for one in result.rules)]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in _STYLES if verdict in verdicts)
    out.print(counts or "no difference")


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
