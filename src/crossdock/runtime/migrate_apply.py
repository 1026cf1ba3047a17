# SPDX-License-Identifier: Apache-2.0
"""The process that applies migrations: reads a URL from standard input, writes a report to standard output."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import msgspec
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script.base import Script
from alembic.script.revision import RevisionMap
from asyncpg.exceptions import PostgresError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from crossdock.errors import CrossdockError, EngineAway
from crossdock.runtime.migrate import Applied, Revision, revisions
from crossdock.runtime.postgres import away, connect

# Any constant will do; this one is ours ("xdock" in ASCII).
LOCK = 0x78646F636B
# Long enough for another process's migration, short enough that an abandoned lock is noticed.
_LOCK_WITHIN = "600s"


async def apply(url: str, steps: list[Revision]) -> list[str]:
    """Apply those of `steps` that the database at `url` lacks; their numbers. Each is one transaction.

    Raises EngineAway, CrossdockError naming the file and line that the database refuses, SQLAlchemy's DBAPIError.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: connect(url, timeout=10)
    )
    try:
        with away():
            async with engine.connect() as connection:
                return await connection.run_sync(_apply_locked, steps)
    finally:
        await engine.dispose()


def _apply_locked(connection: Connection, steps: list[Revision]) -> list[str]:
    connection.exec_driver_sql(f"SET lock_timeout = '{_LOCK_WITHIN}'")
    # Held by the session, across the transactions of the revisions, and let go of when the connection closes.
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
    # A migration must not wait long behind a query of a running process, with everybody else waiting behind it.
    connection.exec_driver_sql("SET lock_timeout = '30s'")
    connection.commit()
    scripts = _scripts(steps)
    applied: list[str] = []

    def missing(heads: tuple[str, ...], _: MigrationContext) -> Iterable[MigrationStep]:
        current = max(heads, default="")
        for number, script in scripts.items():
            if number > current:
                applied.append(number)
                yield MigrationStep.upgrade_from_script(chain, script)

    chain = RevisionMap(lambda: list(scripts.values()))
    if len(chain.heads) != 1:  # Reading the heads also links the scripts, which the steps rely on.
        raise ValueError(f"the revisions end in {len(chain.heads)} heads, not in one")
    context = MigrationContext.configure(connection, opts={"fn": missing, "transaction_per_migration": True})
    with Operations.context(context):
        context.run_migrations()
    return applied


def _scripts(steps: list[Revision]) -> dict[str, Script]:
    """The revisions as alembic knows them: a chain of modules with an `upgrade` function."""
    scripts: dict[str, Script] = {}
    before: str | None = None
    for step in steps:
        module: Any = ModuleType(step.name)
        module.revision, module.down_revision = step.number, before
        module.upgrade = _upgrade(step)
        scripts[step.number] = Script(module, step.number, step.name)
        before = step.number
    return scripts


def _upgrade(step: Revision) -> Any:
    def upgrade() -> None:
        connection = op.get_bind()
        # SQLAlchemy's adapter begins its transaction with the first statement it sees, and the next goes past it.
        connection.exec_driver_sql("SELECT 1")
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.run_async(lambda inner: inner.execute(step.sql))
        except PostgresError as error:
            place = int(getattr(error, "position", None) or 0)
            line = f", line {step.sql.count(chr(10), 0, place) + 1}" if place else ""
            raise CrossdockError(f"{step.name}{line}: {error}", rule="migration") from error

    return upgrade


def main() -> None:
    """Read the URL, apply, report as JSON. The exit code is 0 when the report could be written."""
    report = Applied()
    try:
        report.revisions = asyncio.run(apply(sys.stdin.read(), revisions()))
    except EngineAway as error:
        report.error, report.away = error.reason, True
    except (CrossdockError, DBAPIError, ValueError) as error:
        report.error = str(getattr(error, "orig", error))
    except Exception as error:  # the process's edge: the parent gets the reason instead of a traceback
        report.error = f"{type(error).__name__}: {error}"
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
