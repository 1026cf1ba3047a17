# SPDX-License-Identifier: Apache-2.0
"""The simulated sales channel: the contract's calls, its events, and its control surface."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from crossdock.sandbox.catalog import make_catalog
from crossdock.sandbox.emitting import Delivery, Emitter, EmitterRules, Subscription
from crossdock.sandbox.host import ControlError, SimConfig, Simulator, json_response
from crossdock.sandbox.market.availability import MAX_ITEMS, Show, page, set_item, shown, shown_of
from crossdock.sandbox.market.prices import set_price, shown_price
from crossdock.sandbox.market.records import Market
from crossdock.sandbox.market.sell import Seller, SellRequest, make_plan
from crossdock.sandbox.market.shipments import ShipmentFile
from crossdock.sandbox.pacing import Runs
from crossdock.sandbox.problems import problem_response
from crossdock.sandbox.ratelimit import TokenBucket
from crossdock.sandbox.signing import signed_headers

RETRIES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0)
MAX_BODY = 1_000_000


class MarketConfig(SimConfig, kw_only=True):
    """`retries` are the seconds before each retry of an event, `time_scale` shortens them; `rate` and `burst` bound the
    calls that are taken."""

    token: str = "market-token"  # noqa: S105 - a simulator's play token
    secret: str = "whsec_Y3Jvc3Nkb2NrLXNhbmRib3gtbWFya2V0LXNlY3JldC0wMQ=="  # noqa: S105
    subscriptions: tuple[Subscription, ...] = ()
    rate: float = 20.0
    burst: float = 40.0
    retries: tuple[float, ...] = RETRIES
    time_scale: float = 1.0
    event_timeout: float = 5.0
    concurrency: int = 16


class CancelRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Which orders to cancel, by id."""

    orders: list[str]


class ShowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Show `available` of a SKU though something else was told: a fault of the market's."""

    sku: str
    available: int


class PriceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Show `price` of a SKU though something else was told, or nothing: a clerk of the market's."""

    sku: str
    price: str


class Told(msgspec.Struct, frozen=True):
    """What is told item by item under a path of its own: how an item is set, and what is shown of a SKU."""

    set_item: Callable[[Market, Any], dict[str, Any]]
    show: Show


TOLD = {"availability": Told(set_item, shown), "prices": Told(set_price, shown_price)}


