# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from asyncpg.exceptions import UndefinedTableError

from crossdock.errors import CrossdockError, EngineAway, NeedsConfig
from crossdock.runtime.migrate import Revision, migrate, pending, revisions
from crossdock.runtime.migrate_apply import apply
from crossdock.runtime.postgres import connect

_FIRST = Revision("0001", "0001_a.sql", "CREATE TABLE a (n int); INSERT INTO a VALUES (1); -- two statements\n")
_SECOND = Revision("0002", "0002_b.sql", "CREATE TABLE b (n int); INSERT INTO a VALUES (2);")
_BROKEN = Revision("0003", "0003_c.sql", "CREATE TABLE c (n int);\nINSERT INTO nowhere VALUES (1);")


async def test_the_schema_of_this_version_is_applied_once(empty_database: str) -> None:
    numbers = [revision.number for revision in revisions()]
    assert numbers[0] == "0001"
    assert await pending(empty_database) == numbers
    both = await asyncio.gather(migrate(empty_database), migrate(empty_database))
    assert sorted(both) == [[], numbers]
    assert await pending(empty_database) == []
    assert await migrate(empty_database) == []


@pytest.mark.parametrize("leaving", ["rows", "a table", "less protection"])
@pytest.mark.parametrize("again", [1, 2])
async def test_every_test_gets_the_database_as_migrations_left_it(
    pool: asyncpg.Pool, database: str, leaving: str, again: int
) -> None:
    assert await pending(database) == []
    assert await pool.fetchval("SELECT count(*) FROM product") == 0
    assert await pool.fetchval("SELECT value FROM catalog_version") == 0
    assert (
        await pool.fetchval("INSERT INTO rejection (interface, rule, reason, size) VALUES ('', '', '', 0) RETURNING id")
        == 1
    )
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.execute("SELECT FROM left_behind")
    await pool.execute("INSERT INTO audit (who, action, what) VALUES ('a', 'b', 'c')")
    with pytest.raises(asyncpg.PostgresError):
        await pool.execute("DELETE FROM audit")
    if leaving == "rows":
        await pool.execute("INSERT INTO product (sku, unit, body) VALUES ('CD-1', 'EA', '')")
        await pool.execute("UPDATE catalog_version SET value = 7")
    elif leaving == "a table":
        await pool.execute("CREATE TABLE left_behind ()")
    else:
        await pool.execute("ALTER TABLE audit DISABLE TRIGGER ALL")


async def test_steps_go_on_from_where_the_database_is(empty_database: str) -> None:
    assert await apply(empty_database, [_FIRST]) == ["0001"]
    assert await apply(empty_database, [_FIRST, _SECOND]) == ["0002"]
    connection = await connect(empty_database)
    assert await connection.fetchval("SELECT array_agg(n ORDER BY n) FROM a") == [1, 2]
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0002"
    await connection.close()


async def test_a_failing_step_leaves_nothing_of_itself_and_keeps_those_before(empty_database: str) -> None:
    with pytest.raises(CrossdockError, match=r'^0003_c\.sql, line 2: relation "nowhere" does not exist$'):
        await apply(empty_database, [_FIRST, _SECOND, _BROKEN])
    connection = await connect(empty_database)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0002"
    with pytest.raises(UndefinedTableError):
        await connection.execute("SELECT * FROM c")
    await connection.close()
    mended = Revision("0003", "0003_c.sql", "CREATE TABLE c (n int);")
    assert await apply(empty_database, [_FIRST, _SECOND, mended]) == ["0003"]


async def test_a_database_of_a_newer_version_is_refused(database: str) -> None:
    connection = await connect(database)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(NeedsConfig, match="at revision 9999"):
        await pending(database)
    with pytest.raises(NeedsConfig, match="at revision 9999"):
        await migrate(database)


async def test_without_a_database_nothing_is_applied(tmp_path: Path) -> None:
    with pytest.raises(EngineAway):
        await migrate(f"postgresql://a:b@/c?host={tmp_path}")


@pytest.mark.parametrize(
    "names",
    [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"], ["one.sql"], ["0001_A.sql"]],
)
def test_badly_named_revisions_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;", "utf-8")
    with pytest.raises(ValueError, match=r"NNNN_name\.sql"):
        revisions(tmp_path)


def test_revisions_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "0002_b.sql").write_text("SELECT 2;", "utf-8")
    (tmp_path / "0001_a.sql").write_text("SELECT 1;", "utf-8")
    (tmp_path / "README.md").write_text("x", "utf-8")
    assert [(found.number, found.sql) for found in revisions(tmp_path)] == [
        ("0001", "SELECT 1;"),
        ("0002", "SELECT 2;"),
    ]


def test_a_server_process_does_not_load_alembic() -> None:
    program = (
        "import sys, crossdock.runtime.embedded, crossdock.runtime.migrate, crossdock.runtime.nats\n"
        "print(sorted({'alembic', 'sqlalchemy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"
