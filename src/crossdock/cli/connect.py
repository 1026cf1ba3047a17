# SPDX-License-Identifier: Apache-2.0
"""Find the database of the Crossdock that runs here, and work with one connection to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import typer

from crossdock.cli.output import fail
from crossdock.errors import CrossdockError, EngineAway
from crossdock.runtime.embedded import discover
from crossdock.runtime.postgres import away, open_pool
from crossdock.settings import Settings

Result = TypeVar("Result")
Connection = asyncpg.Connection

DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="CROSSDOCK_DATA", help="The data folder of the embedded engines.")
]


def database_url(settings: Settings) -> str:
    """DATABASE_URL, or that of the engines running in the data folder. Raises EngineAway when nothing runs there."""
    if settings.database_url:
        return settings.database_url
    endpoints = discover(settings)
    if endpoints is None or not endpoints.database_url:
        raise EngineAway(
            f"no Crossdock runs on the data folder {settings.data}",
            field="CROSSDOCK_DATA",
            fix="start `crossdock up`, name its folder with --data, or set DATABASE_URL",
        )
    return endpoints.database_url


def with_database(data: Path | None, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """The result of `work` with a connection. Ends the command with a message and its exit code on a CrossdockError."""
    try:
        return asyncio.run(_connected(Settings.load(data=data), work))
    except CrossdockError as error:
        raise fail(error) from error


async def _connected(settings: Settings, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    # Reading the books of many million documents takes longer than a request may.
    pool = await open_pool(database_url(settings), max_size=1, statement_timeout=600, name="crossdock-cli")
    async with pool:
        with away():
            async with pool.acquire() as conn:
                return await work(conn)
