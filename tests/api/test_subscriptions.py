# SPDX-License-Identifier: Apache-2.0
"""Subscriptions over HTTP: made, listed, tested, replayed, rotated, ended; bad wishes are told where they are bad."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from litestar import Litestar
from litestar.datastructures import State

from crossdock.api.contract import with_hot_paths
from crossdock.api.problems import EXCEPTION_HANDLERS
from crossdock.api.routes import routes
from crossdock.api.subscription_body import Outward
from crossdock.governance.caller import Caller, let_in
from crossdock.runtime.outward import Reach
from tests.subscriptions.receiving import House, Receiver, receiving

PATH = "/v1/subscriptions"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest_asyncio.fixture
async def http(pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar(
        [*routes()],
        state=State({"pool": pool, "outward": Outward(Reach(loopback=True), "/crossdock/test")}),
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://crossdock") as client:
        yield client


def asking(pool: asyncpg.Pool, consumer: str, *scopes: Any, **sees: frozenset[str]) -> httpx.AsyncClient:
    """A client whose requests are those of a consumer."""
    caller = Caller(
        consumer=consumer, scopes=frozenset(scopes), plan="", **{"channels": None, "customers": None, **sees}
    )
    state = State({"pool": pool, "outward": Outward(Reach(loopback=True), "/crossdock/test")})
    app: Any = Litestar([*routes()], state=state, exception_handlers=EXCEPTION_HANDLERS, logging_config=None)

    async def let(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            let_in(scope, caller)
        await app(scope, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(let), base_url="http://crossdock")


async def test_a_consumer_sees_its_own_and_subscribes_to_what_it_may_see(
    pool: asyncpg.Pool, receiver: Receiver
) -> None:
    mine = asking(pool, "portal", "webhooks:write", "orders:read", channels=frozenset({"shop", "b2b"}))
    other = asking(pool, "desk", "webhooks:write", "orders:read", customers=frozenset({"C-1"}))
    everything = asking(pool, "ops", "ops")
    async with mine, other, everything:
        one, _ = await made(mine, receiver)
        assert (one["consumer"], one["channels"], one["customers"]) == ("portal", ["b2b", "shop"], None)
        narrow, _ = await made(mine, receiver, channels=["shop"])
        assert narrow["channels"] == ["shop"]
        his, _ = await made(other, receiver)
        assert (his["channels"], his["customers"]) == (None, ["C-1"])
        url = f"{receiver.url}/hook"
        for client, wish, field in (
            (mine, {"types": ["sales_order.*"], "channels": ["shop", "mart"]}, "channels[1]"),
            (mine, {"types": ["sales_order.*", "inventory.*"]}, "types[1]"),
            (mine, {"types": ["*"]}, "types[0]"),
            (other, {"types": ["sales_order.*"], "customers": ["C-2"]}, "customers[0]"),
        ):
            refused = await client.post(PATH, json={"url": url, **wish})
            assert (refused.status_code, refused.json()["field"]) == (403, field)
        assert [each["id"] for each in (await other.get(PATH)).json()["items"]] == [his["id"]]
        assert len((await everything.get(PATH)).json()["items"]) == 3
        for path, body in ((f"{PATH}/{one['id']}:{verb}", {}) for verb in ("test", "rotate", "enable", "disable")):
            assert (await other.post(path, json=body)).status_code == 404
        replay = {"since": "2026-11-27T08:00:00Z"}
        assert (await other.post(f"{PATH}/{one['id']}:replay", json=replay)).status_code == 404
        assert (await other.get(f"{PATH}/{one['id']}")).status_code == 404
        assert (await other.delete(f"{PATH}/{one['id']}")).status_code == 404
        assert (await mine.delete(f"{PATH}/{one['id']}")).status_code == 204
    assert receiver.got == []


async def made(http: httpx.AsyncClient, receiver: Receiver, **wish: Any) -> tuple[dict[str, Any], str]:
    answer = await http.post(PATH, json={"url": f"{receiver.url}/hook", "types": ["sales_order.*"], **wish})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"] == f"{PATH}/{told['subscription']['id']}"
    assert answer.headers["cache-control"] == "no-store"
    return told["subscription"], told["secret"]


async def test_made_told_listed_and_ended(http: httpx.AsyncClient, receiver: Receiver, pool: asyncpg.Pool) -> None:
    one, secret = await made(http, receiver, channels=["shop"], note="orders to the portal")
    assert (one["types"], one["channels"], one["customers"], one["state"]) == (
        ["sales_order.*"],
        ["shop"],
        None,
        "active",
    )
    other, _ = await made(http, receiver)
    house = House(pool, receiver)
    (event,) = await house.tell("order/shop/1")
    await house.rounds()
    await house.driver.close()
    assert receiver.taken() == [event]
    assert {got.signed_by(secret) for got in receiver.got} == {True, False}, "each by its own secret"
    page = (await http.get(PATH, params={"limit": 1})).json()
    ids = sorted([one["id"], other["id"]])
    assert ([each["id"] for each in page["items"]], page["next"]) == (ids[:1], ids[0])
    rest = (await http.get(PATH, params={"limit": 2, "after": page["next"]})).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (ids[1:], None)
    answer = await http.get(f"{PATH}/{one['id']}")
    told = answer.json()
    assert (told["health"]["delivered"], told["health"]["waiting"]) == (1, 0)
    assert told["health"]["last_success_at"]
    assert "whsec_" not in answer.text
    assert secret not in answer.text
    ended = await http.delete(f"{PATH}/{one['id']}")
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await http.get(f"{PATH}/{one['id']}")).status_code == 404
    assert (await http.delete(f"{PATH}/{one['id']}")).status_code == 404
    acts = await pool.fetch("SELECT who, origin, action, before, after FROM audit ORDER BY id")
    assert [(row["who"], row["origin"], row["action"]) for row in acts] == [
        ("local", "api", "subscription.create"),
        ("local", "api", "subscription.create"),
        ("local", "api", "subscription.delete"),
    ]
    assert not any("whsec_" in row["before"] + row["after"] for row in acts)


async def test_the_test_button_says_what_the_endpoint_did(http: httpx.AsyncClient, receiver: Receiver) -> None:
    one, secret = await made(http, receiver)
    receiver.behave = lambda got: web.Response(status=418 if got.tries == 1 else 200, text=f"seen {got.path}")
    trial = (await http.post(f"{PATH}/{one['id']}:test", json={})).json()["trial"]
    assert (trial["delivered"], trial["status"], trial["answer"]) == (False, 418, "seen /hook")
    assert trial["error"] == "HTTP 418: seen /hook"
    (got,) = receiver.got
    assert (got.id, got.event["type"]) == (trial["event_id"], "crossdock.subscription.test.v1")
    assert got.signed_by(secret)
    receiver.behave = lambda _: 204
    again = (await http.post(f"{PATH}/{one['id']}:test", json={})).json()
    assert (again["trial"]["delivered"], again["subscription"]["health"]["delivered"]) == (True, 0)


async def test_rotate_enable_disable_and_replay(http: httpx.AsyncClient, receiver: Receiver) -> None:
    one, secret = await made(http, receiver)
    path = f"{PATH}/{one['id']}"
    rotated = (await http.post(f"{path}:rotate", json={"overlap_seconds": 600})).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != secret
    until = datetime.fromisoformat(rotated["subscription"]["two_secrets_until"])
    assert timedelta(seconds=590) < until - datetime.now(UTC) <= timedelta(seconds=600)
    await http.post(f"{path}:test", json={})
    assert [receiver.got[0].signed_by(each) for each in (secret, rotated["secret"])] == [True, True]
    off = (await http.post(f"{path}:disable", json={"reason": "moving"})).json()
    assert (off["subscription"]["state"], off["secret"], off["trial"]) == ("disabled", None, None)
    assert (await http.post(f"{path}:enable", json={})).json()["subscription"]["state"] == "active"
    since = {"since": "2026-11-27T08:00:00Z"}
    assert (await http.post(f"{path}:replay", json=since)).status_code == 200
    for body in ({}, {"since": "2026-11-27T08:00:00"}):
        refused = await http.post(f"{path}:replay", json=body)
        assert (refused.status_code, refused.json()["field"]) == (422, "since")
    acts = (await http.get("/v1/ops/audit", params={"key": f"subscription/{one['id']}"})).json()
    assert [act["action"].partition(".")[2] for act in reversed(acts)] == [
        "create",
        "rotate",
        "disable",
        "enable",
        "replay",
    ]
    assert acts[2]["reason"] == "moving"


@pytest.mark.parametrize(
    ("wish", "status", "field"),
    [
        ({"url": "http://example.com/"}, 422, "url"),
        ({"url": "https://10.0.0.1/"}, 422, "url"),
        ({"url": "https://169.254.169.254/"}, 422, "url"),
        ({"url": "https://name.invalid/"}, 422, "url"),
        ({"url": "nonsense"}, 422, "url"),
        ({"url": ""}, 422, "url"),
        ({"url": 7}, 422, "url"),
        ({"types": []}, 422, "types"),
        ({"types": ["*", "nothing.*"]}, 422, "types[1]"),
        ({"types": ["subscription.disabled"]}, 422, "types[0]"),
        ({"types": ["*"] * 51}, 422, "types"),
        ({"channels": []}, 422, "channels"),
        ({"customers": ["x" * 201]}, 422, "customers[0]"),
        ({"note": "x" * 501}, 422, "note"),
        ({"secret": "mine"}, 422, "secret"),
    ],
)
async def test_a_bad_wish_is_told_where_it_is_bad(
    http: httpx.AsyncClient, pool: asyncpg.Pool, wish: dict[str, Any], status: int, field: str
) -> None:
    answer = await http.post(PATH, json={"url": "https://127.0.0.1:1/", "types": ["*"], **wish})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["field"] == field
    assert await pool.fetchval("SELECT count(*) FROM subscription") == 0
    assert await pool.fetchval("SELECT count(*) FROM audit") == 0


async def test_what_is_not_there(http: httpx.AsyncClient) -> None:
    for path in ("sub_1", "sub_1:nothing", "sub_1:", ":test"):
        answer = await http.post(f"{PATH}/{path}", json={})
        assert (path, answer.status_code) == (path, 404)
    for verb in ("test", "rotate", "enable", "disable"):
        assert (await http.post(f"{PATH}/sub_1:{verb}", json={})).json()["detail"] == "there is no subscription sub_1"
    assert (await http.post(f"{PATH}/sub_1:test")).status_code == 415


async def test_their_number_is_bounded(
    http: httpx.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.subscriptions.change.MOST_OF_ONE", 2)
    for _ in range(2):
        await made(http, receiver)
    answer = await http.post(PATH, json={"url": f"{receiver.url}/hook", "types": ["*"]})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/subscription.too_many")


def test_the_contract_says_what_an_endpoint_is_sent() -> None:
    document = with_hot_paths({"paths": {}})
    told = document["webhooks"]["event"]["post"]
    assert [one["name"] for one in told["parameters"]] == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    schema = told["requestBody"]["content"]["application/cloudevents+json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/CloudEvent"}
    assert "specversion" in document["components"]["schemas"]["CloudEvent"]["properties"]
    assert {"2XX", "410", "429", "default"} == set(told["responses"])
