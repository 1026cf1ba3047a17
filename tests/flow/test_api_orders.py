# SPDX-License-Identifier: Apache-2.0
"""Orders placed through the API go the whole path: to ERP and warehouse once, shipped, cancelled, whatever is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec
import pytest_asyncio

from crossdock.api.orders import PATH
from crossdock.api.plain import answering
from crossdock.app.orders import Orders
from crossdock.app.stock import Stock
from crossdock.app.wiring import wire
from crossdock.journal.books import balance
from crossdock.journal.keep import Keeper
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.nats import Bus
from tests.flow.staging import Stage, staged
from tests.intake.asgi import Answer, App, call

SYSTEM = """\
  portal: {connector: channel_rest, owner: web, settings: {url: "http://127.0.0.1:9"},
           secrets: {webhook: "file:portal.secret", token: "file:portal.secret"}}
channels:
  portal: {system: portal, entity: us, currency: USD, customer: WEB-STORE, api: {tier: gold}}
  shopify-us: {system: shopify-us, entity: us, currency: USD, customer: WEB-STORE}
"""


class Counter:
    """What a caller of the API has: a gateway's order handler beside a running path."""

    def __init__(self, stage: Stage, app: App) -> None:
        self.stage = stage
        self.app = app

    def order(self, number: int) -> dict[str, Any]:
        first, second = self.stage.shop.catalog.products[number % 30 : number % 30 + 2]
        return {
            "channel": "portal",
            "po_number": f"PO-{number}",
            "customer": {"name": "Ada Lovelace", "email": "ada@example.com"},
            "ship_to": {
                "name": "Ada Lovelace",
                "street": "Oak Ave 1",
                "city": "Boise",
                "region": "ID",
                "postal_code": "83702",
                "country": "US",
            },
            "lines": [
                {"sku": first.sku, "quantity": "2", "unit_price": f"{first.price_cents / 100:.2f}"},
                {"sku": second.sku, "quantity": "1", "unit_price": f"{second.price_cents / 100:.2f}"},
            ],
        }

    async def place(self, number: int, key: str = "") -> Answer:
        headers = {"content-type": "application/json", "idempotency-key": key or f"order {number}"}
        return await call(self.app, PATH, msgspec.json.encode(self.order(number)), headers)

    async def read(self, one: str) -> dict[str, Any]:
        answer = await call(self.app, f"{PATH}/{one}", b"", {}, "GET")
        assert answer.status == 200, answer.body
        return cast(dict[str, Any], answer.json)

    async def cancel(self, one: str) -> Answer:
        return await call(self.app, f"{PATH}/{one}:cancel", b"", {})


@pytest_asyncio.fixture
async def counter(pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Counter]:
    async with _countered(pool, database, nats_url, tmp_path) as made:
        yield made


@asynccontextmanager
async def _countered(pool: asyncpg.Pool, database: str, nats_url: str, folder: Path) -> AsyncIterator[Counter]:
    def add(estate: str) -> str:
        start = estate.index("channels: {shopify-us")
        return estate[:start] + SYSTEM + estate[estate.index("\n", start) + 1 :]

    (folder / "portal.secret").write_text("whsec_c2FtcGxlLXNlY3JldC1vZi10aGUtY2hhbm5lbC1ub3ctLS0=", "utf-8")
    async with staged(pool, database, nats_url, folder, add) as stage:
        wired = wire(stage.estate)
        keeper = Keeper(pool)
        commit = GroupCommit(keeper.keep)
        orders = Orders(wired, pool, commit, Stock(wired, pool, cast(Bus, None)))
        await orders.memory.look()
        try:
            yield Counter(stage, answering(orders.handler))
        finally:
            await commit.close()
            await keeper.close()


async def test_an_order_by_the_api_reaches_erp_and_warehouse_once(counter: Counter) -> None:
    stage = counter.stage
    answers = await asyncio.gather(*(counter.place(number) for number in range(10) for _ in range(3)))
    assert {answer.status for answer in answers} == {201}
    ids = {answer.json["id"] for answer in answers}
    assert len(ids) == 10
    await stage.rest()
    in_erp = stage.in_erp()
    assert {key.removeprefix("portal-").removeprefix("portal/") for key in in_erp} == ids
    assert len(stage.in_warehouse()) == len(stage.warehouse.warehouse.orders)
    assert {reference.split("/")[1].partition("#")[0] for reference in stage.in_warehouse()} == ids
    assert await stage.cases() == []
    async with stage.pool.acquire() as conn:
        books = {book.interface: book for book in await balance(conn)}
    assert all(book.balanced for book in books.values())
    book = books["portal.api"]
    assert (book.received, book.duplicate, book.settled, book.open) == (30, 20, 10, 0)
    for one in ids:
        assert (await counter.read(one))["state"] == "allocated"


async def test_what_has_left_is_told_of_the_order_and_no_system_is_told_that_has_not_asked(counter: Counter) -> None:
    stage = counter.stage
    one = (await counter.place(1)).json["id"]
    await stage.rest()
    stage.ship()
    await stage.rest()
    told = await counter.read(one)
    assert told["state"] == "shipped"
    assert [line["shipped"] == line["ordered"] for each in told["fulfillments"] for line in each["lines"]] == [True] * 2
    assert {each["operation"]: each["state"] for each in told["deliveries"]} == {
        "sales_order": "delivered",
        "fulfillment_order": "delivered",
        "item_fulfillment": "delivered",
    }
    assert (await counter.cancel(one)).status == 409


async def test_a_cancelled_order_is_taken_back_from_erp_and_warehouse(counter: Counter) -> None:
    stage = counter.stage
    one = (await counter.place(1)).json["id"]
    await stage.rest()
    assert (await counter.cancel(one)).status == 202
    assert (await counter.cancel(one)).status == 200
    await stage.rest()
    assert [case["reason"] for case in await stage.cases()] == []
    told = await counter.read(one)
    assert told["state"] == "cancelled"
    assert {each["operation"]: each["state"] for each in told["deliveries"]} == {
        "sales_order": "delivered",
        "fulfillment_order": "delivered",
        "order_cancel": "delivered",
        "fulfillment_cancel": "delivered",
    }
    assert set(stage.in_warehouse().values()) == {"cancelled"}
    assert await stage.cases() == []


async def test_while_the_erp_is_away_orders_are_taken(counter: Counter) -> None:
    stage = counter.stage
    stage.fault(stage.erp, "down")
    answers = [await counter.place(number) for number in range(3)]
    assert [answer.status for answer in answers] == [201] * 3

    await stage.until(lambda: len(stage.in_warehouse()) == 3)
    assert stage.in_erp() == {}
    assert {(await counter.read(answer.json["id"]))["state"] for answer in answers} == {"accepted"}
    stage.erp.faults.clear()
    await stage.rest()
    assert len(stage.in_erp()) == 3
