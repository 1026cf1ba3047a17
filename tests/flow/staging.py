# SPDX-License-Identifier: Apache-2.0
"""The whole path in one process: real PostgreSQL and NATS, the real worker and scheduler, three simulated systems."""

from __future__ import annotations

import asyncio
import csv
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from crossdock.app.demo.figures import publishers, publishing, read_figures
from crossdock.app.prepare import prepare
from crossdock.app.scheduler import run_scheduler
from crossdock.app.wiring import hook_routes, wire
from crossdock.app.worker import run_worker
from crossdock.intake.hooks import HookIntake
from crossdock.journal.books import balance
from crossdock.journal.keep import keep
from crossdock.runtime.clock import now
from crossdock.runtime.embedded import Endpoints
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.netsuite.simulator import NetSuiteConfig, NetSuiteSim
from crossdock.sandbox.shopify.orders import make_order
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim
from crossdock.sandbox.warehouse.ship import ShipRequest, ship_open
from crossdock.sandbox.warehouse.simulator import WarehouseConfig, WarehouseSim
from crossdock.sdk.receiving import Incoming, KeepResult
from crossdock.sdk.signatures import hmac_sha256_base64
from tests.intake.asgi import served

MASTER = CatalogConfig(seed=3, products=40, max_stock=0)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

ESTATE = """\
estate: staged
owners: {{web: {{email: web@example.com}}, erp: {{email: erp@example.com}}, wh: {{email: wh@example.com}}}}
tiers: {{gold: {{settle_within: 15m}}}}
entities: {{us: {{name: Northstar, currency: USD, erp: netsuite}}}}
systems:
  shopify-us:
    connector: shopify
    owner: web
    settings: {{url: "{shop}", shop: northstar.myshopify.com}}
    secrets: {{webhook: "file:shop.secret", token: "file:shop.token"}}
  netsuite:
    connector: netsuite
    owner: erp
    settings: {{url: "{erp}", account: TSTDRV9506000, client_id: crossdock-client,
                certificate_id: crossdock-certificate, algorithm: ES256, subsidiary: "1",
                charge_items: {{tax: TAX, discount: DISCOUNT, fee: FEE}}}}
    secrets: {{private_key: "file:key.pem"}}
  warehouse:
    connector: warehouse_rest
    owner: wh
    settings: {{url: "{warehouse}"}}
    secrets: {{webhook: "file:warehouse.secret", token: "file:warehouse.token"}}
channels: {{shopify-us: {{system: shopify-us, entity: us, currency: USD, customer: WEB-STORE}}}}
locations:
  DC-EAST: {{system: warehouse, name: East, codes: {{warehouse: DC-EAST, netsuite: "1", shopify-us: "{east}"}}}}
  DC-WEST: {{system: warehouse, name: West, codes: {{warehouse: DC-WEST, netsuite: "2", shopify-us: "{west}"}}}}
interfaces:
  shopify-us.orders: {{system: shopify-us, topics: [orders/create, orders/updated, orders/cancelled],
                       object: sales_order, owner: web, tier: gold, version: 1, state: active}}
  warehouse.stock: {{system: warehouse, topics: [stock.movements], object: stock_movements, owner: wh, tier: gold,
                     version: 1, state: active}}
  warehouse.counts: {{system: warehouse, topics: [stock.counted], object: stock_count, owner: wh, tier: gold,
                      version: 1, state: active}}
  warehouse.shipments: {{system: warehouse, topics: [shipment.confirmed], object: shipment, owner: wh, tier: gold,
                         version: 1, state: active}}
  netsuite.orders: {{system: netsuite, direction: out, operations: [sales_order, order_cancel], object: sales_order,
                     owner: erp, tier: gold, version: 1, state: active}}
  netsuite.fulfillments: {{system: netsuite, direction: out, operations: [item_fulfillment], object: shipment,
                           owner: erp, tier: gold, version: 1, state: active}}
  warehouse.orders: {{system: warehouse, direction: out, operations: [fulfillment_order, fulfillment_cancel],
                      object: fulfillment_order, owner: wh, tier: gold, version: 1, state: active}}
  shopify-us.fulfillments: {{system: shopify-us, direction: out, operations: [fulfillment], object: shipment,
                             owner: web, tier: gold, version: 1, state: active}}
  shopify-us.stock: {{system: shopify-us, direction: out, operations: [stock_levels], object: stock_level, owner: web,
                      tier: gold, version: 1, state: active}}
routing: {{default_location: DC-EAST, max_lines: 5000}}
stock_publication: {{shopify-us: {{locations: [DC-EAST, DC-WEST]}}}}
products: {{file: products.csv}}
customers: {{file: customers.csv}}
"""
TOPICS = {"warehouse": ("stock.movements", "stock.counted", "shipment.confirmed")}


