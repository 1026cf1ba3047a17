# SPDX-License-Identifier: Apache-2.0
"""A bearer session against a simulated account, and bodies that the tests share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from crossdock.sandbox.netsuite import NetSuiteConfig, NetSuiteSim, make_certificate
from crossdock.sandbox.netsuite.assertion import ASSERTION_TYPE

KEY, CERTIFICATE = make_certificate()
RECORD = "/services/rest/record/v1"


def config(**more: Any) -> NetSuiteConfig:
    return NetSuiteConfig(certificate=CERTIFICATE, **more)


@dataclass
class Reply:
    status: int
    body: Any
    location: str | None

    @property
    def code(self) -> str:
        return str(self.body["o:errorDetails"][0]["o:errorCode"])

    @property
    def id(self) -> str:
        assert self.status == 204, self.body
        assert self.location is not None
        return self.location.rpartition("/")[2]


@dataclass
class Caller:
    http: aiohttp.ClientSession
    sim: NetSuiteSim
    token: str

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {
            "Authorization": f"Bearer {self.token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        url = self.sim.url + (path if path.startswith("/services") else RECORD + path)
        async with self.http.request(method, url, json=body, headers=sent) as answer:
            text = await answer.read()
            content = None if not text else await answer.json(content_type=None)
            return Reply(answer.status, content, answer.headers.get("Location"))

    async def query(self, text: str, tail: str = "") -> Reply:
        return await self("POST", f"/services/rest/query/v1/suiteql{tail}", {"q": text}, Prefer="transient")

    async def rows(self, text: str) -> list[dict[str, Any]]:
        reply = await self.query(text)
        assert reply.status == 200, reply.body
        return [{name: value for name, value in row.items() if name != "links"} for row in reply.body["items"]]

    async def control(self, tail: str) -> Any:
        async with self.http.get(f"{self.sim.url}/_sim/{tail}") as answer:
            return await answer.json()


async def log_in(http: aiohttp.ClientSession, sim: NetSuiteSim) -> Caller:
    now = int(time.time())
    url = f"{sim.url}/services/rest/auth/oauth2/v1/token"
    claims = {"iss": "crossdock-client", "scope": "rest_webservices", "aud": url, "iat": now, "exp": now + 300}
    assertion = jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "crossdock-certificate"})
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    async with http.post(url, data=form) as answer:
        assert answer.status == 200, await answer.text()
        return Caller(http, sim, (await answer.json())["access_token"])


def line(sku: str = "CD-00001", quantity: Any = 2, **more: Any) -> dict[str, Any]:
    return {"item": {"externalId": sku}, "quantity": quantity, "rate": 9.99, **more}


def order(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    items = list(lines) or [line()]
    return {
        "entity": {"externalId": "CUST-00001"},
        "currency": {"id": "1"},
        "otherRefNum": "#1001",
        "item": {"items": items},
        **more,
    }