class MarketSim(Simulator):
    """`async with MarketSim(config, name="portal") as market: market.url`. The name is part of its order numbers."""

    def __init__(self, config: MarketConfig | None = None, name: str = "market") -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,29}", name):
            raise ValueError(f"a market's name is up to 30 of a-z, 0-9 and -, beginning with a letter, not {name!r}")
        self.config = config or MarketConfig()
        super().__init__(self.config)
        self.name = name
        self.catalog = make_catalog(self.config.catalog)
        schedule = tuple(seconds * self.config.time_scale for seconds in self.config.retries)
        rules = EmitterRules(schedule, self.config.event_timeout, self.config.concurrency)
        self.emitter = Emitter(self.config.subscriptions, rules, self._sign, self.books, self.faults)
        self.market = Market(self.books, self.catalog, self.emitter)
        self.shipments = ShipmentFile(self.market)
        self.seller = Seller(self.market, name)
        self.runs = Runs()
        self._bucket = TokenBucket(self.config.rate, self.config.burst)

    async def opened(self) -> None:
        await self.emitter.start()

    async def closing(self) -> None:
        await self.runs.stop()
        await self.emitter.stop()

    def reset(self) -> None:
        super().reset()
        self.emitter.clear()
        self.shipments.index()

    def _sign(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        signed = body + b" " if delivery.forge else body
        return signed_headers(self.config.secret, delivery.id, int(time.time()), signed)

    def failure(self, status: int, request: web.BaseRequest) -> web.Response:
        return problem_response(status, "Server error", "the channel could not answer")

    async def throttled(self, request: web.BaseRequest) -> web.Response:
        headers = {"Retry-After": str(self._bucket.wait())}
        return problem_response(429, "Too many requests", "try again after the given seconds", headers)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.config.token}".encode()):
            return problem_response(401, "Unauthorized", "send Authorization: Bearer with the token of this channel")
        if not self._bucket.take():
            return await self.throttled(request)
        parts = request.path.removeprefix("/api/v1").strip("/").split("/")
        if len(parts) == 1 and parts[0] in TOLD:
            if request.method == "PUT":
                return await self._set(request, parts[0])
            if request.method == "GET":
                return self._show(request, parts[0])
            return problem_response(405, "Not allowed", f"GET or PUT the {parts[0]}")
        if len(parts) == 3 and parts[0] == "orders" and parts[2] == "shipments":
            return await self._shipments(request, parts[1])
        return problem_response(404, "Not found", f"no {request.method} {request.path}")

    async def _set(self, request: web.BaseRequest, what: str) -> web.Response:
        body = await request.read()
        if len(body) > MAX_BODY:
            return problem_response(413, "Too large", "a request holds at most 1 MB")
        try:
            items = msgspec.json.decode(body)["items"]
        except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
            return problem_response(400, "Bad request", "the body is an object with the array items")
        if not isinstance(items, list) or not items:
            return problem_response(400, "Bad request", "items is an array of 1 to 500 items")
        if len(items) > MAX_ITEMS:
            return problem_response(413, "Too large", f"at most {MAX_ITEMS} items a call, {len(items)} were sent")
        self.books.bump(f"{what}.calls")
        return json_response({"results": [TOLD[what].set_item(self.market, item) for item in items]}, 207)

    def _show(self, request: web.BaseRequest, what: str) -> web.Response:
        show = TOLD[what].show
        if "sku" in request.query:
            rows = shown_of(self.market, request.query["sku"], show)
            if rows is None:
                return problem_response(400, "Bad request", "give 1 to 200 SKUs")
            return json_response({what: rows, "next_offset": None})
        found = page(self.market, request.query.get("offset", "0"), request.query.get("limit", "500"), show)
        if found is None:
            return problem_response(400, "Bad request", "offset is 0 or more, limit 1 to 1000, both whole numbers")
        return json_response({what: found[0], "next_offset": found[1]})

    async def _shipments(self, request: web.BaseRequest, ident: str) -> web.Response:
        order = self.market.orders.get(ident)
        if order is None:
            return problem_response(404, "Not found", "no order has this id")
        if request.method == "GET":
            return json_response({"order": ident, "shipments": self.shipments.of_order(ident)})
        if request.method != "POST":
            return problem_response(405, "Not allowed", "GET the order's shipments or POST one")
        body = await request.read()
        if len(body) > MAX_BODY:
            return problem_response(413, "Too large", "a request holds at most 1 MB")
        try:
            sent = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return problem_response(400, "Bad request", "the body is a shipment in JSON")
        status, made, errors = self.shipments.file(order, sent)
        if errors:
            title = "Conflict" if status == 409 else "Refused"
            self.books.bump("shipments.conflicts" if status == 409 else "shipments.refused")
            return problem_response(status, title, errors[0]["message"], errors=errors)
        if status == 200:
            self.books.bump("shipments.again")
        return json_response(self.shipments.shown(made), status)

    def counts(self) -> dict[str, Any]:
        orders = self.market.orders.values()
        return {
            "requests": self.requests,
            "orders": len(self.market.orders),
            "cancelled": sum(1 for order in orders if order["status"] == "cancelled"),
            "shipments": len(self.shipments.rows),
            "skus_told": len(self.market.shown),
            "units_sold": sum(self.books.table("sold").values()),
            "units_cancelled": sum(self.books.table("cancelled").values()),
            "units_refused": sum(self.books.table("refused").values()),
            "counters": self.books.counters,
            "events": self.emitter.counts(),
        }

    async def control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        match method, tail:
            case "GET", "orders":
                return {"orders": list(self.market.orders.values())}
            case "GET", "availability":
                return {"availability": [self._told(sku) for sku in sorted(self.market.shown)]}
            case "GET", "prices":
                return {"prices": [shown_price(self.market, sku) for sku in sorted(self.market.prices)]}
            case "POST", "price":
                return self._misprice(msgspec.json.decode(await request.read(), type=PriceRequest))
            case "GET", "shipments":
                return {"shipments": [{"order": row["order"], **self.shipments.shown(i)} for i, row in self._filed()]}
            case "GET", "sales":
                return {table: self.books.table(table) for table in ("sold", "cancelled", "refused")}
            case "GET", "carts":
                return {"carts": list(self.books.table("carts").values())}
            case "GET", "deliveries":
                return {"deliveries": [{**row, "body": ""} for row in self.books.table("deliveries").values()]}
            case "GET", "subscriptions":
                return {"subscriptions": self.emitter.subscriptions}
            case "POST", "subscriptions":
                self.emitter.subscriptions.append(msgspec.json.decode(await request.read(), type=Subscription))
                return {"subscriptions": self.emitter.subscriptions}
            case "POST", "sell":
                wanted = msgspec.json.decode(await request.read() or b"{}", type=SellRequest)
                plan = make_plan(wanted, self.catalog)
                return self.runs.start("sell", wanted.count, lambda run: self.seller.stream(run, wanted, plan))
            case "POST", "show":
                return self._misshow(msgspec.json.decode(await request.read(), type=ShowRequest))
            case "POST", "cancel":
                return self._cancel(msgspec.json.decode(await request.read(), type=CancelRequest).orders)
        return self.runs.find(tail.removeprefix("runs/")) if tail.startswith("runs/") else None

    def _misshow(self, wanted: ShowRequest) -> dict[str, Any]:
        if wanted.sku not in self.market.shown:
            raise ControlError(f"{wanted.sku!r} was never told")
        self.market.misshow(wanted.sku, wanted.available)
        return shown(self.market, wanted.sku)

    def _misprice(self, wanted: PriceRequest) -> dict[str, Any]:
        if wanted.sku not in self.market.products:
            raise ControlError(f"{wanted.sku!r} is not listed")
        self.market.misprice(wanted.sku, wanted.price)
        return shown_price(self.market, wanted.sku)

    def _filed(self) -> list[tuple[str, dict[str, Any]]]:
        return list(self.shipments.rows.items())

    def _told(self, sku: str) -> dict[str, Any]:
        times = self.market.shown[sku]["times"]
        return {**shown(self.market, sku), "times": times, "tellings": self.market.tellings(sku)}

    def _cancel(self, orders: list[str]) -> dict[str, Any]:
        unknown = [ident for ident in orders if ident not in self.market.orders]
        if unknown:
            raise ControlError(f"no order has the id {unknown[0]!r}")
        return {"orders": [self.market.cancel(ident) for ident in orders]}
