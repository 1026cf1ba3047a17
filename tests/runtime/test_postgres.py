# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest
from asyncpg.exceptions import InterfaceError, InternalClientError
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import EngineAway
from crossdock.runtime.postgres import away, broken, connect, open_pool, parse_queries, retrying

_GOOD = """
-- Statements of a test.

-- name: count_things
-- How many things there are.
SELECT count(*)
FROM thing; -- all of them

-- name: drop_thing
-- Removes one.
DELETE FROM thing
-- by its number
WHERE id = $1;
"""


def test_named_statements_are_attributes() -> None:
    queries = parse_queries(_GOOD, "test.sql")
    assert list(queries) == ["count_things", "drop_thing"]
    assert queries.count_things == "/* count_things */ SELECT count(*)\nFROM thing; -- all of them"
    assert queries.drop_thing == "/* drop_thing */ DELETE FROM thing\n-- by its number\nWHERE id = $1"
    with pytest.raises(AttributeError, match=r"test\.sql has no statement named 'nothing'"):
        _ = queries.nothing


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1", "q:1: SQL before the first"),
        ("-- name: a\nSELECT 1", "q:1: a says nowhere what it does"),
        ("-- name: a\n--\nSELECT 1", "q:1: a says nowhere what it does"),
        ("-- name: a\n-- Does.\n", "q:1: a has no SQL"),
        ("-- name: a\n-- Does.\n;", "q:1: a has no SQL"),
        ("-- name: a\n-- Does.\nSELECT 1\n-- name: a\n-- Does.\nSELECT 2", "q:4: the name 'a' is used twice"),
        ("-- name:\n-- Does.\nSELECT 1", "q:1: the name '' is not a lower-case identifier"),
        ("-- name: Big-One\n-- Does.\nSELECT 1", "q:1: the name 'Big-One' is not a lower-case identifier"),
    ],
)
def test_a_bad_file_names_its_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="^" + says):
        parse_queries(text, "q")


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), unique=True, max_size=8))
def test_every_name_comes_back_in_order(names: list[str]) -> None:
    text = "\n".join(f"-- name: {name}\n-- Does.\nSELECT '{name}';" for name in names)
    queries = parse_queries(text, "q")
    assert list(queries) == names
    assert [getattr(queries, name) for name in names] == [f"/* {name} */ SELECT '{name}'" for name in names]


async def test_a_pool_speaks_utc_and_ends_long_statements(empty_database: str) -> None:
    pool = await open_pool(empty_database, max_size=2, statement_timeout=0.2, name="unit")
    async with pool.acquire() as connection:
        assert await connection.fetchval("SHOW timezone") == "UTC"
        assert await connection.fetchval("SHOW jit") == "off"
        assert await connection.fetchval("SHOW application_name") == "unit"
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SELECT pg_sleep(5)")
    await pool.close()


async def test_a_lost_connection_is_an_engine_away_and_the_pool_heals(empty_database: str) -> None:
    pool = await open_pool(empty_database, min_size=1, max_size=1)

    async def killed() -> None:
        with away():
            async with pool.acquire() as connection:
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(EngineAway):
        await killed()
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


async def test_mistakes_of_ours_keep_their_own_errors(empty_database: str) -> None:
    connection = await connect(empty_database)
    with pytest.raises(EngineAway), away():
        raise InternalClientError("cannot switch to state 15; another operation (2) is in progress")
    busy = "cannot perform operation: another operation is in progress"
    with pytest.raises(InterfaceError), away():
        raise InterfaceError(busy)
    # What rolling back ends in on a connection whose server died in the middle of an answer.
    rolled_back = InterfaceError(busy)
    rolled_back.__context__ = InternalClientError("cannot switch to state 21; another operation (2) is in progress")
    assert broken(rolled_back)
    assert not broken(InterfaceError(busy))
    with pytest.raises(InternalClientError), away():
        raise InternalClientError("a mistake of ours")
    with pytest.raises(asyncpg.UndefinedTableError), away():
        await connection.execute("SELECT * FROM nowhere")
    with pytest.raises(InterfaceError), away():
        await connection.fetchval("SELECT $1::int")
    await connection.close()
    with pytest.raises(EngineAway), away():
        await connection.fetchval("SELECT 1")


async def test_nobody_there_is_an_engine_away(tmp_path: Path) -> None:
    with pytest.raises(EngineAway):
        await open_pool(f"postgresql://a:b@/c?host={tmp_path}")


async def test_retrying_repeats_until_it_works() -> None:
    calls = 0

    async def work() -> str:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionRefusedError("not yet")
        return "done"

    assert await retrying(work, patience=30, pause=0.001) == "done"
    assert calls == 3


async def test_retrying_gives_up_and_repeats_no_mistakes() -> None:
    calls = 0

    async def away_for_good() -> None:
        raise ConnectionResetError("gone")

    async def mistake() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise ValueError("ours")

    with pytest.raises(EngineAway):
        await retrying(away_for_good, patience=0.02, pause=0.001)
    with pytest.raises(ValueError, match="ours"):
        await retrying(mistake, patience=1)
    assert calls == 1
