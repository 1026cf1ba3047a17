# SPDX-License-Identifier: Apache-2.0
"""The connection pool, named SQL files, and telling "PostgreSQL is away" from a mistake of ours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TypeVar

import asyncpg
from asyncpg.exceptions import InterfaceError, InternalClientError

from crossdock.errors import EngineAway

Result = TypeVar("Result")

_NAME = re.compile(r"--\s*name:\s*(\S*)\s*$")
_GOOD_NAME = re.compile(r"[a-z][a-z0-9_]*$")
# asyncpg says these with a plain InterfaceError, which is also its class for misuse.
# The third: the server closed a connection of a pool while its holder had nothing to ask.
_CLOSED = ("connection is closed", "pool is clos", "has been released back to the pool")
# A server that dies between two messages can leave a connection that waits for the rest of an answer for ever.
_BROKEN = "another operation"
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # Refused, reset, no socket file, no route, and time-outs of `acquire` and `connect`.
    OSError,
)


# asyncpg leaves these two without annotations.
connect: Callable[..., Awaitable[asyncpg.Connection]] = asyncpg.connect
_create_pool: Callable[..., Awaitable[asyncpg.Pool]] = asyncpg.create_pool


async def open_pool(
    url: str,
    *,
    min_size: int = 1,
    max_size: int = 8,
    statement_timeout: float = 30.0,
    connect_timeout: float = 10.0,
    name: str = "crossdock",
    by_index: bool = False,
) -> asyncpg.Pool:
    """A pool of connections in UTC with JIT off. Times in seconds; `name` is seen in pg_stat_activity.

    The server ends statements after `statement_timeout`, the client gives up five seconds later. Raises EngineAway when
    the server cannot be reached. Lost connections are replaced by the pool itself. `by_index`: tables are read by an
    index wherever there is one and statements are planned once, for a pool that only ever looks up rows.
    """
    with away():
        return await _create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            timeout=connect_timeout,
            command_timeout=statement_timeout + 5,
            max_inactive_connection_lifetime=300,
            reset=_as_it_is,
            server_settings={
                "application_name": name,
                "timezone": "UTC",
                # Compiling costs more than it gains on statements of a millisecond.
                "jit": "off",
                # Prepared statements outlive the planner's idea of a table that was empty when they were planned.
                **({"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"} if by_index else {}),
                "statement_timeout": f"{round(statement_timeout * 1000)}ms",
                "idle_in_transaction_session_timeout": "300s",
            },
        )


async def _as_it_is(_: object) -> None:
    """Connections come back as they went: our code sets nothing on a session, and resetting costs a round trip."""


@contextmanager
def away() -> Iterator[None]:
    """Turn errors that mean "PostgreSQL cannot be reached just now" into EngineAway; leave all others as they are.

    Every OSError counts, so keep files and other networks out of the block. What was under way may or may not be
    committed.
    """
    try:
        yield
    except (*_AWAY, InterfaceError, InternalClientError) as error:
        closed = isinstance(error, InterfaceError) and any(text in str(error) for text in _CLOSED)
        if isinstance(error, InterfaceError | InternalClientError) and not closed and not broken(error):
            raise
        raise EngineAway(f"PostgreSQL cannot be reached: {type(error).__name__}: {error}") from error


def broken(error: Exception) -> bool:
    """Whether the connection waits for ever for the rest of an answer that its server died over: terminate it.

    Rolling back on it fails in its turn, with what asyncpg says of misuse as well.
    """
    first = error.__context__ if isinstance(error, InterfaceError) else error
    return isinstance(first, InternalClientError) and _BROKEN in str(first) and _BROKEN in str(error)


async def retrying(work: Callable[[], Awaitable[Result]], *, patience: float, pause: float = 0.1) -> Result:
    """The result of `work()`, called again while PostgreSQL is away, for at most `patience` seconds; then EngineAway.

    `pause`: first pause in seconds, doubled up to two. Only for work that may be done twice: a commit whose answer was
    lost is repeated.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        try:
            with away():
                return await work()
        except EngineAway:
            if loop.time() + pause > until:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


class Queries:
    """The statements of one named SQL file, as attributes."""

    def __init__(self, statements: dict[str, str], source: str) -> None:
        self._statements = statements
        self._source = source

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"{self._source} has no statement named {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __repr__(self) -> str:
        return f"Queries({self._source}: {', '.join(self._statements)})"


def load_queries(package: str, file: str = "queries.sql") -> Queries:
    """The statements in `file` of `package` (pass `__package__`). Raises ValueError as `parse_queries`."""
    return parse_queries(files(package).joinpath(file).read_text("utf-8"), f"{package}/{file}")


def parse_queries(text: str, source: str) -> Queries:
    """Statements by name. Each is `-- name: claim_due`, comment lines that say what it does, then SQL.

    Raises ValueError naming source and line for a bad, missing or repeated name, a missing description or missing SQL.
    """
    statements: dict[str, str] = {}
    name, at, described, body = "", 0, False, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        start = _NAME.match(line.strip())
        if start:
            if name:
                statements[name] = _finished(name, described, body, f"{source}:{at}")
            name, at, described, body = start[1], number, False, []
            if not _GOOD_NAME.match(name) or name in statements:
                problem = "is used twice" if name in statements else "is not a lower-case identifier"
                raise ValueError(f"{source}:{number}: the name {name!r} {problem}")
        elif not body and (line.strip().startswith("--") or not line.strip()):
            described = described or len(line.strip(" -\t")) > 0
        elif not name:
            raise ValueError(f"{source}:{number}: SQL before the first `-- name:` line")
        else:
            body.append(line)
    if name:
        statements[name] = _finished(name, described, body, f"{source}:{at}")
    return Queries(statements, source)


def _finished(name: str, described: bool, body: list[str], where: str) -> str:
    if not described:
        raise ValueError(f"{where}: {name} says nowhere what it does; add a comment line under its name")
    statement = "\n".join(body).strip().removesuffix(";")
    if not statement:
        raise ValueError(f"{where}: {name} has no SQL")
    # The name travels with the statement, so that pg_stat_activity and slow-query logs show it.
    return f"/* {name} */ {statement}"