def write_estate(folder: Path, shop: ShopifySim, erp: NetSuiteSim, warehouse: WarehouseSim) -> Path:
    """The estate of the three simulators in `folder`; its file."""
    codes = {p.code: f"gid://shopify/Location/{shop.store.location_id(p)}" for p in shop.catalog.locations}
    text = ESTATE.format(
        shop=shop.url, erp=erp.url, warehouse=warehouse.url, east=codes["DC-EAST"], west=codes["DC-WEST"]
    )
    for name, secret in (
        ("shop.secret", shop.config.secret),
        ("shop.token", shop.config.token),
        ("warehouse.secret", warehouse.config.secret),
        ("warehouse.token", warehouse.config.token),
    ):
        (folder / name).write_text(secret, "utf-8")
    products = [(p.sku, p.title, f"{p.price_cents / 100:.2f}", "USD") for p in shop.catalog.products]
    _write_csv(folder / "products.csv", ("sku", "description", "price", "currency"), products)
    _write_csv(folder / "customers.csv", ("customer_id", "name"), [("WEB-STORE", "Customers of the store")])
    file = folder / "estate.yaml"
    file.write_text(text, "utf-8")
    return file


def _write_csv(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def write_key(file: Path) -> str:
    """A new key pair: the private half in `file`, the public half as PEM."""
    key = generate_private_key(SECP256R1())
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Stage:
    """A running path. Orders are placed in the simulated store; `hook` tells of them as the store would."""

    def __init__(
        self, pool: asyncpg.Pool, shop: ShopifySim, erp: NetSuiteSim, warehouse: WarehouseSim, url: str, estate: Path
    ) -> None:
        self.pool, self.shop, self.erp, self.warehouse, self.url, self.estate = pool, shop, erp, warehouse, url, estate
        self.session = aiohttp.ClientSession()
        self._publishers = publishers(estate)
        self._numbers = iter(range(1, 1_000_000))

    def order(self, lines: int = 2, **changes: Any) -> dict[str, Any]:
        """A new order in the store, as its webhook would tell it."""
        number = next(self._numbers)
        payload = make_order(random.Random(number), self.shop.catalog, number=number, lines=lines, at=NOON)
        self.shop.store.place(payload, None)
        return {**payload, **changes}

    def later(self, payload: dict[str, Any], minutes: int = 1, **changes: Any) -> dict[str, Any]:
        """A later version of an order."""
        at = datetime.fromisoformat(payload["updated_at"]) + timedelta(minutes=minutes)
        return {**payload, "updated_at": at.isoformat(), **changes}

    def key(self, payload: dict[str, Any]) -> str:
        """The order key of a payload."""
        return f"shopify-us/{payload['id']}"

    async def hook(
        self, payload: dict[str, Any] | bytes, topic: str = "orders/create", webhook_id: str | None = None
    ) -> int:
        """Send a signed webhook of the store; the status of the answer."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        headers = {
            "X-Shopify-Hmac-Sha256": hmac_sha256_base64(body, self.shop.config.secret),
            "X-Shopify-Webhook-Id": webhook_id or str(uuid4()),
            "X-Shopify-Topic": topic,
        }
        address = f"{self.url}/hooks/shopify-us/{topic}"
        async with self.session.post(address, data=BytesIO(body), headers=headers) as answer:
            await answer.read()
            return answer.status

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        """Return when `condition()`, awaited when it can be, holds; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while True:
                held = condition()
                if asyncio.iscoroutine(held):
                    held = await held
                if held:
                    return
                await asyncio.sleep(0.05)

    async def rest(self, seconds: float = 90.0) -> None:
        """Return when nothing moves any more, here and at the simulators."""
        calm = 0

        async def still() -> bool:
            nonlocal calm
            waiting = self.shop.emitter.waiting + self.warehouse.emitter.waiting
            figures = await read_figures(self.pool)
            # Full statements go on past a case, so what stands behind one is not at rest.
            moving = await self.pool.fetchval(
                "SELECT count(*) FROM document WHERE state IN ('received', 'retry') AND overtakes"
            )
            quiet = figures.at_rest and await publishing(self.pool, self._publishers)
            calm = calm + 1 if quiet and not waiting and not moving else 0
            return calm >= 3

        await self.until(still, seconds)

    async def documents(self, payload: dict[str, Any]) -> list[tuple[str, str]]:
        """Topic and state of every document of an order, in order."""
        rows = await self.pool.fetch(
            "SELECT topic, state FROM document WHERE key = $1 ORDER BY id", f"order/{self.key(payload)}"
        )
        return [tuple(row) for row in rows]

    async def cases(self, state: str = "open") -> list[dict[str, Any]]:
        """Cases in `state`."""
        rows = await self.pool.fetch("SELECT * FROM triage_case WHERE state = $1 ORDER BY id", state)
        return [dict(row) for row in rows]

    def in_erp(self) -> dict[str, dict[str, Any]]:
        """Sales orders of the ERP by our order key; fails when one of them was created more than once."""
        records = list(self.erp.account.all("salesOrder").values())
        found = {record["externalId"].replace("shopify-us-", "shopify-us/"): record for record in records}
        assert len(found) == len(records)
        counts = self.erp.counts()
        assert counts["created_more_than_once_by_external_id"] == counts["created_more_than_once_by_other_ref"] == 0
        return found

    def in_warehouse(self) -> dict[str, str]:
        """Status of the warehouse's fulfillment orders by our reference."""
        return {one["reference"]: one["status"] for one in self.warehouse.warehouse.orders.values()}

    def ship(self, **request: Any) -> dict[str, int]:
        """Let the warehouse ship what is open."""
        return ship_open(self.warehouse.warehouse, ShipRequest(**request), self.warehouse.rng)

    def stock(self) -> dict[tuple[str, str], Decimal]:
        """What the warehouse has of each SKU at each location."""
        rows = self.warehouse.warehouse.stock.items()
        return {(key.partition("@")[0], key.partition("@")[2]): Decimal(level["on_hand"]) for key, level in rows}

    def fault(self, simulator: Any, kind: Any, **how: Any) -> None:
        """Have a simulator misbehave."""
        simulator.faults.add(Fault(kind, **how))

    async def balanced(self) -> bool:
        """Whether the books of every interface balance."""
        async with self.pool.acquire() as conn:
            return all(book.balanced for book in await balance(conn))


@asynccontextmanager
async def staged(
    pool: asyncpg.Pool, database: str, nats_url: str, folder: Path, change: Callable[[str], str] = str
) -> AsyncIterator[Stage]:
    """Everything running as long as the block. `change` is made to the text of the estate."""
    shop_config = ShopifyConfig(catalog=MASTER, bucket=20_000, restore=5_000, time_scale=0.001)
    erp_config = NetSuiteConfig(
        catalog=MASTER, certificate=write_key(folder / "key.pem"), extra_items=("TAX", "DISCOUNT", "FEE")
    )
    warehouse_config = WarehouseConfig(catalog=MASTER, rate=1000, burst=1000, time_scale=0.01)
    async with (
        ShopifySim(shop_config) as shop,
        NetSuiteSim(erp_config) as erp,
        WarehouseSim(warehouse_config) as warehouse,
    ):
        estate = write_estate(folder, shop, erp, warehouse)
        estate.write_text(change(estate.read_text("utf-8")), "utf-8")
        wired = wire(estate)
        await prepare(database, wired)

        async def flush(batch: list[Incoming]) -> list[KeepResult]:
            return await keep(pool, batch)

        commit = GroupCommit(flush)
        intake = HookIntake(hook_routes(wired), commit, now, lambda *_: None)
        stop = asyncio.Event()
        endpoints = Endpoints(database_url=database, nats_url=nats_url)
        async with served(intake) as url:
            for topic in TOPICS["warehouse"]:
                address = f"{url}/hooks/warehouse/{topic}"
                warehouse.emitter.subscriptions.append(Subscription(topic, address))
            stage = Stage(pool, shop, erp, warehouse, url, estate)
            roles = [
                asyncio.create_task(run_worker(stop, wired, endpoints)),
                asyncio.create_task(run_scheduler(stop, wired, endpoints)),
            ]
            try:
                yield stage
            finally:
                stop.set()
                await asyncio.gather(*roles)
                await commit.close()
                await stage.session.close()
