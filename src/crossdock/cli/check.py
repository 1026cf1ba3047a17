# SPDX-License-Identifier: Apache-2.0
"""`crossdock check`: validate an estate and lint its governance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crossdock.api.route_life import unknown_routes
from crossdock.errors import NeedsConfig
from crossdock.estate.check import check
from crossdock.estate.compile import compile_estate
from crossdock.estate.findings import EstateError, Finding
from crossdock.estate.load import load_estate
from crossdock.estate.schema import estate_schema
from crossdock.mapping.failures import MappingError
from crossdock.mapping.load import load_mapping

EstatePath = Annotated[
    Path, typer.Option("-e", "--estate", envvar="CROSSDOCK_ESTATE", help="The estate file.", show_default=True)
]


def findings_of(path: Path) -> list[Finding]:
    """Everything wrong with the estate at `path`, its shape first."""
    try:
        estate = load_estate(path)
    except EstateError as error:
        return list(error.findings)
    findings = [*check(estate), *unknown_routes(estate)]
    if not any(finding.severity == "error" for finding in findings):
        try:
            compiled = compile_estate(estate)
        except NeedsConfig as error:
            findings.append(Finding(path.name, error.reason, error.fix))
        else:
            findings += _mappings(sorted(set(compiled.mapping_files().values())))
    return findings


def _mappings(files: list[Path]) -> list[Finding]:
    findings: list[Finding] = []
    for file in files:
        try:
            load_mapping(file, functions=True)
        except MappingError as error:
            for line in error.reason.splitlines():
                where, _, what = line.removeprefix(f"{file.parent}/").partition(": ")
                findings.append(Finding(where, what, error.fix or "see docs/reference/mapping.md"))
    return findings


def check_estate(
    estate: EstatePath = Path("estate.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of estate files and stop.")] = False,
) -> None:
    """Validate the estate and lint its governance; exit code 1 when anything must be mended."""
    if schema:
        typer.echo(json.dumps(estate_schema(), indent=2))
        return
    findings = findings_of(estate)
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        _print(estate, findings, errors)
    if errors:
        raise typer.Exit(1)


def _print(estate: Path, findings: list[Finding], errors: int) -> None:
    console = Console()
    if not findings:
        console.print(f"[green]✓[/] {escape(str(estate))}: nothing to mend")
        return
    table = Table("where", "what", "how to mend it", show_lines=True)
    for finding in findings:
        style = "red" if finding.severity == "error" else "yellow"
        table.add_row(f"[{style}]{escape(finding.where)}[/]", escape(finding.what), escape(finding.fix))
    console.print(table)
    console.print(f"{escape(estate.name)}: {errors} to mend, {len(findings) - errors} to look at")
