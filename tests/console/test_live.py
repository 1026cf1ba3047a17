# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import aiohttp
import asyncpg
import pytest
from playwright.async_api import expect

from crossdock.console import feed as feeds
from crossdock.console.feed import Feed
from crossdock.console.live import as_event
from crossdock.errors import Busy
from crossdock.journal.books import Book
from crossdock.observe.overview import Overview
from crossdock.runtime.postgres import open_pool
from tests.console.conftest import Browser
from tests.console.filling import Filling


def draw(figures: Overview | None, _: tuple[Book, ...] | None) -> str:
    return "away" if figures is None else f"{figures.cases} cases"


def test_every_line_of_an_event_is_data() -> None:
    assert as_event("a\n\nb") == b"data: a\ndata: \ndata: b\n\n"


def test_no_text_can_start_an_event_of_its_own() -> None:
    assert as_event("x\r\nevent: close\rid: 7") == b"data: x\ndata: event: close\ndata: id: 7\n\n"


async def test_viewers_are_told_what_changes(pool: asyncpg.Pool, filling: Filling) -> None:
    feed = Feed(pool)
    watched = feed.watch(draw)
    assert await anext(watched) == "0 cases"
    await filling.unknown_sku(2001)
    told = [await anext(watched), await anext(watched)]
    assert "1 cases" in told
    await watched.aclose()
    assert feed.viewers == 0
    await feed.close()


async def test_viewers_share_one_reading(pool: asyncpg.Pool) -> None:
    feed = Feed(pool)
    first, second = feed.watch(draw), feed.watch(draw)
    assert await asyncio.gather(anext(first), anext(second)) == ["0 cases", "0 cases"]
    assert feed.viewers == 2
    await feed.close()
    await first.aclose()
    await second.aclose()


async def test_the_number_of_viewers_is_bounded(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_VIEWERS", 1)
    feed = Feed(pool)
    first = feed.watch(draw)
    await anext(first)
    with pytest.raises(Busy, match="1 viewers"):
        await anext(feed.watch(draw))
    await first.aclose()
    await feed.close()


async def test_nobody_looking_means_nobody_reading(pool: asyncpg.Pool) -> None:
    feed = Feed(pool)
    watched = feed.watch(draw)
    await anext(watched)
    assert feed.reads
    await watched.aclose()
    for _ in range(300):
        if not feed.reads:
            break
        await asyncio.sleep(0.01)
    assert not feed.reads


async def test_a_lost_database_is_said_and_comes_back(database: str) -> None:
    pool = await open_pool(database, min_size=1, max_size=2, name="lost")
    feed = Feed(pool)
    watched = feed.watch(draw)
    assert await anext(watched) == "0 cases"
    await pool.close()
    told = [await anext(watched), await anext(watched)]
    assert told[-1] == "away"
    await watched.aclose()
    await feed.close()


async def test_the_stream_is_of_events(web: aiohttp.ClientSession) -> None:
    async with web.get("live") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        assert (await answer.content.readline()).startswith(b"data: ")


@pytest.mark.page
async def test_a_figure_changes_without_a_reload(browser: Browser, filling: Filling) -> None:
    page = await browser.open()
    await page.evaluate("window.neverReloaded = true")
    await page.wait_for_selector("#live[data-live=on]")
    assert await page.text_content("#count-cases") == ""
    await filling.unknown_sku(2001)
    await expect(page.locator("#count-cases")).to_have_text("1")
    assert await page.text_content(".headline a[href='/console/cases'].bad") == "1"
    assert await page.evaluate("window.neverReloaded") is True
