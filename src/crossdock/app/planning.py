# SPDX-License-Identifier: Apache-2.0
"""Write what a planning system is given: files that are there whole or not at all, and an event for each day."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from crossdock.app.wiring import Wired, stock_rules_of
from crossdock.catalog.cache import Catalog
from crossdock.errors import EngineAway, NeedsConfig
from crossdock.estate.durations import duration
from crossdock.inventory.demand import DemandRow, close_day, demand_of, open_days
from crossdock.inventory.rules import StockRules
from crossdock.inventory.view import StockView
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away

Format = Literal["csv", "jsonl"]
DEMAND = ("day", "sku", "channel", "ordered", "shipped", "cancelled", "lost")
AVAILABLE = ("as_of", "channel", "sku", "available", "unit")
_AWAY_SECONDS = 5.0
_LONGEST_REST = 60.0
_CHUNK = 2000
_ENCODER = msgspec.json.Encoder(decimal_format="string")

log = structlog.get_logger(__name__)


class AvailableRow(Struct, kw_only=True, gc=False):
    """What a channel may sell of a SKU at a moment, in its base unit."""

    as_of: datetime
    channel: str
    sku: str
    available: str
    unit: str


async def availability(conn: asyncpg.Connection, rules: StockRules) -> AsyncIterator[list[AvailableRow]]:
    """What every channel may sell of every SKU that has stock, in chunks by SKU."""
    view = StockView(rules, Catalog())
    await view.refresh(conn)
    at = now()
    await view.load(conn)
    rows: list[AvailableRow] = []
    for sku in sorted(set(view.skus) | {sku for sku, product in view.catalog.products.items() if product.components}):
        product = view.catalog.products.get(sku)
        for name, channel in rules.channels.items():
            total = view.sellable(channel, sku).total
            unit = product.unit if product is not None else "EA"
            rows.append(AvailableRow(as_of=at, channel=name, sku=sku, available=f"{total:f}", unit=unit))
        if len(rows) >= _CHUNK:
            yield rows
            rows = []
            await asyncio.sleep(0)
    yield rows


def header(columns: Sequence[str], form: Format) -> str:
    """The first line of a file, "" for JSON lines."""
    return ",".join(columns) + "\r\n" if form == "csv" else ""


def lines(rows: Sequence[Struct], columns: Sequence[str], form: Format) -> str:
    """`rows` as text, a line each; figures without a needless exponent, times in UTC."""
    if form == "jsonl":
        return "".join(_ENCODER.encode(row).decode() + "\n" for row in rows)
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_cell(getattr(row, column)) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{value:f}" if hasattr(value, "is_finite") else str(value)
    # A spreadsheet would run what begins like a formula.
    return f"'{text}" if text[:1] in ("=", "@") else text


class WholeFile:
    """A file that others see only when it is complete: written beside its place, flushed, moved there.

    NeedsConfig, naming the file, when the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.part")

    def __enter__(self) -> WholeFile:
        with _on_disk(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._draft.open("w", encoding="utf-8", newline="")
        return self

    def write(self, text: str) -> None:
        """Add to the draft."""
        with _on_disk(self._path):
            self._file.write(text)

    def __exit__(self, kind: object, _value: object, _trace: object) -> None:
        try:
            if kind is None:
                self._move()
        finally:
            # What could not be written matters no more; nothing may be left of it.
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._draft.unlink(missing_ok=True)

    def _move(self) -> None:
        with _on_disk(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._path)


@contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    """Say of a file error that it is one: `away` would take it for an absent PostgreSQL."""
    try:
        yield
    except OSError as error:
        raise NeedsConfig(
            f"{path} cannot be written: {error.strerror or error}",
            fix="make room on the disk, let Crossdock write there, or name another place",
        ) from error


async def write_planning(pool: asyncpg.Pool, wired: Wired, folder: Path, today: date) -> list[Path]:
    """Write the demand of every ended day that was not told yet, and what channels may sell now; the files written.

    A day's file is there before its event; a crash between the two writes the same file again.
    """
    written: list[Path] = []
    async with pool.acquire() as conn:
        catalog = Catalog()
        await catalog.refresh(conn)
        for day in await open_days(conn, today):
            rows = await demand_of(conn, day, catalog)
            path = folder / f"demand-{day}.csv"
            _write_demand(path, rows)
            if await close_day(conn, day, rows):
                written.append(path)
        path = folder / "availability.csv"
        with WholeFile(path) as file:
            file.write(header(AVAILABLE, "csv"))
            async for chunk in availability(conn, stock_rules_of(wired.estate)):
                file.write(lines(chunk, AVAILABLE, "csv"))
        written.append(path)
    return written


def _write_demand(path: Path, rows: Sequence[DemandRow]) -> None:
    with WholeFile(path) as file:
        file.write(header(DEMAND, "csv"))
        file.write(lines(rows, DEMAND, "csv"))


async def watch_planning(stop: asyncio.Event, pool: asyncpg.Pool, wired: Wired) -> None:
    """Write planning files as often as the estate says, until `stop` is set; survives an absent database."""
    said = wired.estate.declared.planning
    if said is None:
        return
    folder = wired.estate.declared.beside(said.folder, "planning", "folder")
    every = duration(said.every).total_seconds()
    clock = asyncio.get_running_loop().time
    due = clock()
    while not stop.is_set():
        if clock() >= due:
            due = clock() + every
            try:
                with away():
                    files = await write_planning(pool, wired, folder, now().date())
                log.info("planning.written", files=len(files))
            except EngineAway as error:
                due = clock() + _AWAY_SECONDS
                log.info("planning.engine_away", reason=error.reason)
            except NeedsConfig as error:
                log.error("planning.not_written", reason=error.reason, fix=error.fix)
            except Exception:  # edge: a bug must not end the scheduler's other tasks
                log.exception("planning.failed", folder=str(folder))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(due - clock(), _LONGEST_REST), 0.1)):
                await stop.wait()
