# SPDX-License-Identifier: Apache-2.0
"""The simulated NetSuite account: token endpoint, record service, SuiteQL, governance limits, and the control
surface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from aiohttp import web

from crossdock.sandbox.catalog import make_catalog
from crossdock.sandbox.host import ControlError, SimConfig, Simulator, json_response
from crossdock.sandbox.netsuite.assertion import GrantError, TokenDesk
from crossdock.sandbox.netsuite.billing import Biller
from crossdock.sandbox.netsuite.fields import RECORDS
from crossdock.sandbox.netsuite.goods_return import ReturnMaker
from crossdock.sandbox.netsuite.problems import NetSuiteError, error_response
from crossdock.sandbox.netsuite.records import Account, Record
from crossdock.sandbox.netsuite.show import show
from crossdock.sandbox.netsuite.suiteql import run_query
from crossdock.sandbox.netsuite.tba import SignatureRefused, TokenAuth
from crossdock.sandbox.netsuite.transform import Transformer
from crossdock.sandbox.netsuite.validate import BodyCheck
from crossdock.sandbox.netsuite.write import Writer

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
RECORD_PATH = "/services/rest/record/v1"
QUERY_PATH = "/services/rest/query/v1/suiteql"
LIMITS_PATH = "/services/rest/system/v1/governanceLimits"
MAX_PAGE = 1_000
_RETURNS = frozenset(
    {
        ("salesOrder", "returnAuthorization"),
        ("returnAuthorization", "itemReceipt"),
        ("returnAuthorization", "creditMemo"),
    }
)


class NetSuiteConfig(SimConfig, kw_only=True):
    """`account` is the account id as the realm has it; `concurrency` the calls at once over the whole account;
    `certificate` the
    PEM of the certificate (or public key) mapped to the integration; an empty `consumer_key` switches TBA off."""

    account: str = "TSTDRV9506000"
    concurrency: int = 15
    certificate: str = ""
    certificate_id: str = "crossdock-certificate"
    client_id: str = "crossdock-client"
    token_seconds: float = 3600.0
    consumer_key: str = "consumer-key"
    consumer_secret: str = "consumer-secret"  # noqa: S105 - a simulator's play secrets
    token_id: str = "token-id"  # noqa: S105
    token_secret: str = "token-secret"  # noqa: S105
    ship_status: str = "A"
    extra_customers: tuple[str, ...] = ("WEB-STORE",)
    extra_items: tuple[str, ...] = ()
    custom_fields: tuple[str, ...] = ()


class AdjustRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Change what is on hand of `sku` at `location` (its code) by `quantity`, signed."""

    sku: str
    location: str
    quantity: float


class BillingRun(msgspec.Struct, forbid_unknown_fields=True):
    """Bill sales orders by internal id; none: every one of which something is to bill."""

    orders: tuple[str, ...] = ()


class PayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Pay an invoice by internal id, "": every open one; `amount` null: all that is open of it."""

    invoice: str = ""
    amount: float | None = None


class VoidRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Void an invoice by internal id."""

    invoice: str


