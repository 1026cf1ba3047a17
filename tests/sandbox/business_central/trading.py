# SPDX-License-Identifier: Apache-2.0
"""A signed-in session against a simulated environment, and bodies that the tests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

from crossdock.sandbox.business_central import BusinessCentralSim
from crossdock.sandbox.business_central.records import guid_of

SCOPE = "https://api.businesscentral.dynamics.com/.default"
COMPANY = guid_of("company")
EAST = guid_of("location/DC-EAST")
WEST = guid_of("location/DC-WEST")


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        assert self.status == 200, self.body
        rows: list[dict[str, Any]] = self.body["value"]
        return rows

    def ok(self, status: int = 200) -> Any:
        assert self.status == status, (self.status, self.body)
        return self.body


@dataclass
class Trader:
    http: aiohttp.ClientSession
    sim: BusinessCentralSim
    token: str

    def url(self, path: str) -> str:
        root = f"{self.sim.url}/v2.0/{self.sim.config.tenant}/{self.sim.config.environment}/api"
        if path.startswith("http"):
            return path
        if path.startswith("/"):
            return root + path
        return f"{root}/v2.0/companies({COMPANY})/{path}"

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`path` is below the company, or with a slash first below `/api`."""
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        async with self.http.request(method, self.url(path), json=body, headers=sent) as answer:
            text = await answer.read()
            told = await answer.json(content_type=None) if text else None
            return Answer(answer.status, told, dict(answer.headers))

    async def extension(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await self(method, f"/crossdock/distribution/v1.0/companies({COMPANY})/{path}", body, **headers)

    async def order(self, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A new order, as it is shown with its lines."""
        made = await self("POST", "salesOrders?$expand=salesOrderLines", order(*lines, **more))
        told: dict[str, Any] = made.ok(201)
        return told

    async def control(self, tail: str, method: str = "GET", body: Any = None) -> Any:
        async with self.http.request(method, f"{self.sim.url}/_sim/{tail}", json=body) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return told


async def ask_token(http: aiohttp.ClientSession, sim: BusinessCentralSim, **more: str) -> Answer:
    form = {
        "grant_type": "client_credentials",
        "client_id": "crossdock-client",
        "client_secret": "crossdock-secret",
        "scope": SCOPE,
        **more,
    }
    async with http.post(f"{sim.url}/{sim.config.tenant}/oauth2/v2.0/token", data=form) as answer:
        return Answer(answer.status, await answer.json(), dict(answer.headers))


async def sign_in(http: aiohttp.ClientSession, sim: BusinessCentralSim, **more: str) -> Trader:
    told = (await ask_token(http, sim, **more)).ok()
    return Trader(http, sim, told["access_token"])


def line(sku: str = "CD-00001", quantity: Any = 2, **more: Any) -> dict[str, Any]:
    return {"lineType": "Item", "lineObjectNumber": sku, "quantity": quantity, "unitPrice": 9.99, **more}


def order(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "customerNumber": "CUST-00001",
        "externalDocumentNumber": "SHOP-1001",
        "salesOrderLines": list(lines) or [line()],
        **more,
    }
