# SPDX-License-Identifier: Apache-2.0
"""Run an operator's action as one transaction, or only find out what it would do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from crossdock.errors import RetryLater

Result = TypeVar("Result")

_TRIES = 4
_PAUSE = 0.05


async def act(
    conn: asyncpg.Connection,
    work: Callable[[asyncpg.Connection], Awaitable[Result]],
    *,
    dry_run: bool = False,
) -> Result:
    """The result of `work(conn)`, committed, or with `dry_run` undone: an exact preview.

    When workers and the action wait for each other, the action gives way and starts again; RetryLater after four times.
    """
    for attempt in range(1, _TRIES + 1):
        transaction = conn.transaction()
        await transaction.start()
        try:
            result = await work(conn)
        except asyncpg.DeadlockDetectedError:
            await transaction.rollback()
            await asyncio.sleep(_PAUSE * attempt)
            continue
        except BaseException:
            await transaction.rollback()
            raise
        if dry_run:
            await transaction.rollback()
        else:
            await transaction.commit()
        return result
    raise RetryLater("the documents are being worked on just now", after=1.0, rule="deadlock")
