# SPDX-License-Identifier: Apache-2.0
"""Run a transaction, and run it again when it met another one in the wrong order or at the same key; read rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from asyncpg.exceptions import InterfaceError, InternalClientError

from crossdock.errors import RetryLater
from crossdock.runtime.postgres import away, broken

Result = TypeVar("Result")
TRIES = 5
PATIENCE = 5.0


async def rows(pool: asyncpg.Pool, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """What one statement reads, on a connection waited for at most five seconds. Raises EngineAway."""
    with away():
        async with pool.acquire(timeout=PATIENCE) as conn:
            try:
                found: list[asyncpg.Record] = await conn.fetch(statement, *arguments)
            except InternalClientError:
                conn.terminate()
                raise
            return found


async def transaction(pool: asyncpg.Pool, work: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
    """The result of `work` in a transaction of its own.

    Raises EngineAway, and RetryLater when the database took too long or others were in the way every time.
    """
    try:
        with away():
            async with pool.acquire() as conn:
                for _ in range(TRIES):
                    try:
                        async with conn.transaction():
                            return await work(conn)
                    except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                        continue
                    except (InternalClientError, InterfaceError) as error:
                        if broken(error):
                            # Its server died in the middle of an answer: the pool must not give it out again.
                            conn.terminate()
                        raise
    except asyncpg.QueryCanceledError as error:
        raise RetryLater("the database took too long to answer", after=1.0, rule="statement_timeout") from error
    raise RetryLater("others are changing the same goods", after=1.0, rule="deadlock")
