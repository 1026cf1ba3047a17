# SPDX-License-Identifier: Apache-2.0
"""The gateway role: webhooks, API and console over HTTP."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Protocol

import asyncpg
import structlog
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from litestar.datastructures import State

from crossdock.api.access_table import is_open
from crossdock.api.conditional import conditional
from crossdock.api.contract import openapi
from crossdock.api.door import Door
from crossdock.api.orders import OrdersHandler
from crossdock.api.plain import App
from crossdock.api.problems import EXCEPTION_HANDLERS
from crossdock.api.reservations import ReservationsHandler
from crossdock.api.returns import ReturnsHandler
from crossdock.api.route_life import Endings, endings_of
from crossdock.api.route_watch import RouteWatch
from crossdock.api.routes import routes as api_routes
from crossdock.api.subscription_body import ANYWHERE_PUBLIC, Outward
from crossdock.app.access import Access, access_of
from crossdock.app.hosts import answering_to, answers_to, own_names
from crossdock.app.master import master_routes
from crossdock.app.metrics import received, reservation_call
from crossdock.app.orders import Orders
from crossdock.app.stock import Stock
from crossdock.app.usage import CallCounts
from crossdock.app.waking import Waker
from crossdock.app.wiring import Wired, hook_routes, reach_of, source_of
from crossdock.console.routes import routes as console_routes
from crossdock.errors import EngineAway
from crossdock.intake.hooks import PREFIX, HookIntake, Receive, Scope, Send
from crossdock.inventory.reserve import Reserving
from crossdock.inventory.view import StockView
from crossdock.journal.keep import Keeper, count_rejections
from crossdock.runtime.clock import now
from crossdock.runtime.embedded.state import Endpoints
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import away, open_pool, retrying
from crossdock.sdk.receiving import Incoming, KeepResult

BATCH = 200
# Two commits at a time: one is encoded while the other is written; more only make each smaller.
PARALLEL = 2
MOST_WAITING_BYTES = 128 * 1024 * 1024
# Requests leave no cycles behind; the collector is there for what console and API may leave.
COLLECT = (20_000, 20, 20)
MOST_BODY = 10 * 1024 * 1024
REJECTIONS_SECONDS = 1.0
_RESOURCE = re.compile(r"/v1/([a-z]+)(?:[/:]|$)")

log = structlog.get_logger(__name__)


class Closable(Protocol):
    """What is closed when a gateway ends."""

    async def close(self) -> None:
        """End what it does and let go of what it holds."""


class Front:
    """The ASGI application: the hottest routes are answered here, everything else by Litestar.

    `hot`: who answers `/v1/NAME`, everything below it and its actions (`/v1/NAME:ACTION`), by NAME. `door`: stands
    before all that is not open; None: nobody is asked who they are. `watch`: behind it, before all of /v1; it counts.
    Webhooks are judged by their signature.
    """

    def __init__(
        self,
        hooks: HookIntake,
        rest: Litestar,
        hot: Mapping[str, App] = MappingProxyType({}),
        door: Door | None = None,
        watch: RouteWatch | None = None,
    ) -> None:
        self._hooks = hooks
        self._rest = rest
        self._hot = hot
        routed = conditional(self._routed)
        self._watched = watch.before(routed) if watch is not None else routed
        self._door = door.before(self._inside) if door is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(PREFIX):
                return await self._hooks(scope, receive, send)
            if self._door is not None and not is_open(path):
                return await self._door(scope, receive, send)
        return await self._inside(scope, receive, send)

    def _inside(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            return self._watched(scope, receive, send)
        return self._rest(scope, receive, send)  # type: ignore[arg-type]  # ASGI's own loose types

    def _routed(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        resource = _RESOURCE.match(scope["path"])
        if resource is not None and (app := self._hot.get(resource[1])) is not None:
            return app(scope, receive, send)
        return self._rest(scope, receive, send)  # type: ignore[arg-type]  # ASGI's own loose types


async def run_gateway(stop: asyncio.Event, wired: Wired, endpoints: Endpoints, host: str, port: int) -> None:
    """Serve until `stop` is set: requests under way are answered, what was acknowledged is committed."""
    pool = await retrying(
        lambda: open_pool(endpoints.database_url, min_size=1, max_size=12, name="crossdock-gateway"), patience=60.0
    )
    bus = await Bus.connect(endpoints.nats_url, patience=2.0, or_later=True, name="crossdock-gateway")
    keeper = Keeper(pool)
    commit = GroupCommit(
        _flush(keeper, bus), max_batch=BATCH, parallel=PARALLEL, max_waiting=MOST_WAITING_BYTES, weigh=_weight
    )
    hooks = HookIntake(hook_routes(wired), commit, now, received)
    stock = Stock(wired, pool, bus)
    reserving = Reserving(pool, stock.rules, stock.catalog)
    reservations = ReservationsHandler(reserving, pool, stock.rules, _counted(Waker(bus, "scheduler")))
    orders = Orders(wired, pool, commit, stock)
    apps: dict[str, App] = {
        "availability": stock.handler,
        "orders": orders.handler,
        "returns": orders.returns,
        "reservations": reservations,
    }
    hot = answering_as(host, {**apps, **master_routes(wired.estate, orders.memory, pool)})
    access = access_of(wired, pool)
    endings, counts = endings_of(wired.estate.declared), CallCounts(pool)
    running: list[CallCounts | Access] = [counts, *([] if access is None else [access])]
    ready = [stock.problem, orders.problem, *([] if access is None else [access.problem])]
    rest = web(pool, host, stock.view, ready, Outward(reach_of(wired), source_of(wired)), endings)
    server = Server(
        Front(hooks, rest, hot, None if access is None else access.door, RouteWatch(counts.tally, endings)),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        log_access=False,
        websockets=False,
        backlog=1024,
    )
    _spare_the_collector()
    serving = asyncio.create_task(server.serve())
    beside = [
        asyncio.create_task(work)
        for work in (
            _count_rejections(pool, hooks, orders.handler, orders.returns),
            stock.remember(),
            orders.remember(),
        )
    ]
    for one in running:
        one.start()
    log.info("gateway.listens", host=host, port=port)
    try:
        await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        server.stop()  # type: ignore[no-untyped-call]  # granian's embedded server is not annotated
        await serving
    finally:
        for task in beside:
            task.cancel()
        feed = getattr(rest.state, "console_feed", None)
        # What was acknowledged is committed before counts are told.
        await close_all(commit, reservations, keeper, *running, *([] if feed is None else [feed]), bus, pool)


async def close_all(*those: Closable) -> None:
    """Close each of `those`, in this order, whatever came of those before it; then their errors are raised."""
    async with AsyncExitStack() as closing:
        for one in reversed(those):
            closing.push_async_callback(one.close)


def answering_as(host: str, apps: Mapping[str, App]) -> dict[str, App]:
    """`apps` by name, for who listens on `host`."""
    names = own_names(host)
    return {name: answering_to(names, app) for name, app in apps.items()}


def _spare_the_collector() -> None:
    """What is there when serving begins stays: requests need not have it looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


