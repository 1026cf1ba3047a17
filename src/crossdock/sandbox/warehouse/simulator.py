# SPDX-License-Identifier: Apache-2.0
"""The simulated warehouse: the contract's calls, its events, and its control surface."""

from __future__ import annotations

import asyncio
import hmac
import random
import time
from typing import Any

import msgspec
from aiohttp import web

from crossdock.sandbox.catalog import make_catalog
from crossdock.sandbox.emitting import Delivery, Emitter, EmitterRules, Subscription
from crossdock.sandbox.host import ControlError, SimConfig, Simulator, json_response
from crossdock.sandbox.pacing import Pace, Run, Runs
from crossdock.sandbox.problems import Problem, problem_response
from crossdock.sandbox.ratelimit import TokenBucket
from crossdock.sandbox.signing import signed_headers
from crossdock.sandbox.warehouse.accept import MAX_BATCH, Checker
from crossdock.sandbox.warehouse.count import CountRequest, count_stock
from crossdock.sandbox.warehouse.expect import ReceiveRequest, ReturnDesk, shown_return
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from crossdock.sandbox.warehouse.records import Warehouse, shown
from crossdock.sandbox.warehouse.ship import (
    MovementsRequest,
    MoveRequest,
    ShipRequest,
    move_once,
    random_movements,
    ship,
    ship_open,
)

RETRIES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0)
MAX_BODY = 8 * 1024 * 1024


class WarehouseConfig(SimConfig, kw_only=True):
    """`retries` are the seconds before each retry of an event, `time_scale` shortens them, `auto_ship` ships each order
    so many seconds after it came."""

    token: str = "warehouse-token"  # noqa: S105 - a simulator's play token
    secret: str = "whsec_Y3Jvc3Nkb2NrLXNhbmRib3gtd2FyZWhvdXNlLXNlY3JldA=="  # noqa: S105
    subscriptions: tuple[Subscription, ...] = ()
    rate: float = 50.0
    burst: float = 100.0
    retries: tuple[float, ...] = RETRIES
    time_scale: float = 1.0
    event_timeout: float = 5.0
    concurrency: int = 16
    auto_ship: float | None = None
    auto_partial: float = 0.0


