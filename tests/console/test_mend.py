# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.conftest import Browser
from tests.console.filling import Filling
from tests.console.samples import canonical_order
from tests.triage.holding import held

OURS = {"Sec-Fetch-Site": "same-origin"}


async def test_a_retry_makes_the_document_due(web: aiohttp.ClientSession, filling: Filling) -> None:
    document, case = await filling.unknown_sku(2001)
    form = {"id": str(case), "by": "ann", "back": f"state=open&id={case}"}
    async with web.post("cases/retry", data=form, headers=OURS, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"/console/cases?state=open&id={case}&done=retried%3A1"
    row = await filling.conn.fetchrow("SELECT state, next_at <= now() AS due FROM document WHERE id = $1", document)
    assert tuple(row) == ("received", True)
    audit = await filling.conn.fetchrow("SELECT who, origin, action, what FROM audit")
    assert tuple(audit) == ("ann", "console", "case.retry", f"case/{case}")


async def test_a_dismissal_needs_its_reason(web: aiohttp.ClientSession, filling: Filling) -> None:
    document, case = await filling.unknown_sku(2001)
    async with web.post("cases/dismiss", data={"id": str(case), "reason": " "}, headers=OURS) as answer:
        assert answer.status == 422
        assert "Write why before dismissing" in await answer.text()
    async with web.post("cases/dismiss", data={"id": str(case), "reason": "a test order"}, headers=OURS) as answer:
        assert answer.status == 200
        assert "1 case dismissed" in await answer.text()
    row = await filling.conn.fetchrow("SELECT state, closed_by, close_reason FROM triage_case WHERE id = $1", case)
    assert tuple(row) == ("dismissed", "console", "a test order")
    assert await filling.conn.fetchval("SELECT state FROM document WHERE id = $1", document) == "rejected"


async def test_a_held_order_is_released_for_a_reason(web: aiohttp.ClientSession, filling: Filling) -> None:
    document, case = await filling.unknown_sku(2001)
    async with web.post("cases/release", data={"id": str(case), "reason": "fine"}, headers=OURS) as answer:
        assert answer.status == 422
        assert f"case {case} cannot be released: it is no held order" in await answer.text()
    columns = held()
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
    await filling.conn.execute(f"UPDATE triage_case SET {sets} WHERE id = $1", case, *columns.values())
    async with web.get(f"cases?id={case}") as answer:
        page = await answer.text()
    assert "held: credit" in page
    assert 'action="/console/cases/release"' in page
    assert "lower the total to 100.00" in page
    async with web.post("cases/release", data={"id": str(case), "reason": " "}, headers=OURS) as answer:
        assert "Write why before releasing" in await answer.text()
    form = {"id": str(case), "reason": "paid by phone", "by": "ann"}
    async with web.post("cases/release", data=form, headers=OURS) as answer:
        assert answer.status == 200
        assert "1 case released" in await answer.text()
    assert await filling.conn.fetchval("SELECT state FROM document WHERE id = $1", document) == "received"
    row = await filling.conn.fetchrow("SELECT order_key, rule, by, origin, reason FROM order_release")
    assert tuple(row) == ("shopify-us/2001", "order.credit_limit", "ann", "console", "paid by phone")


@pytest.mark.parametrize(
    ("ids", "told"),
    [([], "No case is marked"), (["x"], "That is no case number"), (["9"], "there is no case 9"), (["1"] * 501, "501")],
)
async def test_what_cannot_be_retried_is_said(web: aiohttp.ClientSession, ids: list[str], told: str) -> None:
    async with web.post("cases/retry", data=[("id", each) for each in ids], headers=OURS) as answer:
        assert answer.status == 422
        assert told in await answer.text()


async def test_a_redirect_never_leaves_the_console(web: aiohttp.ClientSession, filling: Filling) -> None:
    _, case = await filling.unknown_sku(2001)
    form = {"id": str(case), "back": "https://evil.example/?state=open&next=//evil"}
    async with web.post("cases/retry", data=form, headers=OURS, allow_redirects=False) as answer:
        assert answer.headers["Location"].startswith("/console/cases?")
        assert "evil" not in answer.headers["Location"]


@pytest.mark.page
async def test_edit_mends_the_field_and_goes_on(browser: Browser, filling: Filling) -> None:
    document, case = await filling.unknown_sku(2001)
    page = await browser.open(f"/cases?id={case}")
    await page.keyboard.press("e")
    await expect(page.locator("#payload")).to_be_focused()
    text = await page.input_value("#payload")
    assert json.loads(text) == canonical_order(2001, "XX-404")
    await page.fill("#payload", text.replace("XX-404", "CD-1001"))
    await page.fill("form.part input[name=reason]", "the store's old SKU")
    await page.fill("form.part input[name=by]", "ann")
    await page.click("text=Save and retry")
    await expect(page.locator("[role=status]")).to_contain_text("goes on from where it stopped")
    row = await filling.conn.fetchrow(
        "SELECT number, stage, body, author, reason FROM document_version WHERE document_id = $1 ORDER BY number DESC",
        document,
    )
    assert (row["number"], row["stage"], row["author"], row["reason"]) == (2, "canonical", "ann", "the store's old SKU")
    assert json.loads(row["body"])["lines"][0]["sku"] == "CD-1001"
    assert await filling.conn.fetchval("SELECT state FROM document WHERE id = $1", document) == "received"


@pytest.mark.page
async def test_a_mistake_is_shown_at_the_field_and_nothing_typed_is_lost(browser: Browser, filling: Filling) -> None:
    _, case = await filling.unknown_sku(2001)
    page = await browser.open(f"/cases?id={case}")
    broken = (await page.input_value("#payload")).replace('"3"', '"many"')
    await page.fill("#payload", broken)
    await page.fill("form.part input[name=reason]", "more of them")
    await page.click("text=Save and retry")
    await expect(page.locator("#payload-error")).to_contain_text("lines[0].quantity.value")
    assert await page.input_value("#payload") == broken
    assert await page.input_value("form.part input[name=reason]") == "more of them"
    assert await page.get_attribute("#payload", "aria-invalid") == "true"
    assert await filling.conn.fetchval("SELECT count(*) FROM document_version") == 1
    # The browser says so of every 422.
    browser.complaints.clear()


@pytest.mark.page
async def test_a_draft_survives_leaving_the_page(browser: Browser, filling: Filling) -> None:
    _, case = await filling.unknown_sku(2001)
    page = await browser.open(f"/cases?id={case}")
    before = await page.input_value("#payload")
    await page.fill("#payload", before.replace("XX-404", "CD-7"))
    await browser.open("/systems")
    await browser.open(f"/cases?id={case}")
    assert await page.input_value("#payload") == before.replace("XX-404", "CD-7")
    await page.click("text=Start over")
    assert await page.input_value("#payload") == before


@pytest.mark.page
async def test_many_are_retried_at_once_by_keys(browser: Browser, filling: Filling) -> None:
    documents = [(await filling.unknown_sku(number))[0] for number in (2001, 2002, 2003)]
    page = await browser.open("/cases")
    for key in ("j", "x", "j", "x", "r"):
        await page.keyboard.press(key)
    await expect(page.locator("[role=status]")).to_contain_text("2 cases retried")
    states = await filling.conn.fetch("SELECT state FROM document WHERE id = ANY($1) ORDER BY id", documents)
    assert [row["state"] for row in states] == ["case", "received", "received"]


@pytest.mark.page
async def test_a_delivery_is_dismissed_by_keys(browser: Browser, filling: Filling) -> None:
    await filling.refused_by_erp()
    page = await browser.open("/cases?id=1")
    await expect(page.locator(".effect")).to_contain_text("netsuite never gets it, 184.50 USD")
    await page.keyboard.press("d")
    await page.keyboard.type("entered by hand")
    await page.keyboard.press("Enter")
    await expect(page.locator("[role=status]")).to_contain_text("1 case dismissed")
    assert await filling.conn.fetchval("SELECT state FROM delivery") == "cancelled"
    assert await filling.conn.fetchval("SELECT state FROM document") == "settled"