def web(
    pool: asyncpg.Pool,
    host: str,
    stock: StockView | None = None,
    ready: Sequence[Callable[[], str]] = (),
    outward: Outward = ANYWHERE_PUBLIC,
    endings: Endings = MappingProxyType({}),
) -> Litestar:
    """API and console as a Litestar application on `pool`; listening on a loopback `host` it answers loopback names.

    `stock`: the view of stock that is kept up; the console explains numbers by its rules and figures. `ready`: each
    says what is not ready yet, "" when it is; /readyz tells. `outward`: where webhooks may be sent. `endings`: routes
    that end, which the contract tells.
    """
    names = own_names(host)
    return Litestar(
        route_handlers=[*api_routes(), *console_routes()],
        guards=[answers_to(names)] if names is not None else [],
        state=State({"pool": pool, "stock_view": stock, "ready": ready, "outward": outward, "endings": endings}),
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=openapi(),
        request_max_body_size=MOST_BODY,
        # Ours is set up already, and hides credentials; the framework's own would take its place.
        logging_config=None,
    )


def _counted(relay: Waker) -> Callable[[str, str], None]:
    """Counts calls about reservations; one that moved stock has made an event to be relayed."""

    def counted(verb: str, outcome: str) -> None:
        reservation_call(verb, outcome)
        if outcome == "done" and verb != "read":
            relay.soon()

    return counted


def _weight(item: Incoming) -> int:
    return len(item.body)


def _flush(keeper: Keeper, bus: Bus) -> Callable[[list[Incoming]], Awaitable[list[KeepResult]]]:
    workers = Waker(bus, "worker")

    async def flush(batch: list[Incoming]) -> list[KeepResult]:
        kept = await keeper.keep(batch)
        workers.soon()
        return kept

    return flush


async def _count_rejections(pool: asyncpg.Pool, *doors: HookIntake | OrdersHandler | ReturnsHandler) -> None:
    while True:
        await asyncio.sleep(REJECTIONS_SECONDS)
        for door in doors:
            batch, door.rejections = door.rejections, []
            try:
                with away():
                    await count_rejections(pool, batch)
            except EngineAway as error:
                door.rejections = batch + door.rejections
                log.warning("gateway.rejections_wait", count=len(batch), reason=str(error))
