# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import aiohttp
import pytest

from crossdock.sandbox.business_central import BusinessCentralConfig, BusinessCentralSim
from crossdock.sandbox.business_central.limits import Places
from crossdock.sandbox.business_central.problems import BusinessCentralError
from tests.sandbox.business_central.trading import COMPANY, Clock, Trader, ask_token, line, order, sign_in


async def test_a_token_lasts_an_hour(erp: Trader, clock: Clock) -> None:
    told = (await ask_token(erp.http, erp.sim)).ok()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3599)
    clock.now += 3599
    assert (await erp("GET", "items?$top=1")).status == 200
    clock.now += 1
    reply = await erp("GET", "items?$top=1")
    assert (reply.status, reply.code) == (401, "Authentication_InvalidCredentials")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_can_be_ended_from_outside(erp: Trader) -> None:
    assert (await erp.control("expire_tokens", "POST"))["expired"] == 1
    assert (await erp("GET", "items")).status == 401
    assert (await Trader(erp.http, erp.sim, "made-up")("POST", "salesOrders", order())).status == 401
    assert (await erp.control("counts"))["orders"] == 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": ""}, 400, "invalid_request"),
    ],
)
async def test_a_wrong_grant_is_refused(erp: Trader, change: dict[str, str], status: int, code: str) -> None:
    reply = await ask_token(erp.http, erp.sim, **change)
    assert (reply.status, reply.body["error"]) == (status, code)
    assert reply.body["error_description"].startswith(f"AADSTS{reply.body['error_codes'][0]}: ")


async def test_what_is_not_there(erp: Trader) -> None:
    token = {"Authorization": f"Bearer {erp.token}"}
    for path, code in (
        ("/nowhere", "BadRequest_ResourceNotFound"),
        (f"/v2.0/{erp.sim.config.tenant}/other/api/v2.0/companies", "BadRequest_ResourceNotFound"),
    ):
        async with erp.http.get(erp.sim.url + path, headers=token) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, code)
    for path, code in (
        ("/v2.0/companies(00000000-0000-0000-0000-000000000001)/items", "Internal_CompanyNotFound"),
        (f"/v2.0/companies({COMPANY})/itemz", "BadRequest_ResourceNotFound"),
        (f"/v2.0/companies({COMPANY})/locationStock", "BadRequest_ResourceNotFound"),
        (f"/v2.0/companies({COMPANY})/items({COMPANY})", "BadRequest_NotFound"),
        (f"/crossdock/distribution/v1.0/companies({COMPANY})/items", "BadRequest_ResourceNotFound"),
    ):
        reply = await erp("GET", path)
        assert (reply.status, reply.code) == (404, code)
    companies = (await erp("GET", "/v2.0/companies?$select=id,name")).rows
    assert [(one["id"], one["name"]) for one in companies] == [(COMPANY, "CRONUS Crossdock")]
    for method, path in (("POST", "salesShipments"), ("DELETE", "itemLedgerEntries"), ("PUT", "items")):
        reply = await erp(method, path, {})
        assert (reply.status, reply.code) == (405, "BadRequest_MethodNotAllowed")


async def test_the_window_slides_and_is_each_clients_own(http: aiohttp.ClientSession, clock: Clock) -> None:
    clients = {"crossdock-client": "crossdock-secret", "second": "another-secret"}
    async with BusinessCentralSim(BusinessCentralConfig(requests=3, clients=clients), clock) as sim:
        first = await sign_in(http, sim)
        second = await sign_in(http, sim, client_id="second", client_secret="another-secret")
        for _ in range(3):
            assert (await first("GET", "items?$top=1")).status == 200
            clock.now += 100
        # The oldest of the three was 300 seconds ago: just out of the window, and one more fits.
        assert (await first("GET", "items?$top=1")).status == 200
        reply = await first("POST", "salesOrders", order())
        assert (reply.status, reply.code) == (429, "Unknown")
        assert "Retry-After" not in reply.headers
        assert (await second("GET", "items?$top=1")).status == 200
        clock.now += 100
        assert (await first("GET", "salesOrders")).rows == []


async def test_five_at_once_others_wait_and_the_queue_has_an_end() -> None:
    places, leave, inside = Places(5, 2, 60.0), asyncio.Event(), []

    async def work(number: int) -> None:
        async with places.place():
            inside.append(number)
            await leave.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(7)]
    await asyncio.sleep(0)
    assert (inside, places.waiting) == ([0, 1, 2, 3, 4], 2)
    with pytest.raises(BusinessCentralError) as refused:
        await work(7)
    assert refused.value.status == 429
    leave.set()
    await asyncio.gather(*tasks)
    assert (inside, places.waiting, places.most_waiting) == ([0, 1, 2, 3, 4, 5, 6], 0, 2)


@pytest.mark.parametrize(("queue", "status"), [(0, 429), (1, 503)])
async def test_a_client_that_takes_all_its_places(http: aiohttp.ClientSession, queue: int, status: int) -> None:
    config = BusinessCentralConfig(concurrency=1, queue=queue, queue_seconds=0.01)
    async with BusinessCentralSim(config) as sim:
        erp = await sign_in(http, sim)
        assert (await erp("GET", "items?$top=1")).status == 200
        _, places = sim.limits["crossdock-client"]
        async with places.place():
            assert (await erp("POST", "salesOrders", order())).status == status
        assert (await erp("POST", "salesOrders", order())).status == 201
        counts = await erp.control("counts")
        assert (counts["orders"], counts["most_waiting"]) == (1, queue)


@pytest.mark.parametrize(("kind", "status"), [("error_after", 500), ("cut_after", None)])
async def test_work_that_was_done_though_the_answer_says_otherwise(erp: Trader, kind: str, status: int | None) -> None:
    await erp.control("faults", "POST", {"kind": kind, "count": 1, "match": "salesOrders"})
    if status is None:
        with pytest.raises(aiohttp.ClientError):
            await erp("POST", "salesOrders", order())
    else:
        reply = await erp("POST", "salesOrders", order())
        assert (reply.status, reply.code) == (status, "Internal_ServerError")
    found = await erp("GET", "salesOrders?$filter=externalDocumentNumber eq 'SHOP-1001'")
    assert len(found.rows) == 1


async def test_throttled_and_down_did_nothing(erp: Trader) -> None:
    for kind, status, code in (
        ("throttled", 429, "Unknown"),
        ("error_before", 503, "Internal_TenantUnavailable"),
    ):
        await erp.control("faults", "POST", {"kind": kind, "count": 1})
        reply = await erp("POST", "salesOrders", order(line()))
        assert (reply.status, reply.code) == (status, code)
    assert (await erp.control("counts"))["orders"] == 0
