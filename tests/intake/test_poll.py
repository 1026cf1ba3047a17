# SPDX-License-Identifier: Apache-2.0
"""What is asked for is kept once, whatever the order of commits, the size of pages and the crashes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.errors import NeedsConfig, RetryLater
from crossdock.intake import poll as module
from crossdock.intake.poll import Asked, due_in, poll, sync_polls
from crossdock.journal.books import balance
from crossdock.sdk.polling import Polled, PolledPage

OVERLAP = 120
ASKED = Asked(
    interface="erp.invoices", topic="invoices", every=timedelta(minutes=1), overlap=timedelta(seconds=OVERLAP)
)
FACE = "INSERT INTO interface (name, system, direction, object, owner, tier, settle_within, version, state) VALUES "
FACE += "('erp.invoices', 'erp', 'in', 'invoice', 'o', 'gold', '15m', 1, 'active') ON CONFLICT DO NOTHING"


class Books:
    """A system whose changes are seen in another order than the times they carry; told in pages of `size` rows."""

    def __init__(self, size: int = 2) -> None:
        self.rows: dict[str, tuple[datetime, int]] = {}
        self.size = size
        self.asked: list[tuple[datetime, str]] = []
        self.before: Callable[[int], None] = lambda _: None
        self.ahead = timedelta()

    def change(self, name: str, late: float = 0.0) -> None:
        """Commit a change of `name` that carries a time of `late` seconds ago."""
        at = datetime.now(UTC) + self.ahead - timedelta(seconds=late)
        self.rows[name] = (at, self.rows.get(name, (at, 0))[1] + 1)

    def states(self) -> set[str]:
        return {f"{name}/{version}" for name, (_, version) in self.rows.items()}

    async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
        assert topic == "invoices"
        self.before(len(self.asked))
        self.asked.append((since, after))
        behind = tuple(after.split("|")) if after else ("", "")
        found = sorted((at.isoformat(), name) for name, (at, _) in self.rows.items() if at >= since)
        found = [row for row in found if row > behind]
        shown = found[: self.size]
        items = tuple(document(name, self.rows[name][1]) for _, name in shown)
        reached = datetime.fromisoformat(shown[-1][0]) if shown else None
        return PolledPage(items=items, reached=reached, next="|".join(shown[-1]) if len(found) > self.size else "")

    async def close(self) -> None: ...


def document(name: str, number: int, /, **changes: Any) -> Polled:
    body = f'{{"id":"{name}","v":{number}}}'.encode()
    given: dict[str, Any] = {"dedup_key": f"{name}/{number}", "key": f"invoice/erp/{name}", "version": number}
    return Polled(**{**given, "body": body, **changes})


async def begun(pool: asyncpg.Pool, asked: Asked = ASKED) -> None:
    await pool.execute("DELETE FROM poll; DELETE FROM message; DELETE FROM document; DELETE FROM duplicate")
    await pool.execute(FACE)
    await sync_polls(pool, [asked])


async def due(pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE poll SET due_at = now(), leased_until = '-infinity'")


async def ask(pool: asyncpg.Pool, books: Any, asked: Asked = ASKED, stop: asyncio.Event | None = None) -> Any:
    async def wake() -> None: ...

    await due(pool)
    return await poll(pool, asked, books, wake, stop or asyncio.Event())


async def kept(pool: asyncpg.Pool) -> list[str]:
    return [row[0] for row in await pool.fetch("SELECT dedup_key FROM message ORDER BY id")]


class Crash(BaseException):
    """The scheduler is gone: nothing after it is done."""


STEP = st.one_of(
    st.tuples(st.just("change"), st.integers(0, 5), st.floats(0, OVERLAP - 30)),
    st.tuples(st.just("ask"), st.integers(0, 3), st.sampled_from(["well", "away", "crash"])),
)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=14), size=st.integers(1, 4), amid=st.lists(st.integers(0, 5), max_size=6))
async def test_no_state_that_lasts_is_missed_and_none_is_kept_twice(
    pool: asyncpg.Pool, steps: list[tuple[str, int, Any]], size: int, amid: list[int]
) -> None:
    """Changes are committed up to 90 s after the time they carry, between pages too; askers fail and die anywhere."""
    await begun(pool)
    books = Books(size)
    changes = iter(amid)

    def between(_: int) -> None:
        name = next(changes, None)
        if name is not None:
            books.change(f"d{name}", late=60.0)

    for what, number, how in steps:
        if what == "change":
            books.change(f"d{number}", late=how)
            continue
        last = len(books.asked) + number

        def fails(page: int, last: int = last, how: str = how) -> None:
            between(page)
            if page == last and how != "well":
                raise RetryLater("away") if how == "away" else Crash

        books.before = fails
        with suppress(RetryLater, Crash):
            await ask(pool, books)
    books.before = lambda _: None
    await ask(pool, books)
    names = await kept(pool)
    assert books.states() <= set(names)
    assert len(names) == len(set(names))
    assert await pool.fetchval("SELECT count(*) FROM document") == len(names)


async def test_what_comes_later_than_the_overlap_is_the_limit(pool: asyncpg.Pool) -> None:
    await begun(pool)
    books = Books()
    books.change("now")
    await ask(pool, books)
    books.change("late", late=OVERLAP - 5)
    books.change("too-late", late=OVERLAP + 5)
    await ask(pool, books)
    assert await kept(pool) == ["now/1", "late/1"]


async def test_a_page_and_how_far_it_reached_are_one_commit(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(pool, replace(ASKED, since=datetime(2026, 1, 1, tzinfo=UTC)))
    books = Books(size=2)
    for number in range(3):
        books.change(f"d{number}", late=30 - number)
    within = module.keep_within

    async def dies(conn: asyncpg.Connection, batch: Any) -> int:
        await within(conn, batch)
        raise Crash

    monkeypatch.setattr(module, "keep_within", dies)
    with pytest.raises(Crash):
        await ask(pool, books)
    assert await kept(pool) == []
    assert await pool.fetchval("SELECT reached FROM poll") == datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(module, "keep_within", within)
    read = await ask(pool, books)
    assert (read.pages, read.documents, read.kept, read.whole) == (2, 3, 3, True)
    assert await pool.fetchval("SELECT reached FROM poll") == books.rows["d2"][0]


async def test_what_is_read_again_is_no_duplicate_in_the_books(pool: asyncpg.Pool) -> None:
    await begun(pool)
    books = Books()
    books.change("a")
    assert (await ask(pool, books)).kept == 1
    assert ((await ask(pool, books)).documents, (await ask(pool, books)).kept) == (1, 0)
    async with pool.acquire() as conn:
        (book,) = await balance(conn)
    assert (book.received, book.duplicate, book.open, book.balanced) == (1, 0, 1, True)


async def test_it_never_moves_past_the_beginning_of_a_turn(pool: asyncpg.Pool) -> None:
    """A clock that is ahead of ours, or a long turn, must not make us skip what is committed meanwhile."""
    await begun(pool)
    books = Books()
    books.ahead = timedelta(hours=1)
    books.change("a")
    before = await pool.fetchval("SELECT now()")
    await ask(pool, books)
    assert before <= await pool.fetchval("SELECT reached FROM poll") <= await pool.fetchval("SELECT now()")
    books.ahead = timedelta()
    books.change("b")
    await ask(pool, books)
    assert await kept(pool) == ["a/1", "b/1"]


async def test_one_asks_at_a_time_and_one_whose_turn_is_over_writes_nothing(pool: asyncpg.Pool) -> None:
    await begun(pool)
    books = Books()
    books.change("a")
    held, go = asyncio.Event(), asyncio.Event()

    class Slow(Books):
        async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
            held.set()
            await go.wait()
            return await books.page(topic, since, after)

    async def wake() -> None: ...

    first = asyncio.create_task(ask(pool, Slow()))
    await held.wait()
    assert await poll(pool, ASKED, books, wake, asyncio.Event()) is None
    assert await due_in(pool, ASKED) > 60
    # The first one is taken for dead: its lease ended.
    assert (await ask(pool, books)).kept == 1
    go.set()
    with pytest.raises(RetryLater) as lost:
        await first
    assert lost.value.rule == "turn"
    assert await kept(pool) == ["a/1"]
    assert await pool.fetchval("SELECT failures FROM poll") == 0


async def test_trouble_is_noted_and_forgotten(pool: asyncpg.Pool) -> None:
    await begun(pool)
    books = Books()
    books.change("a")

    def throttled(_: int) -> None:
        raise RetryLater("slow down", after=17.0)

    def locked(_: int) -> None:
        raise NeedsConfig("the key is no more")

    def broken(_: int) -> None:
        raise KeyError("items")

    for number, (fails, error) in enumerate([(throttled, RetryLater), (locked, NeedsConfig), (broken, KeyError)]):
        books.before = fails
        with pytest.raises(error):
            await ask(pool, books)
        assert await pool.fetchval("SELECT failures FROM poll") == number + 1
        if fails is throttled:
            assert 15 < await due_in(pool, ASKED) <= 17
    assert await pool.fetchval("SELECT trouble FROM poll") == "unexpected KeyError: 'items'"
    books.before = lambda _: None
    await ask(pool, books)
    assert tuple(await pool.fetchrow("SELECT failures, trouble FROM poll")) == (0, "")
    assert 55 < await due_in(pool, ASKED) <= 60


async def test_a_page_has_its_time(pool: asyncpg.Pool) -> None:
    class Never(Books):
        async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
            await asyncio.Event().wait()
            raise AssertionError

    await begun(pool)
    with pytest.raises(RetryLater, match="took longer than"):
        await ask(pool, Never(), replace(ASKED, patience=0.01))


async def test_a_page_that_leads_to_itself_does_not_go_on_for_ever(pool: asyncpg.Pool) -> None:
    class Circle(Books):
        async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
            return PolledPage(items=(), reached=None, next="again")

    await begun(pool)
    with pytest.raises(RetryLater, match="is itself"):
        await ask(pool, Circle())


async def test_a_scheduler_that_stops_gives_its_turn_back(pool: asyncpg.Pool) -> None:
    await begun(pool)
    books, stop = Books(size=1), asyncio.Event()
    for number in range(3):
        books.change(f"d{number}", late=10 - number)
    books.before = lambda page: stop.set() if page == 1 else None
    read = await ask(pool, books, stop=stop)
    assert (read.kept, read.whole) == (2, False)
    assert await due_in(pool, ASKED) <= 0
    assert (await ask(pool, books)).kept == 1


async def test_a_turn_has_a_bound_and_the_next_goes_on(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 2)
    await begun(pool)
    books = Books(size=1)
    for number in range(3):
        books.change(f"d{number}", late=300 - 100 * number)
    asked = replace(ASKED, since=datetime(2026, 1, 1, tzinfo=UTC), overlap=timedelta(seconds=1))
    await begun(pool, asked)
    assert not (await ask(pool, books, asked)).whole
    assert await due_in(pool, asked) <= 0
    assert (await ask(pool, books, asked)).whole
    assert await kept(pool) == ["d0/1", "d1/1", "d2/1"]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"problem": "no JSON"}, "no JSON"),
        ({"dedup_key": "x" * 301}, "too long or not printable"),
        ({"key": "invoice/\x00"}, "too long or not printable"),
        ({"version": 1 << 63}, "too long or not printable"),
    ],
)
async def test_what_cannot_be_read_or_named_is_kept_and_stops_nothing(
    pool: asyncpg.Pool, changes: dict[str, Any], note: str
) -> None:
    class Two(Books):
        async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
            return PolledPage(items=(document("bad", 1, **changes), document("good", 1)), reached=None)

    await begun(pool)
    assert (await ask(pool, Two())).kept == 2
    assert (await ask(pool, Two())).kept == 0
    rows = await pool.fetch("SELECT key, note FROM document ORDER BY id")
    assert note in rows[0]["note"]
    assert tuple(rows[1]) == ("invoice/erp/good", "")


async def test_a_topic_that_comes_back_goes_on_from_where_it_was(pool: asyncpg.Pool) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    await begun(pool, replace(ASKED, since=since))
    await sync_polls(pool, [])
    assert not await pool.fetchval("SELECT active FROM poll")
    await sync_polls(pool, [replace(ASKED, since=since + timedelta(days=9))])
    assert tuple(await pool.fetchrow("SELECT active, reached FROM poll")) == (True, since)
