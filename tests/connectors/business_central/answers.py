# SPDX-License-Identifier: Apache-2.0
"""A company of Business Central that answers what it was told to, in the form of Microsoft's published samples."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from crossdock.connectors.business_central.auth import SCOPE

TENANT = "11111111-2222-4333-8444-555555555555"
COMPANY = "f64eba74-dacd-4854-a584-1834f68cfc3a"
ORDER = "b6f4017a-b749-ee11-ad0b-a1422c0f7f1f"
STANDARD = f"/v2.0/{TENANT}/Sandbox/api/v2.0/companies({COMPANY})"
EXTENSION = f"/v2.0/{TENANT}/Sandbox/api/crossdock/distribution/v1.0/companies({COMPANY})"
EAST = "7f1a2b3c-0000-4000-8000-000000000001"
WEST = "7f1a2b3c-0000-4000-8000-000000000002"
SECRET = "s3cret/with+signs"


class Told(msgspec.Struct):
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Script:
    """Answers in the order they were given in; anything else is answered with 599 and remembered."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.tokens: list[dict[str, list[str]]] = []
        self.token_answers: deque[tuple[int, Any]] = deque()
        self.unexpected: list[str] = []
        # When set, every call but for a token is answered so.
        self.answer_all: tuple[int, bytes] | None = None
        self.url = ""
        self._answers: deque[tuple[str, str, int, Any, dict[str, str]]] = deque()
        self._runner: web.ServerRunner | None = None

    def says(self, call: str, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The next call is `call` ("GET salesOrders", "POST x:salesOrderShipments" for a page of the extension)."""
        method, _, path = call.partition(" ")
        base, tail = (EXTENSION, path[2:]) if path.startswith("x:") else (STANDARD, path)
        self._answers.append((method, f"{base}/{tail}" if tail else base, status, body, headers or {}))

    def refuses(self, call: str, status: int, code: str, message: str = "No.") -> None:
        """The next call is refused in Business Central's envelope."""
        said = f"{message}  CorrelationId:  1c8d41a3-8d1c-4a4e-9e6a-0d6f6e3f7a55."
        self.says(call, {"error": {"code": code, "message": said}}, status)

    @property
    def rest(self) -> list[str]:
        """What was never asked, and what was asked unexpectedly."""
        return [f"{method} {path}" for method, path, *_ in self._answers] + self.unexpected

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.read()
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._token(content)
        if self.answer_all is not None:
            status, given = self.answer_all
            return web.Response(status=status, body=given)
        body = msgspec.json.decode(content) if content else None
        told = Told(request.method, request.path, dict(request.query), dict(request.headers), body)
        self.told.append(told)
        if not self._answers or self._answers[0][:2] != (told.method, told.path):
            self.unexpected.append(f"unexpected {told.method} {request.path_qs}")
            return web.Response(status=599)
        _, _, status, answer, headers = self._answers.popleft()
        if isinstance(answer, bytes):
            return web.Response(status=status, body=answer, headers=headers)
        return web.Response(
            status=status,
            body=b"" if answer is None else msgspec.json.encode(answer),
            headers=headers,
            content_type="application/json",
        )

    def _token(self, content: bytes) -> web.Response:
        self.tokens.append(parse_qs(content.decode()))
        status, answer = self.token_answers.popleft() if self.token_answers else (200, None)
        if answer is None:
            answer = {"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{len(self.tokens)}"}
        return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")


def rows(*values: Any, next_link: str = "") -> dict[str, Any]:
    """A set as OData answers it."""
    answer: dict[str, Any] = {"@odata.context": "$metadata", "value": list(values)}
    return {**answer, "@odata.nextLink": next_link} if next_link else answer


def line(number: int, item: str, quantity: float, **changed: Any) -> dict[str, Any]:
    """Line `number` (1, 2, …) of a sales order, from the published sample."""
    return {
        "@odata.etag": f'W/"line-{number}"',
        "id": f"1e8cb9c0-44e3-ea11-bb43-{number:012d}",
        "documentId": ORDER,
        "sequence": number * 10000,
        "itemId": "0ea6738a-44e3-ea11-bb43-000d3a2feca1",
        "accountId": "00000000-0000-0000-0000-000000000000",
        "lineType": "Item",
        "lineObjectNumber": item,
        "description": f"Article {item}",
        "unitOfMeasureId": "5ca6738a-44e3-ea11-bb43-000d3a2feca1",
        "unitOfMeasureCode": "PCS",
        "quantity": quantity,
        "unitPrice": 10.5,
        "discountAmount": 1,
        "discountPercent": 4.76,
        "shippedQuantity": 0,
        "invoicedQuantity": 0,
        "shipQuantity": quantity,
        "locationId": "00000000-0000-0000-0000-000000000000",
        **changed,
    }


def order(*lines: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A sales order with its lines, from the published sample."""
    return {
        "@odata.etag": 'W/"order-1"',
        "id": ORDER,
        "number": "101005",
        "externalDocumentNumber": "SHOPIFY-US/1",
        "orderDate": "2026-11-23",
        "postingDate": "2026-11-23",
        "customerId": "c04c550b-593f-ee11-be74-6045bdc8c285",
        "customerNumber": "WEB-US",
        "customerName": "Web store",
        "shipToName": "Ada Byron",
        "shipToContact": "",
        "shipToAddressLine1": "1 Main St",
        "shipToAddressLine2": "",
        "shipToCity": "Louisville",
        "shipToCountry": "US",
        "shipToState": "KY",
        "shipToPostCode": "40202",
        "currencyId": "00000000-0000-0000-0000-000000000000",
        "currencyCode": "USD",
        "pricesIncludeTax": False,
        "partialShipping": True,
        "requestedDeliveryDate": "0001-01-01",
        "discountAmount": 0,
        "totalAmountExcludingTax": 40,
        "fullyShipped": False,
        "status": "Draft",
        "lastModifiedDateTime": "2026-11-23T12:00:00.537Z",
        "phoneNumber": "",
        "email": "ada@example.com",
        "salesOrderLines": list(lines),
        **changed,
    }


def settings(url: str, **changed: Any) -> dict[str, Any]:
    """Settings, secrets and names of the company at `url`."""
    return {
        "settings": {
            "url": url,
            "tenant": TENANT,
            "environment": "Sandbox",
            "company": COMPANY,
            "client_id": "app-1",
            "default_customer": "WEB-US",
            "charge_items": {"shipping": "FREIGHT"},
            **changed,
        },
        "secrets": {"client_secret": SECRET},
        "names": {"location": {"DC-EAST": "EAST"}, "unit": {"EA": "PCS", "CS": "BOX"}, "carrier": {"UPS": "UPS-G"}},
    }


def expected_token() -> dict[str, list[str]]:
    """The form that a token is asked for with."""
    return {
        "grant_type": ["client_credentials"],
        "client_id": ["app-1"],
        "client_secret": [SECRET],
        "scope": [SCOPE],
    }
