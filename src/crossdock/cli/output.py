# SPDX-License-Identifier: Apache-2.0
"""What operator commands share in speaking: tables for people, JSON for programs, problems with a mend, exit codes.

Exit codes: 0 done; 1 done, and the answer is no (books do not balance, nothing found, some cases left alone);
2 wrong usage; 3 the database cannot be reached.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossdock.errors import CrossdockError, EngineAway, NeedsConfig, RetryLater

EXIT_NO: Final = 1
EXIT_USAGE: Final = 2
EXIT_AWAY: Final = 3

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def print_json(answer: Any) -> None:
    """Print `answer` as JSON on standard output, two spaces deep."""
    typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def console() -> Console:
    """Where tables go; never wraps a value apart when the output is a file."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=200)


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> Table:
    """An empty table; columns in `right` hold figures and are aligned to the right."""
    result = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        result.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return result


def plain(value: object, style: str = "") -> Text:
    """`value` as text without markup or control characters, whatever a payload may hold."""
    return Text("".join(c if c.isprintable() else "\ufffd" for c in str(value)), style=style)


def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency, "" when there is none."""
    return "" if amount is None else f"{amount:,} {currency}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 17 min, 3 h, 2 d; negative ones with a minus."""
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    for unit, name in _UNITS:
        if size >= unit:
            return f"{sign}{size // unit:.0f} {name}"
    return f"{sign}{size:.0f} s" if size >= 10 or size == 0 else f"{sign}{size:.2g} s"


def until(deadline: datetime | None) -> Text:
    """How long until `deadline`: red when it has passed."""
    if deadline is None:
        return Text("")
    left = (deadline - datetime.now(UTC)).total_seconds()
    return Text(f"{duration(-left)} late", style="red") if left < 0 else Text(f"in {duration(left)}")


def fail(error: CrossdockError) -> typer.Exit:
    """Say on standard error what is wrong, where and how to mend it; the exit to raise."""
    err = Console(stderr=True, highlight=False)
    where = Text(f" ({error.field})") if error.field else Text("")
    err.print(Text.assemble(("error: ", "bold red"), plain(error.reason), where))
    if error.fix:
        err.print(Text.assemble(("fix:   ", "bold"), plain(error.fix)))
    away = isinstance(error, EngineAway | RetryLater | NeedsConfig)
    return typer.Exit(EXIT_AWAY if away else EXIT_NO)
