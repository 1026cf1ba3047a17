# SPDX-License-Identifier: Apache-2.0
"""The simulated Business Central environment: token endpoint, API v2.0, the extension's API page, and the control
surface."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import aiohttp
import msgspec
from aiohttp import web

from crossdock.sandbox.business_central.addresses import parse_address
from crossdock.sandbox.business_central.batch import run_batch
from crossdock.sandbox.business_central.check import decode
from crossdock.sandbox.business_central.documents import Documents
from crossdock.sandbox.business_central.extension import Extension
from crossdock.sandbox.business_central.limits import Places, Window
from crossdock.sandbox.business_central.lines import Lines, exact, plain
from crossdock.sandbox.business_central.notify import Notifier, Waits
from crossdock.sandbox.business_central.post import Posting
from crossdock.sandbox.business_central.problems import (
    CREDENTIALS,
    NO_SEGMENT,
    SERVER_ERROR,
    UNAVAILABLE,
    UNKNOWN,
    BusinessCentralError,
    error_response,
)
from crossdock.sandbox.business_central.query import MAX_PAGE, Reader
from crossdock.sandbox.business_central.records import Record, Store, guid_of
from crossdock.sandbox.business_central.route import Call, Reply, Router, Writers
from crossdock.sandbox.business_central.seed import Master
from crossdock.sandbox.business_central.show import OwnBooks
from crossdock.sandbox.business_central.sign_in import GrantError, TokenDesk, grant_refused
from crossdock.sandbox.business_central.stock import Movement, Stock
from crossdock.sandbox.business_central.subscribe import Subscriptions
from crossdock.sandbox.catalog import make_catalog
from crossdock.sandbox.host import ControlError, SimConfig, Simulator, json_response

TOKEN_PATH = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
COMPANY = guid_of("company")


class BusinessCentralConfig(SimConfig, kw_only=True):
    """`clients` are secrets by client id, each with limits of its own: `requests` in `window_seconds`, `concurrency`
    at once, `queue` waiting at most `queue_seconds`. `operation_seconds` is how long a request holds its place.
    Webhooks tell what changed in `gather_seconds`; `time_scale` shortens that and the waits before retries.
    `reserve` lets open order lines reserve stock, `prevent_negative` lets nothing go that is not there."""

    tenant: str = "9506000a-7e4a-4c0d-9a50-c0ffee000001"
    environment: str = "production"
    company_name: str = "CRONUS Crossdock"
    clients: dict[str, str] = msgspec.field(default_factory=lambda: {"crossdock-client": "crossdock-secret"})
    token_seconds: float = 3600.0
    requests: int = 6_000
    window_seconds: float = 300.0
    concurrency: int = 5
    queue: int = 95
    queue_seconds: float = 480.0
    operation_seconds: float = 0.0
    page_size: int = MAX_PAGE
    gather_seconds: float = 30.0
    time_scale: float = 1.0
    event_timeout: float = 5.0
    reserve: bool = False
    prevent_negative: bool = False
    extra_customers: tuple[str, ...] = ("WEB-STORE",)
    extra_items: tuple[str, ...] = ()


class AdjustRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Change what is on hand of `sku` at `location` (its code) by `quantity`, signed."""

    sku: str
    location: str
    quantity: float


class OrderRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A clerk invoices what was shipped of an order, by its number."""

    number: str


class PayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A payment is applied to a posted invoice, by its number; `amount` null: all that is open of it."""

    number: str
    amount: float | None = None


