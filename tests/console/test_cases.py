# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import expect

from crossdock.console.cases import Filters, filters_of, readable
from crossdock.triage.edit import Editable
from tests.console.conftest import Browser
from tests.console.filling import Filling

words = st.text(max_size=40)


@given(st.builds(Filters, st.sampled_from(["open", "resolved", "all"]), words, words, words, words, words))
def test_an_address_says_all_of_the_filters(filters: Filters) -> None:
    assert filters_of(filters.address(id=7)) == (filters, 7)


@given(st.text(max_size=200))
def test_any_query_string_is_some_filters(query: str) -> None:
    filters, chosen = filters_of(query)
    assert filters.state in ("open", "resolved", "dismissed", "all")
    assert chosen is None or chosen >= 0


def test_what_is_no_json_is_edited_as_it_is() -> None:
    assert readable(Editable(stage="source", object="", body=b"a,b\n1,2", delivery=False)) == "a,b\n1,2"


async def test_the_list_is_narrowed_by_its_address(web: aiohttp.ClientSession, filling: Filling) -> None:
    await filling.unknown_sku(2001)
    await filling.unknown_sku(2002, reason="the currency is not USD", system="netsuite")
    async with web.get("cases", params={"q": "currency", "system": "netsuite"}) as answer:
        text = await answer.text()
    assert "order/shopify-us/2002" in text
    assert "order/shopify-us/2001" not in text


async def test_cases_of_one_cause_are_counted_together(web: aiohttp.ClientSession, filling: Filling) -> None:
    for number in (2001, 2002, 2003):
        await filling.unknown_sku(number)
    await filling.unknown_sku(2004, rule="currency", field="currency", reason="the currency is not USD")
    async with web.get("cases") as answer:
        text = await answer.text()
    assert text.count('<strong>3</strong> <span class="mono"><bdi>sku_known</bdi>') == 1
    cause = "interface=shopify-us.orders&amp;system=&amp;klass=needs_edit&amp;q=lines%5B0%5D.sku"
    assert f'href="/console/cases?{cause}"' in text
    async with web.get(f"cases?{cause.replace('&amp;', '&')}") as answer:
        assert (await answer.text()).count("data-case=") == 3


async def test_no_case_is_good_news(web: aiohttp.ClientSession) -> None:
    async with web.get("cases") as answer:
        assert "Nobody is needed" in await answer.text()


async def test_a_case_that_is_not_there_is_said(web: aiohttp.ClientSession) -> None:
    async with web.get("cases", params={"id": 77}) as answer:
        assert answer.status == 404
        assert "there is no case 77" in await answer.text()


@pytest.mark.parametrize("done", ["retried:<b>", "x:1", "dismissed:", "retried:99999999999999"])
async def test_only_what_was_done_is_told(web: aiohttp.ClientSession, done: str) -> None:
    async with web.get("cases", params={"done": done}) as answer:
        assert 'role="status"' not in await answer.text()


@pytest.mark.page
async def test_keys_move_open_and_mark(browser: Browser, filling: Filling) -> None:
    for number in (2001, 2002, 2003):
        await filling.unknown_sku(number)
    page = await browser.open("/cases")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("#detail .facts a.key")).to_have_text("order/shopify-us/2002")
    await expect(page).to_have_url(f"{browser.address}/cases?state=open&id=2")
    await page.keyboard.press("k")
    await page.keyboard.press("x")
    await expect(page.locator("[data-marked-count]")).to_have_text("1 marked, 184.50 USD")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator("[data-marked-count]")).to_have_text("2 marked, 369.00 USD")
    await page.go_back(wait_until="commit")
    await expect(page.locator("#detail")).to_contain_text("No case is open here")


@pytest.mark.page
async def test_help_is_a_pane(browser: Browser) -> None:
    page = await browser.open("/cases")
    await expect(page.locator("#help")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/console/systems")
