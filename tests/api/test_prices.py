# SPDX-License-Identifier: Apache-2.0
"""Prices, products and accounts over HTTP: the contract's examples, ages, ETags, and questions that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import asyncpg
import httpx
import jsonschema
import msgspec
import pytest
from msgspec.structs import replace

from crossdock.api import plain
from crossdock.api.contract import with_hot_paths
from crossdock.api.master_data import customers_handler, products_handler
from crossdock.api.plain import App, answering
from crossdock.api.price_question import MOST_LINES, PricedChannel
from crossdock.api.prices import PricesHandler
from crossdock.api.prices_contract import (
    EXAMPLE_ANSWER,
    EXAMPLE_BODY,
    EXAMPLE_CUSTOMER,
    EXAMPLE_PRODUCT,
    SCHEMAS,
)
from crossdock.canonical.master_data import Customer, Product
from crossdock.canonical.objects import decode
from crossdock.catalog.accept import accept_crosswalks, accept_customers, accept_products
from crossdock.catalog.accept_prices import accept_price_lists
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.catalog.memory import CatalogMemory
from crossdock.governance.caller import LOCAL, Caller, let_in
from tests.catalog.pricing import entry, stated

LISTS = (
    stated("BASE-USD", entry("10.00", "CD-1001"), entry("4.90", "CD-1002")),
    stated("CONTRACT-C-1", entry("9.00", "CD-1001", b12="8.50", b48="8.25"), customer="C-1"),
)


class Asking:
    """The handlers over a real database, and a client that asks them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.caller = LOCAL
        self.memory = CatalogMemory(pool, Catalog(PriceBook()))
        self._apps: dict[str, App] = {
            "/v1/prices": PricesHandler(
                self.memory, {"shopify-us": PricedChannel("shopify-us", "USD")}, timedelta(minutes=5)
            ),
            "/v1/products": products_handler(self.memory, pool),
            "/v1/customers": customers_handler(self.memory, pool),
        }
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, answering(self._app)), raise_app_exceptions=False),
            base_url="http://127.0.0.1",
        )

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        let_in(scope, self.caller)
        app = next(app for prefix, app in self._apps.items() if scope["path"].startswith(prefix))
        await app(scope, receive, send)

    async def quote(self, **body: Any) -> httpx.Response:
        return await self.client.post("/v1/prices:quote", json={"channel": "shopify-us", **body})

    def grow_old(self, seconds: float) -> None:
        """As if nothing had been read for so long."""
        assert self.memory._looked_at is not None
        self.memory._looked_at -= seconds

    async def lose_the_database(self) -> None:
        self.pool.terminate()


@pytest.fixture
async def asking(pool: asyncpg.Pool) -> AsyncIterator[Asking]:
    async with pool.acquire() as conn, conn.transaction():
        shelf = decode("product", msgspec.json.encode(EXAMPLE_PRODUCT))
        await accept_products(conn, [(None, Product(sku="CD-1001")), (None, shelf)])
        await accept_customers(conn, [(None, decode("customer", msgspec.json.encode(EXAMPLE_CUSTOMER)))])
        rows = [("sku", "shopify-us", "blue", "CD-1001"), ("customer", "shopify-us", "77", "C-1")]
        await accept_crosswalks(conn, rows, by="test", origin="cli", reason="")
        await accept_price_lists(conn, [(None, one) for one in LISTS])
    asking = Asking(pool)
    await asking.memory.look()
    async with asking.client:
        yield asking


