# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim, notify
from tests.sandbox.business_central.trading import COMPANY, Clock, Trader, line, order, sign_in
from tests.sandbox.inbox import Served


@dataclass
class Subscriber(Served):
    """Shakes hands as long as `polite`, answers notifications with `status(nth)` and keeps them."""

    polite: bool = True
    status: Callable[[int], int] = lambda _number: 200
    got: list[dict[str, Any]] = field(default_factory=list)
    hands: int = 0
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        token = request.query.get("validationToken")
        if token is not None:
            self.hands += 1
            return web.Response(text=token if self.polite else "hello")
        self.got.append(json.loads(await request.read()))
        self._came.set()
        return web.Response(status=self.status(len(self.got)))

    async def wait(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self._came.clear()
                await self._came.wait()
        return self.got


def config(**more: Any) -> BusinessCentralConfig:
    return BusinessCentralConfig(time_scale=0.001, gather_seconds=3_600_000.0, **more)


@pytest_asyncio.fixture
async def fast(http: aiohttp.ClientSession, clock: Clock) -> AsyncIterator[Trader]:
    async with BusinessCentralSim(config(), clock) as sim:
        yield await sign_in(http, sim)


@pytest_asyncio.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with Subscriber() as one:
        yield one


def wanted(url: str, resource: str = "salesOrders", **more: str) -> dict[str, str]:
    resource = f"/api/v2.0/companies({COMPANY})/{resource}"
    return {"notificationUrl": f"{url}/hooks?key=1", "resource": resource, "clientState": "secret", **more}


async def subscribe(erp: Trader, url: str, resource: str = "salesOrders", **more: str) -> dict[str, Any]:
    told: dict[str, Any] = (await erp("POST", "/v2.0/subscriptions", wanted(url, resource, **more))).ok(201)
    return told


async def told(erp: Trader, subscriber: Subscriber, count: int = 1) -> list[dict[str, Any]]:
    """What has come, after what was gathered is sent."""
    assert (await erp.control("notify", "POST"))["addresses"] == 1
    return await subscriber.wait(count)


async def state_of(erp: Trader, state: str) -> None:
    """Wait until a notification has come to this state."""
    async with asyncio.timeout(20):
        while True:
            if (await erp.control("counts"))["notifications"][state]:
                break
            await asyncio.sleep(0.02)


async def test_changes_are_gathered_and_told_without_their_data(fast: Trader, subscriber: Subscriber) -> None:
    made = await subscribe(fast, subscriber.url)
    assert (subscriber.hands, made["clientState"]) == (1, "secret")
    first = (await fast("POST", "salesOrders", order())).ok(201)
    second = (await fast("POST", "salesOrders", order())).ok(201)
    await fast("PATCH", f"salesOrders({first['id']})", {"email": "a@b.example"}, If_Match="*")
    await fast("DELETE", f"salesOrders({second['id']})", If_Match="*")
    await fast("POST", "customers", {"displayName": "Nobody asked"})
    value = (await told(fast, subscriber))[0]["value"]
    assert [(one["changeType"], one["resource"]) for one in value] == [
        ("created", f"api/v2.0/companies({COMPANY})/salesOrders({first['id']})"),
        ("deleted", f"api/v2.0/companies({COMPANY})/salesOrders({second['id']})"),
    ]
    assert {one["subscriptionId"] for one in value} == {made["subscriptionId"]}
    assert {one["clientState"] for one in value} == {"secret"}
    assert set(value[0]) == {
        "subscriptionId",
        "clientState",
        "expirationDateTime",
        "resource",
        "changeType",
        "lastModifiedDateTime",
    }
    await state_of(fast, "acknowledged")


async def test_a_change_of_a_line_is_told_of_the_order(fast: Trader, subscriber: Subscriber) -> None:
    made = await fast.order()
    await subscribe(fast, subscriber.url)
    path = f"salesOrderLines({made['salesOrderLines'][0]['id']})"
    await fast("PATCH", path, {"quantity": 7}, If_Match="*")
    value = (await told(fast, subscriber))[0]["value"]
    assert [(one["changeType"], one["resource"][-38:]) for one in value] == [("updated", f"({made['id']})")]


async def test_subscriptions_of_one_address_share_a_notification(fast: Trader, subscriber: Subscriber) -> None:
    await subscribe(fast, subscriber.url)
    await subscribe(fast, subscriber.url, "customers")
    await fast("POST", "customers", {"displayName": "New"})
    await fast("POST", "salesOrders", order())
    value = (await told(fast, subscriber))[0]["value"]
    assert sorted(one["resource"].split("/")[3].partition("(")[0] for one in value) == ["customers", "salesOrders"]


async def test_very_many_changes_are_one_collection(
    fast: Trader, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "MOST_SINGLE", 3)
    await subscribe(fast, subscriber.url)
    requests = [{"method": "POST", "url": f"companies({COMPANY})/salesOrders", "body": order()}] * 4
    await fast("POST", "/v2.0/$batch", {"requests": requests})
    value = (await told(fast, subscriber))[0]["value"]
    assert [one["changeType"] for one in value] == ["collection"]
    path, _, query = value[0]["resource"].partition("?")
    assert path == f"/api/v2.0/companies({COMPANY})/salesOrders"
    assert query.startswith("$filter=lastModifiedDateTime%20gt%20")


async def test_without_the_handshake_there_is_no_subscription(fast: Trader, subscriber: Subscriber) -> None:
    subscriber.polite = False
    refused = await fast("POST", "/v2.0/subscriptions", wanted(subscriber.url))
    assert (refused.status, subscriber.hands) == (400, 1)
    assert (await fast("POST", "/v2.0/subscriptions", wanted("http://127.0.0.1:9"))).status == 400
    assert (await fast("GET", "/v2.0/subscriptions")).rows == []


async def test_it_ends_after_three_days_unless_renewed(fast: Trader, subscriber: Subscriber, clock: Clock) -> None:
    made = await subscribe(fast, subscriber.url)
    path = f"/v2.0/subscriptions('{made['subscriptionId']}')"
    clock.now += 2 * 86_400
    fast.token = (await sign_in(fast.http, fast.sim)).token
    assert (await fast("PATCH", path, {})).code == "BadRequest_InvalidToken"
    renewed = (await fast("PATCH", path, {"clientState": "new"}, If_Match=made["@odata.etag"])).ok()
    assert subscriber.hands == 2
    assert renewed["expirationDateTime"] > made["expirationDateTime"]
    assert (await fast("DELETE", path, If_Match=made["@odata.etag"])).code == "Request_EntityChanged"
    clock.now += 2 * 86_400
    fast.token = (await sign_in(fast.http, fast.sim)).token
    assert [row["clientState"] for row in (await fast("GET", "/v2.0/subscriptions")).rows] == ["new"]
    clock.now += 86_400
    fast.token = (await sign_in(fast.http, fast.sim)).token
    assert (await fast("GET", path)).code == "BadRequest_NotFound"
    await fast("POST", "salesOrders", order())
    assert (await fast.control("counts"))["notifications"]["gathered"] == 0


async def test_not_everything_can_be_subscribed_to(fast: Trader, subscriber: Subscriber) -> None:
    for body in (
        wanted(subscriber.url, "salesShipments"),
        wanted(subscriber.url, resource="/api/v2.0/companies(0)/salesOrders"),
        wanted(subscriber.url, clientState="x" * 2_049),
        wanted("http://erp.example"),
        {"resource": f"/api/v2.0/companies({COMPANY})/items"},
    ):
        assert (await fast("POST", "/v2.0/subscriptions", body)).status == 400
    assert subscriber.hands == 0
    custom = f"/api/crossdock/distribution/v1.0/companies({COMPANY})/salesOrderShipments"
    body = {"notificationUrl": subscriber.url, "resource": custom}
    assert (await fast("POST", "/v2.0/subscriptions", body)).status == 400
    assert (await fast("POST", "/crossdock/distribution/v1.0/subscriptions", body)).status == 201


async def test_a_busy_subscriber_is_tried_again_with_the_same(fast: Trader, subscriber: Subscriber) -> None:
    subscriber.status = lambda number: {1: 503, 2: 429, 3: 408}.get(number, 202)
    await subscribe(fast, subscriber.url)
    await fast("POST", "salesOrders", order())
    got = await told(fast, subscriber, 4)
    assert got == [got[0]] * 4
    await state_of(fast, "acknowledged")
    assert len((await fast("GET", "/v2.0/subscriptions")).rows) == 1


async def test_any_other_answer_deletes_the_subscription(fast: Trader, subscriber: Subscriber) -> None:
    subscriber.status = lambda _number: 401
    await subscribe(fast, subscriber.url)
    await fast("POST", "salesOrders", order())
    await told(fast, subscriber)
    await state_of(fast, "refused")
    assert (await fast("GET", "/v2.0/subscriptions")).rows == []


async def test_faults_of_notifications(fast: Trader, subscriber: Subscriber) -> None:
    await subscribe(fast, subscriber.url)
    await fast.control("faults", "POST", {"kind": "duplicates", "count": 1, "match": "salesOrders"})
    await fast.control("faults", "POST", {"kind": "bad_signature", "count": 1})
    await fast("POST", "salesOrders", order(line()))
    got = await told(fast, subscriber, 2)
    assert got[0] == got[1]
    assert {one["clientState"] for one in got[0]["value"]} == {"forged"}


async def test_what_was_gathered_is_told_after_a_restart(
    http: aiohttp.ClientSession, subscriber: Subscriber, tmp_path: Path
) -> None:
    state = str(tmp_path / "bc.jsonl")
    async with BusinessCentralSim(config(state=state)) as sim:
        erp = await sign_in(http, sim)
        made = await subscribe(erp, subscriber.url)
        kept = await erp.order()
        assert (await erp.control("counts"))["notifications"]["gathered"] == 1
    async with BusinessCentralSim(config(state=state)) as sim:
        erp = await sign_in(http, sim)
        assert (await erp("GET", f"salesOrders({kept['id']})")).ok()["@odata.etag"] == kept["@odata.etag"]
        assert (await erp.order())["number"] == "S-ORD100002"
        value = (await told(erp, subscriber))[0]["value"]
    assert [one["subscriptionId"] for one in value] == [made["subscriptionId"]] * 2
