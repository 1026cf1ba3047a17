# SPDX-License-Identifier: Apache-2.0
"""The inventory page says where a number comes from, what channels believe, and who holds what."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import asyncpg
import pytest
from playwright.async_api import expect

from crossdock.console.stock_drawing import Part, bar, steps
from crossdock.inventory.level import Level
from crossdock.observe.stock import Move
from tests.console.conftest import Browser

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def stocked(pool: asyncpg.Pool) -> None:
    await pool.executemany(
        "INSERT INTO product (sku, unit, body, details) VALUES ($1, 'EA', $2, $3)",
        [
            ("NS-1", b'{"sku":"NS-1","description":"Hex bolt <b>M8</b>"}', b'{"units":[{"unit":"CS","factor":"12"}]}'),
            ("NS-2", b'{"sku":"NS-2"}', None),
            ("KIT-1", b'{"sku":"KIT-1"}', b'{"components":[{"sku":"NS-1","quantity":"2"}]}'),
        ],
    )
    await pool.execute("UPDATE catalog_version SET value = value + 1")
    await pool.executemany(
        "INSERT INTO stock_level (sku, location, on_hand, quarantined, allocated, reserved, sequence, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 3, now())",
        [("NS-1", "DC-EAST", 20, 1, 4, 2), ("NS-1", "DC-WEST", 8, 0, 0, 0), ("NS-2", "DC-EAST", 1, 0, 3, 0)],
    )
    await pool.executemany(
        "INSERT INTO stock_movement (source, movement_id, kind, sku, location, quantity, unit, occurred_at, "
        "document_id, reference, on_hand, allocated, late) "
        "VALUES ('wms', $1, $2, 'NS-1', 'DC-EAST', $3, 'EA', $4, $5, $6, $7, $8, $9)",
        [
            ("m1", "receipt", 24, NOON, 7, "ASN-1", 24, 0, False),
            ("m2", "allocation", 4, NOON + timedelta(minutes=1), 8, "shop/1#1", 0, 4, False),
            ("m3", "ship", -4, NOON + timedelta(minutes=2), 9, "shop/0#1", -4, 0, False),
            ("m4", "adjustment", -1, NOON - timedelta(hours=1), 10, "", 0, 0, True),
        ],
    )
    await pool.execute(
        "INSERT INTO channel_stock (system, sku, location, told, told_sequence, told_at) VALUES "
        "('shopify-us', 'NS-1', 'DC-EAST', 12, 1, now()), "
        "('shopify-us', 'NS-1', 'DC-WEST', 2, 1, now()), "
        "('portal', 'NS-1', '', 9, 1, now())"
    )
    await pool.execute(
        "INSERT INTO reservation (id, channel, idempotency_key, digest, expires_at, body) "
        "VALUES ('rsv_1', 'portal', 'k', 1, now() + interval '5 minutes', '{}')"
    )
    await pool.execute("INSERT INTO reservation_line VALUES ('rsv_1', '1', 'NS-1', 'DC-EAST', 2)")
    await pool.execute(
        "INSERT INTO allocation (reference, line, sku, location, order_key, quantity) "
        "VALUES ('shop/1#1', '1', 'NS-1', 'DC-EAST', 'shop/1', 4)"
    )
    await pool.execute(
        "INSERT INTO expected_stock (reference, sku, location, source, quantity, due_at, version, status, document_id) "
        "VALUES ('PO-77', 'NS-1', 'DC-WEST', 'erp', 30, now() + interval '2 days', 1, 'open', 11)"
    )
    await pool.execute(
        "INSERT INTO publication (system, lag_p50, lag_p95, lag_p99, calls, fewest_calls) "
        "VALUES ('shopify-us', 0.4, 1.5, 2.5, 12, 11)"
    )


async def text_of(web: aiohttp.ClientSession, path: str) -> str:
    async with web.get(path) as answer:
        assert answer.status == 200
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", await answer.text()))


async def test_nothing_yet_says_what_would_appear(web: aiohttp.ClientSession) -> None:
    text = await text_of(web, "inventory")
    assert "No stock yet" in text
    assert "No SKU is open here" in text


async def test_where_a_number_comes_from(web: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
    await stocked(pool)
    text = await text_of(web, "inventory?sku=NS-1")
    # The store: 13 free at the east less one, 8 at the west less one, and five are kept for the portal.
    assert "shopify-us 14 told" in text
    assert "+20 on hand DC-EAST −1 quarantined DC-EAST" in text
    assert "−5 kept at least 5 are left to channel portal" in text
    assert "14 may be sold 12 at DC-EAST, 2 at DC-WEST" in text
    # The portal was told another number than it may sell.
    assert "portal 21 believes 9" in text
    assert "PO-77 erp DC-WEST 30" in text
    assert "portal reservation rsv_1 DC-EAST 2" in text
    assert "shop/1 allocation shop/1#1 DC-EAST 4" in text
    assert "adjustment −1 EA late: a later count has it" in text
    assert "CS of 12" in text
    assert "shopify-us 0" in text
    assert "400 ms 1.5 s 2.5 s 12 11" in text


async def test_what_is_promised_and_not_there_is_said_on_top(web: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
    await stocked(pool)
    assert "Promised and not there: NS-2 at DC-EAST: −2" in await text_of(web, "inventory")


async def test_a_bundle_is_what_its_parts_make(web: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
    await stocked(pool)
    text = await text_of(web, "inventory?sku=KIT-1")
    assert "a bundle of 2 NS-1" in text
    assert "+6 bundles DC-EAST" in text


async def test_an_unknown_sku_is_said_and_the_list_stays(web: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
    await stocked(pool)
    text = await text_of(web, "inventory?sku=%3Cscript%3E&q=NS")
    assert "no SKU '&lt;script&gt;' is known" in text or "no SKU &#39;&lt;script&gt;&#39; is known" in text
    assert "NS-2" in text


async def test_a_row_that_is_opened_takes_only_what_is_about_its_sku(
    web: aiohttp.ClientSession, pool: asyncpg.Pool
) -> None:
    await stocked(pool)
    async with web.get("inventory?sku=NS-1", headers={"HX-Request": "true", "HX-Target": "div#detail"}) as answer:
        text = await answer.text()
    assert "14 may be sold" in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    assert "NS-2" not in text
    assert "Lag p50" not in text


@pytest.mark.parametrize("name", ["q", "after", "sku"])
async def test_what_the_database_cannot_hold_is_asked_for_all_the_same(
    web: aiohttp.ClientSession, pool: asyncpg.Pool, name: str
) -> None:
    await stocked(pool)
    async with web.get(f"inventory?{name}=%00") as answer:
        assert answer.status == 200


async def test_the_list_is_worked_from_the_keyboard(browser: Browser, pool: asyncpg.Pool) -> None:
    await stocked(pool)
    page = await browser.open("/inventory")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("#detail h2").first).to_have_text("NS-1")
    assert "sku=NS-1" in page.url
    await expect(page.locator(".stockbar").first).to_be_visible()
    await expect(page.locator("bdi", has_text="Hex bolt <b>M8</b>").first).to_be_visible()
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/console/systems")
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await page.wait_for_url("**/console/inventory")


def level(on_hand: int, quarantined: int = 0, allocated: int = 0, reserved: int = 0) -> Level:
    return Level("NS-1", "EAST", Decimal(on_hand), Decimal(quarantined), Decimal(allocated), Decimal(reserved))


def test_a_bar_is_its_parts() -> None:
    assert bar(level(12, 1, 2, 3), Decimal(24)) == (
        Part("free", 0.0, 60.0, "6 free"),
        Part("allocated", 60.0, 20.0, "2 allocated"),
        Part("reserved", 80.0, 30.0, "3 reserved"),
        Part("quarantined", 110.0, 10.0, "1 quarantined"),
    )
    assert bar(level(1, allocated=3), Decimal(1))[-1] == Part("short", 0.0, 240.0, "2 more promised than there is")
    assert bar(level(0), Decimal(0)) == ()


def test_stock_over_time_is_worked_out_backwards() -> None:
    def move(minute: int, change: int) -> Move:
        return Move(
            source="wms", movement_id=str(minute), kind="receipt", location="EAST", quantity=Decimal(change), unit="EA",
            occurred_at=NOON + timedelta(minutes=minute), recorded_at=NOON, document_id=1, reference="",
            on_hand=Decimal(change), quarantined=Decimal(0), allocated=Decimal(0), late=False,
        )  # fmt: skip

    drawn = steps([level(7)], [move(10, -3), move(0, 10)], width=100, height=10)
    assert drawn is not None
    assert drawn.path == "M0.0 10.0L0.0 0.0L100.0 0.0L100.0 3.0L100.0 3.0"
    assert (drawn.low, drawn.high, drawn.zero) == (0, 10, 10.0)
    assert steps([level(7)], []) is None
