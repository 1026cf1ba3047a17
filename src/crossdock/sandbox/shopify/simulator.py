# SPDX-License-Identifier: Apache-2.0
"""The simulated Shopify store: GraphQL in, webhooks out, and its control surface."""

from __future__ import annotations

import hmac
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from crossdock.sandbox.catalog import make_catalog
from crossdock.sandbox.emitting import Delivery, Emitter, EmitterRules, Subscription
from crossdock.sandbox.host import ControlError, SimConfig, Simulator, json_response
from crossdock.sandbox.pacing import Runs
from crossdock.sandbox.shopify.cost import CostBucket
from crossdock.sandbox.shopify.execute import Executor, GraphQLRequest
from crossdock.sandbox.shopify.fulfill import FulfillmentCreator
from crossdock.sandbox.shopify.inventory import InventorySetter
from crossdock.sandbox.shopify.place import OrdersRequest, OrderStream, make_plan
from crossdock.sandbox.shopify.refund import RefundCreator
from crossdock.sandbox.shopify.signing import API_VERSION, hmac_sha256
from crossdock.sandbox.shopify.store import Store, stamp
from crossdock.sandbox.shopify.views import Views

RETRY_WINDOW = 4 * 3600.0
RETRIES = tuple(RETRY_WINDOW / (2**8 - 1) * 2**attempt for attempt in range(8))
"""Shopify: 8 retries over 4 hours, exponential: 56 s, 113 s, … 2 h."""
DROP_AFTER = 8


class ShopifyConfig(SimConfig, kw_only=True):
    """`bucket` and `restore` are cost points (Standard plan 100/s); `retries` are the seconds before each retry of a
    webhook, `time_scale` shortens them;
    `drop_subscriptions` deletes a subscription after 8 failed attempts in a row of one webhook; `commit_stock` lets
    orders commit stock;
    `write_seconds` is how long an inventory write stays in flight; `split_share` of the orders with several lines
    have two
    fulfillment orders at two locations."""

    token: str = "shpat_sandbox"  # noqa: S105 - a simulator's play token
    secret: str = "shopify-app-secret"  # noqa: S105
    shop_domain: str = "crossdock-sandbox.myshopify.com"
    subscriptions: tuple[Subscription, ...] = ()
    bucket: float = 2_000.0
    restore: float = 100.0
    retries: tuple[float, ...] = RETRIES
    time_scale: float = 1.0
    webhook_timeout: float = 5.0
    concurrency: int = 32
    drop_subscriptions: bool = False
    commit_stock: bool = True
    split_share: float = 0.0
    write_seconds: float = 0.0