class NetSuiteSim(Simulator):
    """`async with NetSuiteSim(config) as account: account.url`."""

    name = "netsuite"

    def __init__(self, config: NetSuiteConfig | None = None) -> None:
        self.config = config or NetSuiteConfig()
        super().__init__(self.config)
        self.account = Account(
            self.books, make_catalog(self.config.catalog), self.config.extra_customers, self.config.extra_items
        )
        self.desk = TokenDesk(
            self.books,
            certificate=self.config.certificate,
            certificate_id=self.config.certificate_id,
            client_id=self.config.client_id,
            token_seconds=self.config.token_seconds,
        )
        self.signed = TokenAuth(
            realm=self.config.account,
            consumer_key=self.config.consumer_key,
            consumer_secret=self.config.consumer_secret,
            token_id=self.config.token_id,
            token_secret=self.config.token_secret,
        )
        self.writer = Writer(self.account)
        self.transformer = Transformer(self.account, self.config.ship_status)
        self.returns = ReturnMaker(self.account)
        self.billing = Biller(self.account)
        self.running = 0
        self.most_running = 0

    def reset(self) -> None:
        super().reset()
        self.account.seed()

    def admit(self, request: web.BaseRequest) -> web.Response | None:
        if self.running >= self.config.concurrency and request.path != TOKEN_PATH:
            self.books.bump("concurrency_refused")
            return _too_many()
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        return None

    def release(self, request: web.BaseRequest) -> None:
        self.running -= 1

    def failure(self, status: int, request: web.BaseRequest) -> web.Response:
        return error_response(status, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: sandbox")

    async def throttled(self, request: web.BaseRequest) -> web.StreamResponse:
        return _too_many()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == TOKEN_PATH:
            return await self._token(request)
        try:
            self._authenticate(request)
            return await self._serve(request)
        except NetSuiteError as error:
            self.books.bump("refused")
            return error_response(error.status, error.code, str(error), error.path)

    async def _token(self, request: web.BaseRequest) -> web.Response:
        form = dict(parse_qsl((await request.read()).decode("latin-1"), keep_blank_values=True))
        host = self.config.account.lower().replace("_", "-")
        audiences = frozenset({self.url + TOKEN_PATH, f"https://{host}.suitetalk.api.netsuite.com{TOKEN_PATH}"})
        if request.method != "POST":
            return json_response({"error": "invalid_request", "error_description": "POST the form"}, 405)
        try:
            return json_response(self.desk.grant(form, audiences))
        except GrantError as error:
            return json_response({"error": error.code, "error_description": str(error)}, 400)

    def _authenticate(self, request: web.BaseRequest) -> None:
        header = request.headers.get("Authorization", "")
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer" and self.desk.knows(rest.strip()):
            return
        if scheme.lower() == "oauth" and self.config.consumer_key:
            base = f"{request.scheme}://{request.host}{request.rel_url.raw_path}"
            try:
                self.signed.check(request.method, base, request.rel_url.raw_query_string, header)
            except SignatureRefused as error:
                self.books.bump("login_refused")
                raise NetSuiteError(401, "INVALID_LOGIN", f"Invalid login attempt. ({error})") from error
            return
        self.books.bump("login_refused")
        raise NetSuiteError(401, "INVALID_LOGIN", "Invalid login attempt. The token is missing, unknown or expired.")

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        if path == QUERY_PATH and request.method == "POST":
            return await self._query(request)
        if path == LIMITS_PATH and request.method == "GET":
            limits = {
                "accountConcurrencyLimit": self.config.concurrency,
                "accountUnallocatedConcurrencyLimit": self.config.concurrency,
            }
            return json_response({"links": [], **limits, "integrationConcurrencyLimits": []})
        if not path.startswith(RECORD_PATH + "/"):
            raise NetSuiteError(404, "INVALID_URL", "No service is at this address.")
        parts = [unquote(part) for part in request.rel_url.raw_path.removeprefix(RECORD_PATH + "/").split("/")]
        if parts[0] not in RECORDS:
            raise NetSuiteError(
                404, "NONEXISTENT_RECORD_TYPE", f"Record type '{parts[0]}' does not exist (or is not simulated)."
            )
        if request.headers.get("Prefer", "").lower() == "respond-async":
            raise NetSuiteError(400, "INVALID_HEADER", "Asynchronous calls are not simulated.")
        return await self._record(request, parts)

    async def _record(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        kind = parts[0]
        match request.method, parts[1:]:
            case "GET", []:
                return self._list(request, kind)
            case "POST", [] if kind == "customerDeposit":
                return self._made(kind, self.billing.deposit(await self._body(request, kind)))
            case "POST", [key, "!transform", "invoice"] if kind == "salesOrder":
                order = self.account.get(kind, key)
                return self._made("invoice", self.billing.invoice(order, await self._body(request, "invoice")))
            case "POST", []:
                return self._made(kind, self.writer.create(kind, await self._body(request, kind)))
            case "GET", [key]:
                return self._show(request, kind, self.account.get(kind, key))
            case "PUT", [key] if key.startswith("eid:") and len(key) > 4:
                return await self._upsert(request, kind, key)
            case "PATCH", [key]:
                record = self.account.get(kind, key)
                return self._made(kind, self._update(kind, record, await self._body(request, kind), _replaced(request)))
            case "DELETE", [key]:
                self.account.remove(kind, self.account.get(kind, key))
                return web.Response(status=204)
            case "POST", [key, "!transform", "itemFulfillment"] if kind == "salesOrder":
                body = await self._body(request, "itemFulfillment")
                made = self.transformer.fulfill(self.account.get(kind, key), body)
                return self._made("itemFulfillment", made)
            case "POST", [key, "!transform", target] if (kind, target) in _RETURNS:
                made = self._return(kind, target, key, await self._body(request, target), _replaced(request))
                return self._made(target, made)
        raise NetSuiteError(405, "METHOD_NOT_ALLOWED", f"{request.method} is not allowed (or not simulated) here.")

    def _return(self, kind: str, target: str, key: str, body: dict[str, Any], replaced: frozenset[str]) -> Record:
        source, whole = self.account.get(kind, key), "item" in replaced
        if target == "returnAuthorization":
            return self.returns.authorize(source, body, replaced=whole)
        if target == "itemReceipt":
            return self.returns.receive(source, body)
        return self.returns.credit(source, body, replaced=whole)

    async def _upsert(self, request: web.BaseRequest, kind: str, key: str) -> web.Response:
        body = await self._body(request, kind)
        body["externalId"] = key.removeprefix("eid:")
        record = self.account.find(kind, key)
        if record is None:
            return self._made(kind, self.writer.create(kind, body))
        return self._made(kind, self._update(kind, record, body, _replaced(request)))

    def _update(self, kind: str, record: Record, body: dict[str, Any], replaced: frozenset[str]) -> Record:
        if kind == "returnAuthorization" and set(body) == {"item"}:
            return self.returns.close(record, body["item"])
        if kind == "itemFulfillment" and isinstance(body.get("shipStatus"), dict):
            body["shipStatus"] = body["shipStatus"]["id"]
        changed = self.writer.update(kind, record, body, replaced)
        if kind == "itemFulfillment":
            self.transformer.relieve(changed)
        return changed

    async def _body(self, request: web.BaseRequest, kind: str) -> dict[str, Any]:
        try:
            given = msgspec.json.decode(await request.read() or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NetSuiteError(400, "INVALID_CONTENT", f"The request body is not valid JSON: {error}") from error
        strict = request.headers.get("X-NetSuite-PropertyNameValidation", "Warning").lower() == "error"
        check = BodyCheck(kind, strict=strict, custom_fields=frozenset(self.config.custom_fields))
        cleaned = check.clean(given)
        if check.dropped:
            self.books.bump("fields_dropped", len(check.dropped))
        return cleaned

    def _made(self, kind: str, record: Record) -> web.Response:
        return web.Response(status=204, headers={"Location": f"{self.url}{RECORD_PATH}/{kind}/{record['id']}"})

    def _show(self, request: web.BaseRequest, kind: str, record: Record) -> web.Response:
        expand = request.query.get("expandSubResources", "false").lower() == "true"
        fields = frozenset(request.query["fields"].split(",")) if "fields" in request.query else None
        return json_response(show(kind, record, self.url + RECORD_PATH, expand=expand, fields=fields))

    def _list(self, request: web.BaseRequest, kind: str) -> web.Response:
        if "q" in request.query:
            raise NetSuiteError(400, "INVALID_PARAMETER", "Filtering with q is not simulated; use SuiteQL.")
        base = f"{self.url}{RECORD_PATH}/{kind}"
        rows = list(self.account.all(kind))
        return _page(request, rows, lambda ident: {"links": [{"rel": "self", "href": f"{base}/{ident}"}], "id": ident})

    async def _query(self, request: web.BaseRequest) -> web.Response:
        if request.headers.get("Prefer", "").lower() != "transient":
            raise NetSuiteError(
                400, "INVALID_HEADER", "The required request header 'Prefer' is missing or not 'transient'."
            )
        try:
            text = msgspec.json.decode(await request.read(), type=dict[str, str])["q"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
            raise NetSuiteError(400, "INVALID_CONTENT", 'The body must be {"q": "..."}.') from error
        return _page(request, run_query(self.account, text), lambda row: row)

    def counts(self) -> dict[str, Any]:
        external = self.books.table("created_by_external_id")
        other = self.books.table("created_by_other_ref")
        return {
            "requests": self.requests,
            "sales_orders": len(self.account.all("salesOrder")),
            "item_fulfillments": len(self.account.all("itemFulfillment")),
            "return_authorizations": len(self.account.all("returnAuthorization")),
            "item_receipts": len(self.account.all("itemReceipt")),
            "credit_memos": len(self.account.all("creditMemo")),
            "invoices": len(self.account.all("invoice")),
            "customer_payments": len(self.account.all("customerPayment")),
            "customer_deposits": len(self.account.all("customerDeposit")),
            "created_more_than_once_by_external_id": sum(1 for made in external.values() if len(made) > 1),
            "created_more_than_once_by_other_ref": sum(1 for made in other.values() if len(made) > 1),
            "most_calls_at_once": self.most_running,
            "counters": self.books.counters,
        }

    async def control(self, method: str, tail: str, request: web.BaseRequest) -> Any:
        tables = {
            "sales_orders": "salesOrder",
            "item_fulfillments": "itemFulfillment",
            "return_authorizations": "returnAuthorization",
            "item_receipts": "itemReceipt",
            "credit_memos": "creditMemo",
            "invoices": "invoice",
            "customer_payments": "customerPayment",
            "customer_deposits": "customerDeposit",
            "customers": "customer",
            "items": "inventoryItem",
        }
        if (method, tail) == ("POST", "adjust"):
            wanted = msgspec.json.decode(await request.read(), type=AdjustRequest)
            return {"on_hand": self.account.adjust(wanted.sku, wanted.location, wanted.quantity)}
        if method == "POST":
            try:
                return self._account_for(tail, await request.read() or b"{}")
            except NetSuiteError as error:
                raise ControlError(str(error)) from error
        if tail in tables:
            return {tail: list(self.account.all(tables[tail]).values())}
        if tail == "creations":
            return {
                "by_external_id": self.books.table("created_by_external_id"),
                "by_other_ref": self.books.table("created_by_other_ref"),
            }
        return {"relieved": self.books.table("relieved")} if tail == "relieved" else None

    def _account_for(self, tail: str, body: bytes) -> Any:
        """What an accountant does by hand: a billing run, payments, voiding."""
        match tail:
            case "billing_run":
                return {"invoices": self.billing.run(msgspec.json.decode(body, type=BillingRun).orders)}
            case "payments":
                wanted = msgspec.json.decode(body, type=PayRequest)
                every = list(self.account.all("invoice").values())
                chosen = [self.account.get("invoice", wanted.invoice)] if wanted.invoice else every
                paid = [one for one in chosen if wanted.invoice or one["status"] == "A"]
                return {"payments": [self.billing.pay(one, wanted.amount) for one in paid]}
            case "void":
                ident = msgspec.json.decode(body, type=VoidRequest).invoice
                return {"invoice": self.billing.void(self.account.get("invoice", ident))}
        return None


def _replaced(request: web.BaseRequest) -> frozenset[str]:
    return frozenset(part.strip() for part in request.query.get("replace", "").split(",") if part.strip())


def _too_many() -> web.Response:
    detail = "Your concurrency limit has been exceeded. Try again when a running request has ended."
    return error_response(429, "CONCURRENCY_LIMIT_EXCEEDED", detail)


def _page(request: web.BaseRequest, rows: list[Any], row_of: Callable[[Any], dict[str, Any]]) -> web.Response:
    try:
        limit, offset = int(request.query.get("limit", str(MAX_PAGE))), int(request.query.get("offset", "0"))
    except ValueError as error:
        raise NetSuiteError(400, "INVALID_PARAMETER", "limit and offset are whole numbers.") from error
    if not 1 <= limit <= MAX_PAGE or offset < 0 or offset % limit:
        raise NetSuiteError(400, "INVALID_PARAMETER", f"limit is 1 to {MAX_PAGE} and offset a multiple of limit.")
    items = [row_of(row) for row in rows[offset : offset + limit]]
    return json_response(
        {
            "links": [],
            "count": len(items),
            "hasMore": offset + limit < len(rows),
            "items": items,
            "offset": offset,
            "totalResults": len(rows),
        }
    )
