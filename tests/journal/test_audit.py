# SPDX-License-Identifier: Apache-2.0
"""The audit is only ever added to, and whatever is done to a past row is found."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.errors import Refused
from crossdock.journal.audit import MOST_SHOWN, Act, list_audit, shown, write_audit
from crossdock.journal.audit_chain import GENESIS, AuditHead, audit_head, hash_of, head_of, verify_audit
from crossdock.runtime.migrate import revisions
from crossdock.runtime.postgres import connect

COLUMNS = "at, who, origin, action, what, key, before, after, reason"
# What an UPDATE may put into each column instead of what is there.
EDITS = {
    "at": "at + interval '1 microsecond'",
    "who": "who || '.'",
    "origin": "origin || '.'",
    "action": "action || '.'",
    "what": "what || '.'",
    "key": "key || '.'",
    "before": "before || ' '",
    "after": "after || ' '",
    "reason": "reason || '.'",
    "hash": "sha256(hash)",
}


def act(number: int, **changes: Any) -> Act:
    return Act(**{"action": "case.retry", "kind": "case", "id": str(number), "key": "order/1", **changes})


async def written(conn: Any, number: int) -> None:
    async with conn.transaction():
        acts = [act(n, before={"n": n}, after=[n]) for n in range(1, number + 1)]
        await write_audit(conn, acts, by="jo", origin="cli", reason="é:1")


async def broken_at(conn: Any, kept: AuditHead | None = None) -> int | None:
    verified = await verify_audit(conn, kept)
    return verified.broken.id if verified.broken else None


async def test_an_entry_says_who_did_what_from_where_and_why(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await written(conn, 2)
        second, first = await list_audit(conn)
        assert (first.id, first.who, first.origin, first.reason) == (1, "jo", "cli", "é:1")
        assert (first.action, first.what, first.key) == ("case.retry", "case/1", "order/1")
        assert (second.before, second.after) == ({"n": 2}, [2])
        head = await audit_head(conn)
        assert (head.id, head.hash) == (2, second.hash)
        assert head_of(f" {head}\n") == head


async def test_lists_are_narrowed_by_every_filter(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await write_audit(conn, [act(1), act(12, key="order/2")], by="jo", origin="cli")
        other = Act(action="crosswalk.change", kind="crosswalk", id="sku@shop")
        await write_audit(conn, [other], by="ann", origin="console")
        (at,) = {one.at for one in await list_audit(conn, who="ann")}

        async def ids(**filters: Any) -> list[int]:
            return [one.id for one in await list_audit(conn, **filters)]

        assert await ids(who="ann") == [3]
        assert await ids(kind="case") == [2, 1]
        assert await ids(kind="c") == []
        assert await ids(key="1") == [1]
        assert await ids(key="case/12") == [2]
        assert await ids(key="order/2") == [2]
        assert await ids(key="sku@shop") == [3]
        assert await ids(action="case.retry", limit=1) == [2]
        assert await ids(after=3) == [2, 1]
        assert await ids(since=at) == [3]
        assert await ids(since=at + timedelta(microseconds=1)) == []


def test_what_is_large_or_no_json_is_kept_in_short() -> None:
    assert shown(None) == ""
    assert shown(b'{"a":  1}') == '{"a":  1}'
    assert shown({"a": "x\x00"}) == '{"a":"x\\u0000"}'
    for body in (b'"' + b"x" * MOST_SHOWN + b'"', b"no json \xff\x00", b"[" * 15_000):
        told = json.loads(shown(body))
        assert (told["bytes"], len(told["sha256"])) == (len(body), 64)
        assert len(shown(body)) < MOST_SHOWN


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET who = 'x'", "DELETE FROM audit WHERE id = 1", "TRUNCATE audit"],
)
async def test_rows_are_only_ever_added(pool: asyncpg.Pool, statement: str) -> None:
    async with pool.acquire() as conn:
        await written(conn, 1)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await conn.execute(statement)
        assert await broken_at(conn) is None


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=4))
def test_the_database_and_the_check_agree_on_every_content(database: str, rows: list[tuple[str, str, str]]) -> None:
    async def run() -> None:
        conn = await connect(database)
        try:
            for who, key, reason in rows:
                await write_audit(conn, [act(1, key=key, after=key)], by=who, origin="cli", reason=reason)
            assert await broken_at(conn) is None
        finally:
            await conn.close()

    asyncio.run(run())


def test_no_two_contents_are_hashed_alike() -> None:
    row: dict[str, Any] = dict.fromkeys(("who", "origin", "action", "what", "key", "before", "after", "reason"), "")
    row |= {"id": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    one, other = hash_of(GENESIS, {**row, "who": "ab"}), hash_of(GENESIS, {**row, "who": "a", "origin": "b"})
    assert one != other
    assert hash_of(GENESIS, {**row, "who": "a1:b"}) != hash_of(GENESIS, {**row, "who": "a", "origin": "b"})


NUMBER = 6


@st.composite
def tampering(draw: st.DrawFn) -> tuple[str, int]:
    """SQL that does something to a past row, and the number of the row at which the chain must not hold."""
    row = draw(st.integers(1, NUMBER))
    kind = draw(st.sampled_from(["edit", "delete", "swap", "insert"]))
    if kind == "edit":
        column = draw(st.sampled_from(sorted(EDITS)))
        return f"UPDATE audit SET {column} = {EDITS[column]} WHERE id = {row}", row
    if kind == "delete":
        last = draw(st.integers(row, NUMBER))
        return f"DELETE FROM audit WHERE id BETWEEN {row} AND {last}", row
    if kind == "swap":
        other = draw(st.integers(1, NUMBER).filter(lambda n: n != row))
        swapped = f"CASE id WHEN {row} THEN {other} WHEN {other} THEN {row} ELSE id END"
        moved = f"UPDATE audit SET id = -({swapped}); UPDATE audit SET id = -id"
        return moved, min(row, other)
    # A row slipped in behind `row`, made as its writer would have; what comes after it moves up.
    return (
        f"UPDATE audit SET id = -id WHERE id > {row}; UPDATE audit SET id = 1 - id WHERE id < 0;"
        f"INSERT INTO audit (id, {COLUMNS}, hash) SELECT id + 1, {COLUMNS}, hash FROM audit WHERE id = {row};"
        f"UPDATE audit a SET hash = audit_hash(b.hash, a) FROM audit b WHERE a.id = {row + 1} AND b.id = {row};"
        f"UPDATE audit_head SET id = id + 1",
        row + 2 if row < NUMBER else row + 1,  # at the end only the head tells
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tampering())
def test_whatever_is_done_to_a_past_row_is_found_at_that_row(database: str, done: tuple[str, int]) -> None:
    statement, row = done

    async def run() -> tuple[int | None, int | None]:
        conn = await connect(database)
        try:
            if not (await audit_head(conn)).id:
                await written(conn, NUMBER)
            transaction = conn.transaction()
            await transaction.start()
            await conn.execute("ALTER TABLE audit DISABLE TRIGGER USER")
            await conn.execute(statement)
            try:
                # In the same transaction, which is then undone: the next example begins with a whole chain.
                found = await _verify_inside(conn)
            finally:
                await transaction.rollback()
            return found, await broken_at(conn)
        finally:
            await conn.close()

    assert asyncio.run(run()) == (row, None)


async def _verify_inside(conn: Any) -> int | None:
    class Inside:
        """The connection, already in a transaction: begins none of another kind."""

        def transaction(self, **_: object) -> Any:
            return conn.transaction()

        def __getattr__(self, name: str) -> Any:
            return getattr(conn, name)

    return await broken_at(Inside())


async def test_a_chain_worked_out_anew_is_found_by_a_head_kept_elsewhere(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await written(conn, 4)
        kept = await audit_head(conn)
        await written(conn, 1)
        assert await broken_at(conn, kept) is None
        await conn.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        await conn.execute("UPDATE audit SET who = 'somebody else' WHERE id = 2")
        for number in range(2, 6):
            await conn.execute(
                "UPDATE audit a SET hash = audit_hash(b.hash, a) FROM audit b WHERE a.id = $1 AND b.id = $1 - 1", number
            )
        await conn.execute("UPDATE audit_head SET hash = (SELECT hash FROM audit WHERE id = 5)")
        assert await broken_at(conn) is None
        assert await broken_at(conn, kept) == 4
        # And when the rows up to it are taken away together with the head in the database.
        await conn.execute("DELETE FROM audit WHERE id > 3")
        await conn.execute("UPDATE audit_head SET id = 3, hash = (SELECT hash FROM audit WHERE id = 3)")
        assert await broken_at(conn) is None
        assert await broken_at(conn, kept) == 4


@pytest.mark.parametrize("page", [3, 100])
async def test_rows_cut_off_at_the_end_and_rows_there_twice_are_found(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("crossdock.journal.audit_chain._PAGE", page)
    async with pool.acquire() as conn:
        await written(conn, 3)
        await conn.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        await conn.execute("ALTER TABLE audit DROP CONSTRAINT audit_pkey")
        await conn.execute("INSERT INTO audit SELECT * FROM audit WHERE id = 3")
        assert await broken_at(conn) == 4
        await conn.execute("DELETE FROM audit WHERE id = 3")
        assert await broken_at(conn) == 3


async def test_writers_at_once_make_one_unbroken_chain(pool: asyncpg.Pool) -> None:
    async def write(number: int) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await write_audit(conn, [act(number), act(number)], by=f"p{number}", origin="api")
            if number % 5 == 0:
                raise RuntimeError("undone")

    outcomes = await asyncio.gather(*(write(number) for number in range(1, 41)), return_exceptions=True)
    assert sum(isinstance(one, RuntimeError) for one in outcomes) == 8
    async with pool.acquire() as conn:
        verified = await verify_audit(conn)
        assert (verified.rows, verified.broken) == (64, None)
        rows = await conn.fetch("SELECT who FROM audit ORDER BY id")
    # The acts of one transaction stand together, and none of one that was undone is there.
    pairs = [(rows[n]["who"], rows[n + 1]["who"]) for n in range(0, 64, 2)]
    assert {first for first, _ in pairs} == {f"p{n}" for n in range(1, 41) if n % 5}
    assert all(first == second for first, second in pairs)


async def test_what_was_written_before_there_was_a_chain_begins_it(empty_database: str) -> None:
    conn = await connect(empty_database)
    try:
        steps = revisions()
        chain = next(n for n, step in enumerate(steps) if "audit_chain" in step.name)
        for step in steps[:chain]:
            await conn.execute(step.sql)
        await conn.execute(
            "INSERT INTO audit (who, action, what, before, after) VALUES ('jo', 'case.retry', 'case/1', 'case', '');"
            "DELETE FROM audit;"
            "INSERT INTO audit (who, action, what, before, after) VALUES"
            " ('jo', 'case.edit', 'case/2', '{\"a\":1}', 'x'),"
            " ('ann', 'case.retry', 'case/3', 'case', '')"
        )
        await conn.execute(steps[chain].sql)
        assert [(one.id, one.who, one.before) for one in await list_audit(conn)] == [
            (2, "ann", "case"),
            (1, "jo", '{"a":1}'),
        ]
        assert (await verify_audit(conn)).rows == 2
        await write_audit(conn, [act(9)], by="jo", origin="cli")
        assert await broken_at(conn) is None
    finally:
        await conn.close()


@pytest.mark.parametrize("text", ["", "7", "7:abc", f"x:{'0' * 64}", f"7:{'g' * 64}"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no head"):
        head_of(text)
