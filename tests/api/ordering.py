# SPDX-License-Identifier: Apache-2.0
"""An order handler on a database with products and accounts, and a worker that decides on what it took in."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec

from crossdock.api.orders import PATH
from crossdock.api.plain import answering
from crossdock.app.orders import Orders
from crossdock.app.prepare import prepare
from crossdock.app.stock import Stock
from crossdock.app.wiring import Wired, rules_of, translations_of, wire
from crossdock.canonical.master_data import Customer, Product
from crossdock.catalog.accept import accept_crosswalks, accept_customers, accept_products
from crossdock.catalog.cache import Catalog
from crossdock.flow import work
from crossdock.governance.caller import LOCAL, let_in
from crossdock.journal.keep import Keeper, count_rejections
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.nats import Bus
from tests.intake.asgi import Answer, App, call

JSON = {"content-type": "application/json"}
ESTATE = """\
estate: ordering
owners: {web: {email: web@example.com}, sales: {email: sales@example.com}}
tiers: {gold: {settle_within: 15m}}
entities: {us: {name: Northstar, currency: USD, erp: erp}}
systems:
  portal: {connector: channel_rest, owner: web, settings: {url: "http://127.0.0.1:9"},
           secrets: {webhook: "file:secret", token: "file:secret"}}
  erp: {connector: channel_rest, owner: web, settings: {url: "http://127.0.0.1:9"},
        secrets: {webhook: "file:secret", token: "file:secret"}}
channels:
  portal: {system: portal, entity: us, currency: USD, api: true}
  till: {system: portal, entity: us, currency: USD, customer: WEB, api: {tier: gold, owner: sales, too_old_after: 1h}}
  shop: {system: portal, entity: us, currency: USD, customer: WEB}
locations: {EAST: {name: East, system: portal}, WEST: {name: West, system: portal}}
routing: {default_location: EAST, max_lines: 10000}
"""
GOVERNED = "inventory: {channels: {portal: {locations: [EAST, WEST], publish: false}}}\n"
ORDER: dict[str, Any] = {
    "channel": "portal",
    "customer": {"id": "ACME"},
    "po_number": "PO-1",
    "ship_to": {"street": "Oak Ave 1", "city": "Boise", "region": "ID", "postal_code": "83702", "country": "US"},
    "lines": [
        {"sku": "CD-1001", "quantity": "12", "unit_price": "19.90"},
        {"sku": "CD-1002", "quantity": "2", "unit_price": "5.25", "discount": "0.50"},
    ],
    "charges": [{"kind": "shipping", "amount": "9.00"}],
}
TOTAL = "257.80"


def an_order(**changes: Any) -> dict[str, Any]:
    """ORDER with other fields; None takes one out."""
    made = {**copy.deepcopy(ORDER), **changes}
    return {name: value for name, value in made.items() if value is not None}


def write_estate(folder: Path, more: str = "") -> Path:
    """The estate's file."""
    (folder / "secret").write_text("whsec_c2FtcGxlLXNlY3JldC1vZi10aGUtY2hhbm5lbC1ub3ctLS0=", "utf-8")
    file = folder / "estate.yaml"
    file.write_text(ESTATE + more, "utf-8")
    return file


class Desk:
    """A gateway's order handler."""

    def __init__(self, pool: asyncpg.Pool, wired: Wired) -> None:
        self.pool = pool
        self.wired = wired
        self.counted: Counter[tuple[str, str]] = Counter()
        self.keeper = Keeper(pool)
        self.commit = GroupCommit(self.keeper.keep, max_batch=200, parallel=2)
        # Never run, so it needs no bus.
        self.stock = Stock(wired, pool, cast(Bus, None))
        self.orders = Orders(wired, pool, self.commit, self.stock)
        self.handler = self.orders.handler
        self.handler._counted = self._count
        self.caller = LOCAL
        self.app: App = answering(self._let_in)
        self._rules = rules_of(wired, Catalog())
        self._translations = translations_of(wired, self._rules.catalog)

    def _count(self, verb: str, outcome: str) -> None:
        self.counted[verb, outcome] += 1

    async def _let_in(self, scope: Any, receive: Any, send: Any) -> None:
        let_in(scope, self.caller)
        await self.handler(scope, receive, send)

    async def place(self, key: str = "k", body: Any = None, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(an_order() if body is None else body)
        return await call(self.app, PATH, raw, {**JSON, "idempotency-key": key, **headers})

    async def validate(self, body: Any) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await call(self.app, f"{PATH}:validate", raw, JSON)

    async def read(self, name: str, **headers: str) -> Answer:
        named = {header.replace("_", "-"): value for header, value in headers.items()}
        return await call(self.app, f"{PATH}/{name}", b"", named, "GET")

    async def cancel(self, name: str, body: Any = None) -> Answer:
        raw = b"" if body is None else msgspec.json.encode(body)
        return await call(self.app, f"{PATH}/{name}:cancel", raw, {**JSON, "content-length": str(len(raw))})

    async def list(self, query: str = "") -> Answer:
        return await call(self.app, PATH, b"", {}, "GET", query=query)

    async def decide(self) -> int:
        """Let a worker decide on everything that is due; how many documents that was."""
        done = 0
        while number := await work(self.pool, self._rules, self._translations, 100):
            done += number
        return done

    async def count_rejections(self) -> None:
        batch, self.handler.rejections = self.handler.rejections, []
        await count_rejections(self.pool, batch)

    async def close(self) -> None:
        await self.commit.close()
        await self.keeper.close()


@asynccontextmanager
async def desk_on(pool: asyncpg.Pool, database: str, folder: Path, more: str = "") -> AsyncIterator[Desk]:
    """A handler on `database` with a few products and accounts; it has looked at them once."""
    wired = wire(write_estate(folder, more))
    await prepare(database, wired)
    async with pool.acquire() as conn, conn.transaction():
        products = [Product(sku=f"CD-{number}") for number in range(1001, 1011)]
        await accept_products(conn, [(None, one) for one in products])
        await accept_customers(conn, [(None, Customer(customer_id=one)) for one in ("ACME", "BETA", "WEB")])
        rows = [("sku", "portal", "their-1001", "CD-1001"), ("customer", "portal", "their-acme", "ACME")]
        await accept_crosswalks(conn, rows, by="test", origin="cli", reason="test")
    desk = Desk(pool, wired)
    await desk.orders.memory.look()
    try:
        yield desk
    finally:
        await desk.close()


def problem(answer: Answer) -> tuple[int, str, str]:
    """Status, type and field of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.body
    told = answer.json
    assert told["status"] == answer.status
    assert told["detail"]
    return answer.status, told["type"].removeprefix("/problems/"), told.get("field", "")


async def stock_up(pool: asyncpg.Pool, *levels: tuple[str, str, int]) -> None:
    """Put goods where they are: SKU, location, how many."""
    await pool.executemany(
        "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ($1, $2, $3, 1, now())",
        [(sku, place, Decimal(number)) for sku, place, number in levels],
    )
