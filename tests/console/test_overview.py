# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.conftest import Browser
from tests.console.filling import Filling


async def test_an_empty_console_says_what_would_appear(web: aiohttp.ClientSession) -> None:
    async with web.get(".") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert "No system yet" in text
    assert "No interface yet" in text
    assert "The books balance" in text


async def test_figures_are_those_of_the_database(web: aiohttp.ClientSession, filling: Filling) -> None:
    await filling.settled_order(1001)
    await filling.unknown_sku(2001)
    await filling.unknown_sku(2002)
    async with web.get(".") as answer:
        text = await answer.text()
    assert '<a href="/console/search">2</a>' in text
    assert '<a href="/console/cases" class="bad">2</a>' in text
    assert "369.00 USD" in text


async def test_books_that_do_not_balance_are_named(web: aiohttp.ClientSession, filling: Filling) -> None:
    await filling.document(1001, state="delivering", step="deliver", open_deliveries=0)
    async with web.get(".") as answer:
        assert "The books do not balance: shopify-us.orders" in await answer.text()


async def test_a_system_that_does_not_answer_is_counted(web: aiohttp.ClientSession, filling: Filling) -> None:
    await filling.conn.execute(
        "UPDATE system_lease SET breaker = 'open', breaker_until = now() + interval '30 seconds', "
        "breaker_reason = '503 five times' WHERE system = 'warehouse'"
    )
    await filling.conn.execute(
        "UPDATE system_lease SET paused = true, paused_by = 'ann', pause_reason = 'stocktaking' "
        "WHERE system = 'netsuite'"
    )
    async with web.get("systems") as answer:
        text = await answer.text()
    assert (
        '<span id="count-systems" class="count warn" title="Systems that are paused or do not answer">2</span>' in text
    )
    assert "503 five times; next probe in" in text
    assert "by ann: stocktaking" in text


@pytest.mark.page
async def test_every_number_leads_to_its_documents(browser: Browser, filling: Filling) -> None:
    await filling.morning_after()
    page = await browser.open()
    await page.click("table.interfaces td a.bad >> nth=-1")
    await expect(page.locator(".caselist > li")).to_have_count(4)
    assert page.url.endswith("/console/cases?interface=shopify-us.orders")
    await browser.open()
    await page.click(".headline a[href='/console/search'] >> nth=0")
    await expect(page.locator("tr[data-row]")).to_have_count(10)


@pytest.mark.page
async def test_dark_and_light_come_from_the_reader(browser: Browser, filling: Filling) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    page = await browser.open()
    await page.emulate_media(color_scheme="light")
    assert await page.evaluate(ground) == "rgb(246, 247, 249)"
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(ground) == "rgb(15, 18, 22)"