class ShopifySim(Simulator):
    """`async with ShopifySim(config) as shop: shop.url`. GraphQL is at `shop.graphql_url`."""

    name = "shopify"
    path: ClassVar[str] = f"/admin/api/{API_VERSION}/graphql.json"

    def __init__(self, config: ShopifyConfig | None = None) -> None:
        self.config = config or ShopifyConfig()
        super().__init__(self.config)
        self.catalog = make_catalog(self.config.catalog)
        schedule = tuple(seconds * self.config.time_scale for seconds in self.config.retries)
        drop_after = DROP_AFTER if self.config.drop_subscriptions else None
        rules = EmitterRules(schedule, self.config.webhook_timeout, self.config.concurrency, drop_after)
        self.emitter = Emitter(self.config.subscriptions, rules, self._sign, self.books, self.faults)
        self.store = Store(
            self.books,
            self.catalog,
            self.config.shop_domain,
            commit_stock=self.config.commit_stock,
            split_share=self.config.split_share,
        )
        views = Views(self.store, "Crossdock Sandbox", stamp())
        self.bucket = CostBucket(self.config.bucket, self.config.restore)
        setter = InventorySetter(self.store, views, self.config.write_seconds)
        creator, refunds = FulfillmentCreator(self.store, views), RefundCreator(self.store, views)
        self.executor = Executor(self.store, views, setter, creator, refunds, self.bucket)
        self.placing = OrderStream(self.store, self.catalog, self.emitter)
        self.runs = Runs()

    @property
    def graphql_url(self) -> str:
        return self.url + self.path

    async def opened(self) -> None:
        await self.emitter.start()

    async def closing(self) -> None:
        await self.runs.stop()
        await self.emitter.stop()

    def reset(self) -> None:
        super().reset()
        self.emitter.clear()
        self.store.seed()

    def _sign(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        secret = self.config.secret + ("x" if delivery.forge else "")
        return {**delivery.headers, "X-Shopify-Hmac-Sha256": hmac_sha256(secret, body)}

    def failure(self, status: int, request: web.BaseRequest) -> web.Response:
        return json_response({"errors": "Internal Server Error" if status == 500 else "Service Unavailable"}, status)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._graphql(request, throttle=False)

    async def throttled(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._graphql(request, throttle=True)

    async def _graphql(self, request: web.BaseRequest, *, throttle: bool) -> web.Response:
        if request.path != self.path or request.method != "POST":
            return json_response({"errors": "Not Found"}, 404)
        given = request.headers.get("X-Shopify-Access-Token", "")
        if not hmac.compare_digest(given.encode(), self.config.token.encode()):
            return json_response(
                {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}, 401
            )
        try:
            wanted = msgspec.json.decode(await request.read(), type=GraphQLRequest)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return json_response({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        return json_response(await self.executor.run(wanted, throttle=throttle))

    def counts(self) -> dict[str, Any]:
        orders = self.store.orders.values()
        broken: dict[str, int] = {}
        for order in orders:
            if order["broken"]:
                broken[order["broken"]] = broken.get(order["broken"], 0) + 1
        return {
            "requests": self.requests,
            "orders": len(self.store.orders),
            "broken": broken,
            "cancelled": sum(1 for order in orders if order["cancelled_at"]),
            "fulfillments": sum(len(order["fulfillments"]) for order in orders),
            "refunds": sum(len(order.get("refunds", [])) for order in orders),
            "orders_fulfilled_twice": sum(1 for order in orders if _fulfilled_twice(order)),
            "counters": self.books.counters,
            "webhooks": self.emitter.counts(),
            "subscriptions": len(self.emitter.subscriptions),
        }

    async def control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        match method, tail:
            case "GET", "orders":
                return {"orders": list(self.store.orders.values())}
            case "GET", "levels":
                return {"levels": [_level_row(key, level) for key, level in self.store.levels.items()]}
            case "GET", "webhooks":
                rows = self.books.table("deliveries").values()
                return {"webhooks": [{**row, "body": "", "headers": {}} for row in rows]}
            case "GET", "subscriptions":
                return {"subscriptions": self.emitter.subscriptions}
            case "POST", "subscriptions":
                self.emitter.subscriptions.append(msgspec.json.decode(await request.read(), type=Subscription))
                return {"subscriptions": self.emitter.subscriptions}
            case "GET", "prices":
                return {"prices": list(self.store.prices.values())}
            case "POST", "price":
                return self._reprice(msgspec.json.decode(await request.read(), type=PriceRequest))
            case "POST", "level":
                return self._adjust(msgspec.json.decode(await request.read(), type=LevelRequest))
            case "POST", "orders":
                wanted = msgspec.json.decode(await request.read() or b"{}", type=OrdersRequest)
                plan = make_plan(wanted)
                return self.runs.start("orders", wanted.count, lambda run: self.placing.stream(run, wanted, plan))
        return self.runs.find(tail.removeprefix("runs/")) if tail.startswith("runs/") else None

    def _reprice(self, wanted: PriceRequest) -> dict[str, Any]:
        product = self.store.by_sku.get(wanted.sku)
        if product is None:
            raise ControlError(f"there is no SKU {wanted.sku!r}")
        self.store.set_price(product, wanted.price)
        return self.store.prices[wanted.sku]

    def _adjust(self, wanted: LevelRequest) -> dict[str, Any]:
        key = f"{wanted.sku}@{wanted.location}"
        level = self.store.levels.get(key)
        if level is None:
            raise ControlError(f"there is no level {key}")
        self.store.set_by_hand(key, wanted.available)
        return _level_row(key, self.store.levels[key])


class LevelRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Set `available` of a SKU at a location (its code) by hand, as a clerk does in the store's admin."""

    sku: str
    location: str
    available: int


class PriceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Set the price of a SKU by hand, as a clerk does in the store's admin."""

    sku: str
    price: Decimal


def _level_row(key: str, level: dict[str, Any]) -> dict[str, Any]:
    sku, _, place = key.partition("@")
    return {"sku": sku, "location": place, "on_hand": level["available"] + level["committed"], **level}


def _fulfilled_twice(order: dict[str, Any]) -> bool:
    """Two fulfillments with a tracking number in common: the same shipment was told twice."""
    numbers = [info["number"] for made in order["fulfillments"] for info in made["tracking"]]
    return len(numbers) != len(set(numbers))