class WarehouseSim(Simulator):
    """`async with WarehouseSim(config) as warehouse: warehouse.url`."""

    name = "warehouse"

    def __init__(self, config: WarehouseConfig | None = None) -> None:
        self.config = config or WarehouseConfig()
        super().__init__(self.config)
        self.catalog = make_catalog(self.config.catalog)
        schedule = tuple(seconds * self.config.time_scale for seconds in self.config.retries)
        rules = EmitterRules(schedule, self.config.event_timeout, self.config.concurrency)
        self.emitter = Emitter(self.config.subscriptions, rules, self._sign, self.books, self.faults)
        self.warehouse = Warehouse(self.books, self.catalog, self.emitter)
        self.checker = Checker(self.catalog)
        self.desk = ReturnDesk(self.warehouse, self.checker)
        self.runs = Runs()
        self.rng = random.Random(self.config.seed)
        self._bucket = TokenBucket(self.config.rate, self.config.burst)
        self._shipper: asyncio.Task[None] | None = None

    async def opened(self) -> None:
        await self.emitter.start()
        if self.config.auto_ship is not None:
            self._shipper = asyncio.create_task(self._ship_after(self.config.auto_ship))

    async def closing(self) -> None:
        await self.runs.stop()
        if self._shipper is not None:
            self._shipper.cancel()
            await asyncio.gather(self._shipper, return_exceptions=True)
        await self.emitter.stop()

    def reset(self) -> None:
        super().reset()
        self.emitter.clear()
        self.warehouse.seed()

    def _sign(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        signed = body + b" " if delivery.forge else body
        return signed_headers(self.config.secret, delivery.id, int(time.time()), signed)

    def failure(self, status: int, request: web.BaseRequest) -> web.Response:
        return problem_response(status, "Server error", "the warehouse could not answer")

    async def throttled(self, request: web.BaseRequest) -> web.Response:
        return problem_response(429, "Too many requests", "try again after the given seconds", {"Retry-After": "1"})

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.config.token}".encode()):
            return problem_response(401, "Unauthorized", "send Authorization: Bearer with the token of this warehouse")
        if not self._bucket.take():
            return await self.throttled(request)
        path = request.path.removeprefix("/api/v1")
        if request.method == "POST" and path == "/fulfillment-orders:batch":
            return await self._create(request)
        if request.method == "GET" and path == "/fulfillment-orders":
            return self._look_up(request)
        if request.method == "GET" and path == "/stock":
            return self._stock(request)
        if path == "/returns" or path.startswith("/returns/"):
            return await self._returns(request, path.strip("/").split("/")[1:])
        parts = path.strip("/").split("/")
        if parts[0] == "fulfillment-orders" and len(parts) in (2, 3):
            return self._one(request.method, parts)
        return problem_response(404, "Not found", f"no {request.method} {request.path}")

    async def _create(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if len(body) > MAX_BODY:
            return problem_response(413, "Too large", "a request holds at most 8 MB")
        try:
            orders = msgspec.json.decode(body)["fulfillment_orders"]
        except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
            return problem_response(400, "Bad request", "the body is an object with the array fulfillment_orders")
        if not isinstance(orders, list):
            return problem_response(400, "Bad request", "fulfillment_orders is an array")
        if len(orders) > MAX_BATCH:
            return problem_response(
                413, "Too large", f"at most {MAX_BATCH} fulfillment orders a call, {len(orders)} were sent"
            )
        return json_response({"results": [self._take(order) for order in orders]}, 207)

    def _take(self, order: Any) -> dict[str, Any]:
        good, errors = self.checker.check(order)
        if good is None:
            self.books.bump("refused")
            reference = order.get("reference") if isinstance(order, dict) else None
            return _result(reference, 422, None, errors)
        status, ident = self.warehouse.take(good)
        self.books.bump({201: "created", 200: "already_there", 409: "conflicts"}[status])
        if status == 409:
            errors = [
                {"field": "reference", "code": "conflict", "message": "this reference is there with other content"}
            ]
        return _result(good["reference"], status, ident, errors)

    def _look_up(self, request: web.BaseRequest) -> web.Response:
        references = [entry for entry in request.query.get("reference", "").split(",") if entry]
        if not 1 <= len(references) <= MAX_BATCH:
            return problem_response(400, "Bad request", f"give 1 to {MAX_BATCH} references")
        found = [
            self.warehouse.by_reference[entry]
            for entry in dict.fromkeys(references)
            if entry in self.warehouse.by_reference
        ]
        return json_response({"fulfillment_orders": [shown(self.warehouse.orders[ident]) for ident in found]})

    def _one(self, method: str, parts: list[str]) -> web.Response:
        order = self.warehouse.orders.get(parts[1])
        if order is None:
            return problem_response(404, "Not found", "no fulfillment order has this id")
        if method == "GET" and len(parts) == 2:
            return json_response(shown(order))
        if method != "POST" or parts[2:] != ["cancel"]:
            return problem_response(405, "Not allowed", "GET the order or POST to its cancel")
        if order["status"] == "open":
            self.warehouse.set_status(order, "cancelled")
        if order["status"] != "cancelled":
            return problem_response(
                409, "Conflict", f"the fulfillment order is {order['status']} and cannot be cancelled"
            )
        return json_response(shown(order))

    async def _returns(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        if request.method == "GET" and not parts:
            wanted = [entry for entry in request.query.get("reference", "").split(",") if entry]
            found = [held for entry in dict.fromkeys(wanted) if (held := self.desk.of(entry)) is not None]
            return json_response({"returns": [shown_return(held) for held in found]})
        if request.method == "POST" and not parts:
            return await self._expect(request)
        held = self.desk.returns.get(parts[0]) if parts else None
        if held is None:
            return problem_response(404, "Not found", "no return has this id")
        if request.method == "GET" and len(parts) == 1:
            return json_response(shown_return(held))
        if request.method != "POST" or parts[1:] != ["cancel"]:
            return problem_response(405, "Not allowed", "GET the return or POST to its cancel")
        if not self.desk.cancel(held):
            return problem_response(409, "Conflict", f"the return is {held['status']} and cannot be cancelled")
        return json_response(shown_return(held))

    async def _expect(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if len(body) > MAX_BODY:
            return problem_response(413, "Too large", "a request holds at most 8 MB")
        try:
            given = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return problem_response(400, "Bad request", "the body is a return as JSON")
        content, errors = self.desk.check(given)
        if content is None:
            self.books.bump("returns_refused")
            return problem_response(422, "Refused", "the return is not what can be expected", errors=errors)
        status, held = self.desk.take(content)
        if status == 409:
            return problem_response(409, "Conflict", f"reference {content['reference']} is there with other content")
        return json_response(shown_return(held), status)

    def _stock(self, request: web.BaseRequest) -> web.Response:
        try:
            offset, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "500"))
        except ValueError:
            return problem_response(400, "Bad request", "offset and limit are whole numbers")
        if offset < 0 or not 1 <= limit <= 1_000:
            return problem_response(400, "Bad request", "offset is 0 or more, limit 1 to 1000")
        skus = {entry for entry in request.query.get("sku", "").split(",") if entry}
        rows = [
            row
            for row in self._levels()
            if (not skus or row["sku"] in skus) and request.query.get("location", row["location"]) == row["location"]
        ]
        end = offset + limit
        return json_response({"stock": rows[offset:end], "next_offset": end if end < len(rows) else None})

    def _levels(self) -> list[dict[str, str]]:
        rows = []
        for key, level in self.warehouse.stock.items():
            sku, _, place = key.partition("@")
            rows.append(
                {
                    "sku": sku,
                    "location": place,
                    "on_hand": level["on_hand"],
                    "unit": "EA",
                    "updated_at": level["updated_at"],
                }
            )
        return rows

    def counts(self) -> dict[str, Any]:
        statuses: dict[str, int] = {}
        for order in self.warehouse.orders.values():
            statuses[order["status"]] = statuses.get(order["status"], 0) + 1
        return {
            "requests": self.requests,
            "fulfillment_orders": len(self.warehouse.orders),
            "by_status": statuses,
            "shipments": len(self.books.table("shipments")),
            "returns": len(self.desk.returns),
            "counters": self.books.counters,
            "events": self.emitter.counts(),
        }

    async def control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        match method, tail:
            case "GET", "fulfillment_orders":
                return {"fulfillment_orders": [shown(order) for order in self.warehouse.orders.values()]}
            case "GET", "shipments":
                return {"shipments": list(self.books.table("shipments").values())}
            case "GET", "returns":
                return {"returns": [shown_return(held) for held in self.desk.returns.values()]}
            case "POST", "receive":
                return self.desk.receive(msgspec.json.decode(await request.read(), type=ReceiveRequest))
            case "GET", "stock":
                return {"stock": self._levels()}
            case "GET", "deliveries":
                return {"deliveries": [{**row, "body": ""} for row in self.books.table("deliveries").values()]}
            case "POST", "subscriptions":
                self.emitter.subscriptions.append(msgspec.json.decode(await request.read(), type=Subscription))
                return {"subscriptions": self.emitter.subscriptions}
            case "POST", "opening":
                opening = msgspec.json.decode(await request.read() or b"{}", type=OpeningRequest)
                return receive_opening(self.warehouse, opening)
            case "POST", "count":
                return count_stock(self.warehouse, msgspec.json.decode(await request.read(), type=CountRequest))
            case "POST", "movements":
                wanted = msgspec.json.decode(await request.read() or b"{}", type=MovementsRequest)
                return self.runs.start("movements", wanted.count, lambda run: self._stream(run, wanted))
            case "POST", "move":
                return move_once(self.warehouse, msgspec.json.decode(await request.read(), type=MoveRequest))
            case "POST", "ship":
                return ship_open(
                    self.warehouse, msgspec.json.decode(await request.read() or b"{}", type=ShipRequest), self.rng
                )
        return self.runs.find(tail.removeprefix("runs/")) if tail.startswith("runs/") else None

    async def _stream(self, run: Run, wanted: MovementsRequest) -> None:
        skus = wanted.skus or len(self.catalog.products)
        if not 1 <= skus <= len(self.catalog.products) or not 1 <= wanted.batch <= 500:
            raise ControlError(f"skus is 1 to {len(self.catalog.products)}, batch 1 to 500")
        rng = random.Random(wanted.seed)
        pace = Pace(wanted.rate / wanted.batch if wanted.rate else None)
        while run.made < wanted.count:
            movements: list[dict[str, Any]] = []
            while len(movements) < wanted.batch and run.made + len(movements) < wanted.count:
                movements += random_movements(
                    self.warehouse, rng, skus, wanted.count - run.made - len(movements), frozenset(wanted.wanted)
                )
            self.warehouse.tell_movements(movements)
            run.made += len(movements)
            await self.emitter.room()
            await pace.wait()

    async def _ship_after(self, seconds: float) -> None:
        """Ship what has been open for so many seconds; what went in part comes round again."""
        waiting = self.warehouse.waiting
        while True:
            while waiting and time.monotonic() - waiting[0][0] >= seconds:
                _, ident = waiting.popleft()
                order = self.warehouse.orders[ident]
                if order["status"] not in ("open", "partially_shipped"):
                    continue
                status = ship(self.warehouse, order, self.rng, partial=self.rng.random() < self.config.auto_partial)
                if status == "partially_shipped":
                    waiting.append((time.monotonic(), ident))
                await asyncio.sleep(0)
            await asyncio.sleep(min(0.25, max(0.02, seconds / 4)))


def _result(reference: Any, status: int, ident: str | None, errors: list[Problem]) -> dict[str, Any]:
    return {"reference": reference, "status": status, "id": ident, "errors": errors}