class BusinessCentralSim(Simulator):
    """`async with BusinessCentralSim(config) as erp: erp.url`. `clock` gives seconds since 1970."""

    name = "business_central"

    def __init__(self, config: BusinessCentralConfig | None = None, clock: Callable[[], float] = time.time) -> None:
        self.config = config or BusinessCentralConfig()
        super().__init__(self.config)
        self._clock = clock
        self.limits: dict[str, tuple[Window, Places]] = {}
        """By client, from its first request on."""
        self.store = Store(self.books, clock)
        self.stock = Stock(self.store, reserve=self.config.reserve, prevent_negative=self.config.prevent_negative)
        lines = Lines(self.store, self.stock)
        documents = Documents(self.store, lines, self.config.catalog.currency)
        self.posting = Posting(self.store, self.stock, documents)
        writers = Writers(documents, lines, self.posting, Extension(self.store, self.stock, self.posting))
        self.router = Router(self.store, Reader(self.store, self.config.page_size), writers, lambda: self.url)
        self.subscriptions = Subscriptions(self.store, self.config.event_timeout)
        self.notifier = Notifier(
            self.store, self.subscriptions, self.faults, Waits(self.config.gather_seconds, self.config.time_scale)
        )
        self.desk = TokenDesk(self.books, self.config.clients, self.config.token_seconds, clock)
        self._master = Master(make_catalog(self.config.catalog), self.config.extra_customers, self.config.extra_items)
        self._seed()
        self.store.told = self.notifier.told

    @property
    def company_url(self) -> str:
        """The address that the entity sets are below."""
        return f"{self.url}/v2.0/{self.config.tenant}/{self.config.environment}/api/v2.0/companies({COMPANY})"

    def _seed(self) -> None:
        company: Record = {"id": COMPANY, "name": self.config.company_name, "displayName": self.config.company_name}
        self._master.file(self.store, company)

    def reset(self) -> None:
        super().reset()
        self.store.index()
        self.limits.clear()
        self.notifier.clear()
        self._seed()

    async def opened(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self.config.event_timeout)
        self.subscriptions.session = aiohttp.ClientSession(timeout=timeout)
        self.notifier.start()

    async def closing(self) -> None:
        await self.notifier.stop()
        if self.subscriptions.session is not None:
            await self.subscriptions.session.close()
            self.subscriptions.session = None

    def failure(self, status: int, request: web.BaseRequest) -> web.Response:
        code = UNAVAILABLE if status == 503 else SERVER_ERROR
        return error_response(status, code, "An error occurred while the request was processed.")

    async def throttled(self, request: web.BaseRequest) -> web.StreamResponse:
        return error_response(429, UNKNOWN, "Too many requests reached.")

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = request.rel_url.raw_path
        tenant = TOKEN_PATH.fullmatch(raw)
        if tenant is not None:
            return await self._token(request, unquote(tenant[1]))
        try:
            window, places = self._allowed(request)
            window.take()
            body = decode(await request.read())
            async with places.place():
                if self.config.operation_seconds:
                    await asyncio.sleep(self.config.operation_seconds)
                return _response(await self._answer(request, raw, body))
        except BusinessCentralError as error:
            self.books.bump(f"refused.{error.status}")
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
            return error_response(error.status, error.code, str(error), headers)

    async def _token(self, request: web.BaseRequest, tenant: str) -> web.Response:
        form = dict(parse_qsl((await request.read()).decode("latin-1"), keep_blank_values=True))
        try:
            if request.method != "POST" or tenant != self.config.tenant:
                raise GrantError(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
            return json_response(self.desk.grant(form))
        except GrantError as error:
            self.books.bump("tokens.refused")
            return json_response(grant_refused(error, self._clock()), error.status)

    def _allowed(self, request: web.BaseRequest) -> tuple[Window, Places]:
        client = self.desk.client_of(request.headers.get("Authorization", ""))
        if client is None:
            raise BusinessCentralError(401, CREDENTIALS, "The server has rejected the client credentials.")
        if client not in self.limits:
            window = Window(self.config.requests, self.config.window_seconds, self._clock)
            places = Places(self.config.concurrency, self.config.queue, self.config.queue_seconds)
            self.limits[client] = (window, places)
        return self.limits[client]

    async def _answer(self, request: web.BaseRequest, raw: str, body: dict[str, Any]) -> Reply:
        address = parse_address(raw)
        if (address.tenant, address.environment) != (self.config.tenant, self.config.environment):
            raise BusinessCentralError(404, NO_SEGMENT, f"Environment '{address.environment}' does not exist.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, address, dict(request.query), headers, body)
        first = address.segments[0]
        if len(address.segments) == 1 and first.name == "subscriptions":
            return await self.subscriptions.answer(call)
        if len(address.segments) == 1 and first.name == "$batch" and request.method == "POST":
            return run_batch(call, self.store, self.router.answer)
        return self.router.answer(call)

    def counts(self) -> dict[str, Any]:
        waits = [places.most_waiting for _, places in self.limits.values()]
        own = OwnBooks(self.store).counts()
        told = {"subscriptions": len(self.subscriptions.live()), "notifications": self.notifier.counts()}
        return {
            "requests": self.requests,
            **own,
            **told,
            "most_waiting": max(waits, default=0),
            "counters": self.books.counters,
        }

    async def control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        match method, tail:
            case "POST", "adjust":
                wanted = msgspec.json.decode(await request.read(), type=AdjustRequest)
                return {"on_hand": self.adjust(wanted.sku, wanted.location, wanted.quantity)}
            case "POST", "invoice":
                return self._invoice(msgspec.json.decode(await request.read(), type=OrderRequest).number)
            case "POST", "pay":
                return self._pay(msgspec.json.decode(await request.read(), type=PayRequest))
            case "POST", "notify":
                return {"addresses": self.notifier.release()}
            case "POST", "expire_tokens":
                return {"expired": self.desk.expire()}
        return OwnBooks(self.store).table(tail) if method == "GET" else None

    def adjust(self, sku: str, location: str, quantity: float) -> float | None:
        """A clerk posts an adjustment; what is on hand then. Raises ControlError."""
        kind = "Positive Adjmt." if quantity > 0 else "Negative Adjmt."
        try:
            with self.store.transaction():
                self.stock.move(Movement(sku, location, quantity, kind))
        except BusinessCentralError as error:
            raise ControlError(str(error)) from error
        return self.stock.level(sku, location)

    def _invoice(self, number: str) -> dict[str, Any]:
        order = self.store.one("salesOrders", "number", number)
        if order is None:
            raise ControlError(f"there is no open sales order {number}")
        lines = self.store.lines("salesOrderLines", order["id"])
        shipped = {line["id"]: line["shippedQuantity"] - line["invoicedQuantity"] for line in lines}
        if not any(shipped.values()):
            raise ControlError(f"of sales order {number} nothing is shipped and not invoiced")
        with self.store.transaction():
            return {"invoice": self.posting.invoice(order, shipped)}

    def _pay(self, wanted: PayRequest) -> dict[str, Any]:
        invoice = self.store.one("salesInvoices", "number", wanted.number)
        if invoice is None or invoice["status"] != "Open":
            raise ControlError(f"there is no open posted invoice {wanted.number}")
        remaining = exact(invoice["remainingAmount"])
        paid = remaining if wanted.amount is None else exact(wanted.amount)
        if not 0 < paid <= remaining:
            raise ControlError(f"{paid} is not within the {remaining} that are open")
        left = remaining - paid
        with self.store.transaction():
            status = "Open" if left else "Paid"
            return {"invoice": self.store.change("salesInvoices", invoice, remainingAmount=plain(left), status=status)}


def _response(reply: Reply) -> web.Response:
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    headers = {"OData-Version": "4.0", **reply.headers}
    return json_response(reply.body, reply.status, headers)
