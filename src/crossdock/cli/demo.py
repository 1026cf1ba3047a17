# SPDX-License-Identifier: Apache-2.0
"""`crossdock demo`: a morning at a distributor on this machine, and the books at the end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from crossdock.app.demo.audit import Verdict
from crossdock.app.demo.figures import Figures
from crossdock.app.demo.play import Script
from crossdock.app.demo.run import Scene, perform, scene
from crossdock.app.stopping import run_until_stopped
from crossdock.cli.options import DataFolder, Host, Port
from crossdock.cli.output import EXIT_NO, AsJson, console, fail, print_json, table
from crossdock.errors import CrossdockError, NeedsConfig
from crossdock.runtime.embedded import erase
from crossdock.runtime.telemetry import configure_logs
from crossdock.settings import Settings

PROFILES = ("none",)
# Orders a second when somebody watches; otherwise they come as fast as they are taken.
LEISURELY = 40.0


def demo(  # CD003: each parameter is an option of the command line
    headless: Annotated[bool, typer.Option("--headless", envvar="HEADLESS", help="End after the audit.")] = False,
    orders: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many orders the store places.")] = 1000,
    rate: Annotated[float | None, typer.Option(help="Orders a second; without it as fast as they are taken.")] = None,
    faults: Annotated[str, typer.Option(help=f"What goes wrong: {', '.join(PROFILES)}.")] = "none",
    seed: Annotated[int, typer.Option(help="The same seed plays the same morning.")] = 1,
    as_json: AsJson = False,
    data: DataFolder = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Play a peak morning on a simulated estate and audit it. Exit code 0 only if the books balance."""
    try:
        if faults not in PROFILES:
            raise NeedsConfig(f"there is no fault profile {faults!r}", field="--faults", fix=f"use {PROFILES[0]}")
        stay = not headless and not as_json
        with _data_folder(data) as folder:
            settings = Settings.load(data=folder, host=host, port=port, log_level="warning")
            configure_logs("warning", settings.log_format, role="demo")
            script = Script(orders=orders, seed=seed, rate=rate or (LEISURELY if stay else None))
            verdict = _perform(settings, script, stay=stay, quiet=as_json)
    except CrossdockError as error:
        raise fail(error) from error
    if verdict is None:
        raise typer.Exit(130)
    if as_json:
        print_json(verdict)
    if not verdict.balanced:
        raise typer.Exit(EXIT_NO)


@contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    """The folder given, or one of our own that is gone afterwards, with all that the engines kept for it elsewhere."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="crossdock-demo-") as own:
        try:
            yield Path(own)
        finally:
            erase(Path(own))


def _perform(settings: Settings, script: Script, *, stay: bool, quiet: bool) -> Verdict | None:
    """The verdict; None when it was interrupted before there was one."""
    found: list[Verdict] = []

    async def run(stop: asyncio.Event) -> None:
        async with scene(settings, script.seed) as stage:
            if not quiet:
                console().print(f"Console: {stage.crossdock.url}/console")
            playing = asyncio.create_task(_shown(stage, script, quiet))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({playing, stopped, stage.crossdock.supervision}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                return
            found.append(await playing)
            if not quiet:
                _print(found[0])
            if stay:
                console().print(f"The console stays open at {stage.crossdock.url}/console until Ctrl-C.")
                await asyncio.wait({stopped, stage.crossdock.supervision}, return_when=asyncio.FIRST_COMPLETED)

    run_until_stopped(run)
    return found[0] if found else None


async def _shown(stage: Scene, script: Script, quiet: bool) -> Verdict:
    if quiet:
        return await perform(stage, script, lambda _phase, _figures: None)
    progress = Progress(
        TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console()
    )
    task = progress.add_task("orders", total=script.orders)
    with Live(console=console(), refresh_per_second=4) as live:
        return await perform(stage, script, _shower(live, progress, task))


def _shower(live: Live, progress: Progress, task: TaskID) -> Callable[[str, Figures], None]:
    def show(phase: str, figures: Figures) -> None:
        # The portal and the marketplace add orders of their own, as many as their buyers place.
        known = max(int(progress.tasks[task].total or 0), figures.orders)
        progress.update(task, completed=figures.orders, total=known, description=phase)
        grid = Table.grid(padding=(0, 3))
        grid.add_row(
            f"settled {figures.settled}",
            f"in triage {figures.cases}",
            f"under way {figures.open - figures.cases}",
            f"stock told {figures.stock_told} (waiting {figures.stock_waiting})",
            f"lag p50 {figures.lag_p50:.1f} s, p99 {figures.lag_p99:.1f} s",
        )
        outer = Table.grid()
        outer.add_row(progress)
        outer.add_row(grid)
        live.update(outer)

    return show


def _print(verdict: Verdict) -> None:
    out = console()
    if not out.is_terminal:
        out.print()  # what was live left the line open
    columns = ("received", "duplicate", "rejected", "settled", "open")
    books = table("interface", *columns, "balanced", right=columns, title="The books")
    for book in verdict.books:
        figures = [str(getattr(book, column)) for column in columns]
        books.add_row(book.interface, *figures, "yes" if book.balanced else "NO")
    out.print(books)
    oracle = verdict.oracle
    seen = table("counted from the outside", "", right=("",), title="The other side's counts")
    for name in oracle.__struct_fields__:
        if name != "samples":
            seen.add_row(name.replace("_", " "), str(getattr(oracle, name)))
    out.print(seen)
    named = ("lag_p50", "lag_p99", "calls", "fewest_calls", "sold", "refused")
    told = table("channel", *(name.replace("_", " ") for name in named), right=named, title="What channels were told")
    for name, channel in verdict.channels.items():
        told.add_row(name, *(str(getattr(channel, figure)) for figure in named))
    out.print(told)
    companies = ("orders", "in_erp", "differing", "sold", "booked")
    sold = table("company", "erp", *(name.replace("_", " ") for name in companies), right=companies, title="Companies")
    for name, company in verdict.entities.items():
        sold.add_row(name, company.erp, *(str(getattr(company, figure)) for figure in companies))
    out.print(sold)
    back = verdict.returned
    out.print(
        f"{verdict.splits} orders split, {verdict.cancelled} cancelled, {back.received} of {back.asked} returned, "
        f"{back.refunded} given back and {back.credited} credited; "
        + ("money is conserved." if verdict.money_conserved else "[red]money is NOT conserved.[/]")
    )
    out.print("[green]The books balance.[/]" if verdict.balanced else "[red]The books do NOT balance.[/]")
