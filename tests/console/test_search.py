# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.conftest import Browser
from tests.console.filling import Filling


@pytest.mark.parametrize("words", ["1001", "#1001", "PO-1001", "shopify-us/1001", "C-204", "order/shopify-us/1001"])
async def test_one_box_finds_an_order_by_any_name(web: aiohttp.ClientSession, filling: Filling, words: str) -> None:
    document = await filling.settled_order(1001)
    async with web.get("search", params={"q": words}) as answer:
        assert answer.status == 200
        assert f'href="/console/documents/{document}"' in await answer.text()


async def test_without_words_open_documents_are_listed_by_deadline(
    web: aiohttp.ClientSession, filling: Filling
) -> None:
    await filling.settled_order(1001)
    late, _ = await filling.unknown_sku(2001, age=600)
    later, _ = await filling.unknown_sku(2002, age=60)
    async with web.get("search") as answer:
        text = await answer.text()
    assert text.index(f"/documents/{late}") < text.index(f"/documents/{later}")
    assert "order/shopify-us/1001" not in text


async def test_nothing_found_says_what_can_be_found(web: aiohttp.ClientSession) -> None:
    async with web.get("search", params={"q": "no-such-thing"}) as answer:
        assert "Nothing is called that" in await answer.text()


@pytest.mark.parametrize("words", ["x" * 300, "a\x00b", "%", "'; DROP TABLE document; --", "\u202etxt.exe"])
async def test_hostile_words_are_only_words(web: aiohttp.ClientSession, words: str) -> None:
    async with web.get("search", params={"q": words}) as answer:
        assert answer.status == 200


async def test_words_are_escaped(web: aiohttp.ClientSession) -> None:
    async with web.get("search", params={"q": '"><script>alert(1)</script>'}) as answer:
        text = await answer.text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.page
async def test_slash_and_control_k_lead_to_the_box(browser: Browser, filling: Filling) -> None:
    document = await filling.settled_order(1001)
    page = await browser.open("/cases")
    await page.keyboard.press("/")
    await expect(page.locator("#find")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("PO-1001")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/search?q=PO-1001")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/console/documents/{document}")
