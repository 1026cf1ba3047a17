# SPDX-License-Identifier: Apache-2.0
"""A migrated database for each test: the one before is put back as it was migrated, which costs a tenth of a new one.

A test that changed the schema or the database's settings costs a new one.
"""

from __future__ import annotations

import asyncio

import asyncpg
from msgspec import Struct

from crossdock.runtime.postgres import connect

_SHAPE = """
    SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
        SELECT format('%s %s %s %s %s', relname, relkind, relnatts, relchecks, reloptions) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT format('%s %s %s', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger
        UNION ALL SELECT format('%s %s', proname, md5(prosrc)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT format('%s %s %s', attrelid::regclass, attname, atttypid) FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace AND attnum > 0
        UNION ALL SELECT setconfig::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE d.datname = current_database()
    ) parts (part)"""
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"""
_SEQUENCES = """
    SELECT count(setval(format('%I.%I', schemaname, sequencename), start_value, false)) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL"""
_OTHERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
_PUT = """
    INSERT INTO "{name}" OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::"{name}", $1::json)"""


_CUT_OFF = (asyncpg.PostgresConnectionError, asyncpg.exceptions.InterfaceError)


class Migrated(Struct, frozen=True, kw_only=True):
    """A migrated database as it is: its shape, its tables, and the rows that migrations have put in (as JSON)."""

    shape: str
    tables: tuple[str, ...]
    rows: dict[str, str | None]


class Tested:
    """The database that tests get, with a connection of our own to it: what it is called, and where it is."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url
        self._conn: asyncpg.Connection | None = None
        self._migrated: Migrated | None = None

    async def look(self) -> None:
        """Remember the database as it is now: as migrations left it."""
        conn = await self._connected()
        tables = tuple(row[0] for row in await conn.fetch(_TABLES))
        rows = await _rows(conn, await _filled(conn, tables))
        self._migrated = Migrated(shape=await conn.fetchval(_SHAPE), tables=tables, rows=rows)

    async def put_back(self) -> bool:
        """Make it what it was; False when it cannot be, since its shape is another one."""
        try:
            return await self._put_back()
        except _CUT_OFF:
            # A test ended every connection, ours too.
            await self.close()
            return await self._put_back()

    async def _put_back(self) -> bool:
        conn, migrated = await self._connected(), self._migrated
        assert migrated is not None
        await self._end_others(conn)
        if await conn.fetchval(_SHAPE) != migrated.shape:
            return False
        changed = set(await _filled(conn, migrated.tables))
        seeds = await _rows(conn, tuple(migrated.rows))
        changed -= {name for name, rows in migrated.rows.items() if seeds[name] == rows}
        async with conn.transaction():
            # Rows are taken out and put in past the triggers that keep the audit from being changed.
            await conn.execute("SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '20s'")
            if changed:
                await conn.execute("TRUNCATE " + ", ".join(f'"{name}"' for name in sorted(changed)))
            for name, rows in migrated.rows.items():
                if seeds[name] != rows:
                    await conn.execute(_PUT.format(name=name), rows)
            await conn.fetchval(_SEQUENCES)
        return True

    async def end_others(self) -> None:
        """End whoever else is connected, and wait until they are gone."""
        try:
            await self._end_others(await self._connected())
        except _CUT_OFF:
            await self.close()
            await self._end_others(await self._connected())

    async def _end_others(self, conn: asyncpg.Connection) -> None:
        for _ in range(2_000):
            if not await conn.fetchval(_OTHERS, self.name):
                return
            await asyncio.sleep(0.005)
        raise TimeoutError(f"somebody stays connected to {self.name}")

    async def close(self) -> None:
        """Give up our connection."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def _connected(self) -> asyncpg.Connection:
        if self._conn is None or self._conn.is_closed():
            self._conn = await connect(self.url)
        return self._conn


async def _filled(conn: asyncpg.Connection, tables: tuple[str, ...]) -> tuple[str, ...]:
    """The tables that have rows."""
    asked = " UNION ALL ".join(f"(SELECT '{name}' FROM \"{name}\" LIMIT 1)" for name in tables)
    return tuple(row[0] for row in await conn.fetch(asked))


async def _rows(conn: asyncpg.Connection, tables: tuple[str, ...]) -> dict[str, str | None]:
    """The rows of tables as JSON; None of one that has none."""
    asked = ", ".join(f'(SELECT json_agg(t)::text FROM "{name}" t) AS "{name}"' for name in tables)
    return dict(await conn.fetchrow(f"SELECT {asked}"))