def valid(body: Any, name: str = "PriceAnswer") -> Any:
    """`body`, after a look whether it is what the contract says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    jsonschema.Draft202012Validator(schema).validate(body)
    return body


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()
    return answer.status_code, told["type"].removeprefix("/problems/"), told.get("field", "")


async def test_the_example_of_the_contract_is_what_is_answered(asking: Asking) -> None:
    answer = await asking.quote(**EXAMPLE_BODY)
    assert {**valid(answer.json()), "age_seconds": 0.0} == EXAMPLE_ANSWER
    assert (answer.headers["age"], answer.headers["cache-control"]) == ("0", "no-store")
    valid(EXAMPLE_BODY, "PriceQuestion")


async def test_a_body_that_does_not_arrive_is_given_up(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "READ_SECONDS", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await asking.client.post("/v1/prices:quote", content=never(), headers={"content-type": "application/json"})
    assert problem(answer) == (408, "body_time", "")


async def test_every_reference_of_the_contract_leads_somewhere() -> None:
    document = with_hot_paths({"paths": {}})
    named = set(document["components"]["schemas"])
    for path in ("/v1/prices:quote", "/v1/products/{sku}", "/v1/customers/{id}"):
        used = {part.partition('"')[0] for part in str(document["paths"][path]).replace("'", '"').split("schemas/")[1:]}
        assert used
        assert used <= named


async def test_without_an_explanation_there_is_none(asking: Asking) -> None:
    (line,) = (await asking.quote(lines=[{"sku": "CD-1001", "quantity": 1}])).json()["lines"]
    assert line == {
        "line": "1",
        "sku": "CD-1001",
        "quantity": "1",
        "unit": "EA",
        "unit_price": "10.00",
        "total": "10.00",
        "taxes_included": False,
        "list": "BASE-USD",
        "kind": "base",
        "reason": "base list BASE-USD",
    }


async def test_the_channels_names_are_known(asking: Asking) -> None:
    answer = await asking.quote(customer="77", lines=[{"sku": "blue", "quantity": "12", "line": "row 7"}])
    told = answer.json()
    assert (told["customer"], told["lines"][0]["sku"], told["lines"][0]["line"], told["total"]) == (
        "C-1",
        "CD-1001",
        "row 7",
        "102.00",
    )


async def test_a_line_without_a_price_says_so_and_the_others_are_priced(asking: Asking) -> None:
    lines = [
        {"sku": "XX", "quantity": 1},
        {"sku": "CD-1001", "quantity": 2},
        {"sku": "CD-1001", "quantity": 1, "unit": "CS"},
    ]
    told = valid((await asking.quote(lines=lines)).json())
    assert (told["complete"], told["total"]) == (False, "20.00")
    assert [line.get("reason") for line in told["lines"]] == [
        "the catalog has no SKU 'XX'",
        "base list BASE-USD",
        "it is not sold by CS, only by EA",
    ]


async def test_without_a_channel_the_customers_currency_counts(asking: Asking) -> None:
    lines = [{"sku": "CD-1001", "quantity": 1}]
    assert (await asking.quote(channel="", customer="C-1", lines=lines)).json()["total"] == "9.00"
    assert problem(await asking.quote(channel="", lines=lines)) == (422, "price.currency", "currency")
    assert (await asking.quote(currency="EUR", lines=lines)).json()["complete"] is False


LINE = {"sku": "CD-1001", "quantity": 1}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"lines": []}, (422, "price.lines", "lines")),
        ({"lines": [LINE] * (MOST_LINES + 1)}, (422, "price.lines", "lines")),
        ({"lines": [LINE], "colour": 1}, (422, "shape", "colour")),
        ({"lines": [{"sku": "CD-1001"}]}, (422, "shape", "lines[0].quantity")),
        ({"lines": [LINE], "channel": "mars"}, (422, "price.channel", "channel")),
        ({"lines": [LINE], "customer": "C-9"}, (422, "price.customer", "customer")),
        ({"lines": [LINE], "at": "2026-11-23T12:00:00"}, (422, "price.time", "at")),
        ({"lines": [LINE, {**LINE, "quantity": 0}]}, (422, "price.quantity", "lines[1].quantity")),
        ({"lines": [{**LINE, "quantity": "1.5"}]}, (422, "price.quantity_whole", "lines[0].quantity")),
        ({"lines": [{**LINE, "quantity": "NaN"}]}, (422, "price.quantity", "lines[0].quantity")),
        ({"lines": [{**LINE, "quantity": "1E+30"}]}, (422, "price.quantity", "lines[0].quantity")),
        (
            {"lines": [{**LINE, "quantity": "0.0000000001", "unit": "LTR"}]},
            (422, "price.quantity", "lines[0].quantity"),
        ),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(asking: Asking, body: Any, told: Any) -> None:
    assert problem(await asking.quote(**body)) == told


async def test_everything_wrong_is_told_at_once(asking: Asking) -> None:
    answer = await asking.quote(channel="mars", customer="C-9", lines=[{**LINE, "quantity": -1}])
    assert [one["field"] for one in answer.json()["errors"]] == ["channel", "customer", "currency", "lines[0].quantity"]


async def test_other_methods_types_and_paths(asking: Asking) -> None:
    assert problem(await asking.client.get("/v1/prices:quote"))[0] == 405
    assert problem(await asking.client.post("/v1/prices:guess", json={}))[0] == 404
    assert problem(await asking.client.post("/v1/prices:quote", content=b"{}"))[0] == 415
    headers = {"content-type": "application/json"}
    assert problem(await asking.client.post("/v1/prices:quote", content=b"{", headers=headers))[:2] == (400, "json")
    large = b" " * (513 * 1024)
    assert problem(await asking.client.post("/v1/prices:quote", content=large, headers=headers))[0] == 413
    assert problem(await asking.client.post("/v1/products/CD-1001", json={}))[0] == 405
    for path in (
        "/v1/products/",
        "/v1/products/XX",
        "/v1/customers/C-9",
        f"/v1/products/{'x' * 201}",
        "/v1/products/%00",
    ):
        assert problem(await asking.client.get(path))[0] == 404


async def test_what_is_not_a_callers_own_is_not_there_for_it(asking: Asking) -> None:
    theirs = Caller(
        consumer="portal", scopes=frozenset(), channels=frozenset(), customers=frozenset({"C-9"}), plan="gold"
    )
    strange = [
        problem(await asking.quote(channel="mars", lines=[LINE])),
        problem(await asking.quote(channel="", currency="USD", customer="C-8", lines=[LINE])),
        problem(await asking.client.get("/v1/customers/C-8")),
    ]
    asking.caller = theirs
    assert strange == [
        problem(await asking.quote(lines=[LINE])),
        problem(await asking.quote(channel="", currency="USD", customer="C-1", lines=[LINE])),
        problem(await asking.client.get("/v1/customers/C-1")),
    ]
    assert (await asking.client.get("/v1/products/CD-1001")).status_code == 200
    assert (await asking.quote(channel="", currency="USD", lines=[LINE])).json()["total"] == "10.00"
    asking.caller = replace(theirs, channels=None, customers=frozenset({"C-1"}))
    assert (await asking.quote(customer="77", lines=[LINE])).json()["total"] == "9.00"
    assert (await asking.client.get("/v1/customers/C-1")).status_code == 200


async def test_prices_are_answered_with_their_age_while_the_database_is_away(asking: Asking) -> None:
    await asking.lose_the_database()
    asking.grow_old(290)
    fresh = await asking.quote(lines=[LINE])
    asking.grow_old(20)
    old = await asking.quote(lines=[LINE])
    assert (fresh.json()["stale"], old.json()["stale"]) == (False, True)
    assert (fresh.headers["age"], old.headers["age"]) == ("290", "310")
    assert 310 <= old.json()["age_seconds"] < 320
    assert old.json()["total"] == "10.00"


async def test_before_everything_was_read_once_there_is_no_answer(pool: asyncpg.Pool) -> None:
    asking = Asking(pool)
    async with asking.client:
        answer = await asking.quote(lines=[LINE])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_changed_list_is_answered_by(asking: Asking) -> None:
    async with asking.pool.acquire() as conn:
        await accept_price_lists(conn, [(None, stated("BASE-USD", entry("11.00", "CD-1001")))])
    await asking.memory.look()
    assert (await asking.quote(lines=[LINE])).json()["total"] == "11.00"


@pytest.mark.parametrize(
    ("path", "example"), [("/v1/products/CD-1002", EXAMPLE_PRODUCT), ("/v1/customers/C-1", EXAMPLE_CUSTOMER)]
)
async def test_a_thing_is_told_in_canonical_form_until_it_changes(
    asking: Asking, path: str, example: dict[str, Any]
) -> None:
    first = await asking.client.get(path)
    # A field that has its default may be left out or said.
    assert {name: first.json()[name] for name in example if name in first.json()} == {
        name: value for name, value in example.items() if name in first.json()
    }
    assert set(example) - set(first.json()) <= {"unit"}
    tag = first.headers["etag"]
    same = await asking.client.get(path, headers={"if-none-match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    async with asking.pool.acquire() as conn:
        await accept_products(conn, [(None, Product(sku="CD-1002", description="Shelf"))])
        await accept_customers(conn, [(None, Customer(customer_id="C-1", name="Harbor"))])
    await asking.memory.look()
    changed = await asking.client.get(path, headers={"if-none-match": tag})
    assert (changed.status_code, changed.headers["etag"] == tag) == (200, False)


async def test_things_that_were_read_are_answered_while_the_database_is_away(asking: Asking) -> None:
    known = await asking.client.get("/v1/products/CD-1001")
    await asking.lose_the_database()
    at_once = await asking.client.get("/v1/products/CD-1001")
    assert (at_once.content, "crossdock-stale" in at_once.headers) == (known.content, False)
    asking.grow_old(60)
    later = await asking.client.get("/v1/products/CD-1001")
    assert (later.content, later.headers["age"], later.headers["crossdock-stale"]) == (known.content, "60", "true")
    never = await asking.client.get("/v1/products/CD-1002")
    assert (never.status_code, never.headers["retry-after"]) == (503, "5")


async def test_the_memory_keeps_itself_up(asking: Asking) -> None:
    running = asyncio.create_task(asking.memory.run())
    async with asking.pool.acquire() as conn:
        await accept_price_lists(conn, [(None, stated("BASE-USD", entry("11.00", "CD-1001")))])
    async with asyncio.timeout(30):
        while (await asking.quote(lines=[LINE])).json()["total"] != "11.00":  # noqa: ASYNC110 - the handler is asked
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_thousand_lines_are_answered(asking: Asking) -> None:
    told = (
        await asking.quote(customer="C-1", lines=[{"sku": "CD-1001", "quantity": n + 1} for n in range(1000)])
    ).json()
    assert len(told["lines"]) == 1000
    assert Decimal(told["total"]) == sum(Decimal(line["total"]) for line in told["lines"])
