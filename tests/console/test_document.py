# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import aiohttp
import pytest
from playwright.async_api import expect

from crossdock.console.document import pretty
from crossdock.journal.view import payload
from tests.console.conftest import Browser
from tests.console.filling import Filling
from tests.console.samples import canonical_order

SCRIPT = "<script>document.title='owned'</script>"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a":1.10}', '{\n  "a": 1.10\n}'),
        (b"a,b\n1,2", "a,b\n1,2"),
        (b"\xff{", "\ufffd{"),
        (b"", ""),
    ],
)
def test_bodies_are_shown_as_they_are_but_json_with_indents(body: bytes, shown: str) -> None:
    assert pretty(payload(body, len(body))) == shown


def test_json_that_was_cut_is_left_alone() -> None:
    assert pretty(payload(b'{"a":1}', 9000)) == '{"a":1}'


async def test_one_timeline_across_systems(web: aiohttp.ClientSession, filling: Filling) -> None:
    document = await filling.settled_order(1001, attempts=2)
    async with web.get(f"documents/{document}") as answer:
        assert answer.status == 200
        text = await answer.text()
    story = [
        "received orders/create",
        "translated to canonical",
        "decided: accepted",
        "netsuite sales_order try 1: retry",
        "netsuite sales_order try 2: delivered",
        "they call it 4001",
    ]
    places = [text.index(mark) for mark in story]
    assert places == sorted(places)
    assert "location WH-WEST for 1 line(s): rule: SKU begins with CD-9" in text
    assert "FO-1001-2" in text


async def test_the_chosen_exchange_is_in_the_address(web: aiohttp.ClientSession, filling: Filling) -> None:
    document = await filling.document(1001, canonical=canonical_order(1001), state="delivering", step="deliver")
    delivery = await filling.delivery(document, 1001, state="due", attempts=2, error="busy")
    async with web.get(f"documents/{document}", params={"sent": f"{delivery}.1"}) as answer:
        text = await answer.text()
    assert f'<option value="{delivery}.1" selected>' in text
    assert "CONCURRENCY_LIMIT_EXCEEDED" in text
    assert "next try" in text


async def test_a_key_is_a_permalink(web: aiohttp.ClientSession, filling: Filling) -> None:
    document = await filling.settled_order(1001)
    async with web.get("trace", params={"key": "order/shopify-us/1001"}, allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == f"/console/documents/{document}"


async def test_a_sku_has_a_history_too(web: aiohttp.ClientSession, filling: Filling) -> None:
    await filling.conn.execute(
        "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ('CD-1', 'WH-EAST', 7, 1, now())"
    )
    async with web.get("trace", params={"key": "CD-1"}) as answer:
        assert answer.status == 200
        assert "7 at WH-EAST" in await answer.text()


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("documents/999999", 404, "there is no document 999999"),
        ("trace?key=nothing", 404, "nothing here is called"),
        ("documents/99999999999999999999", 400, "That did not work"),
    ],
)
async def test_what_is_not_there_is_said(web: aiohttp.ClientSession, path: str, status: int, told: str) -> None:
    async with web.get(path) as answer:
        assert answer.status == status
        assert told in await answer.text()


@pytest.mark.page
async def test_hostile_content_stays_text(browser: Browser, filling: Filling) -> None:
    long = "k" * 3000
    body = json.dumps({"note": SCRIPT, "rtl": "\u202egnp.exe", "long": long}).encode()
    document = await filling.document(
        7, key=f"order/{SCRIPT}/{long[:150]}", body=body, state="case", step="translate", note=SCRIPT
    )
    await filling.case(
        document, 7, key=f"order/{SCRIPT}", reason=f"{SCRIPT} {long}", field=SCRIPT, value=SCRIPT, fix=SCRIPT
    )
    for path in (f"/documents/{document}", "/cases?id=1", "/search", "/"):
        page = await browser.open(path)
        assert await page.title() != "owned"
        assert await page.evaluate("[...document.scripts].every((each) => each.src.includes('/console/static/'))")
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert await page.evaluate(wide) is False
    await browser.open(f"/documents/{document}")
    await expect(page.locator(".body pre").first).to_contain_text(SCRIPT)


@pytest.mark.page
async def test_pages_stand_without_scripts(browser: Browser, filling: Filling) -> None:
    document = await filling.settled_order(1001)
    await browser.page.route("**/console.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page = await browser.open(f"/documents/{document}")
    await expect(page.locator("h1")).to_have_text("Order #1001 · 184.50 USD · customer C-204")
    await expect(page.locator(".timeline li")).to_have_count(14)
    await expect(page.locator(".lanes g g")).to_have_count(4)
