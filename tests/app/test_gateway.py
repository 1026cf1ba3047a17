# SPDX-License-Identifier: Apache-2.0
"""A gateway on loopback answers API and console to loopback names only; webhooks are judged by their signature."""

from __future__ import annotations

import logging
from typing import Any, cast

import asyncpg
import httpx
import pytest

from crossdock.api.contract import HOT_PATHS, HOT_SCHEMAS
from crossdock.api.plain import Receive, Scope, Send, answer
from crossdock.app.gateway import Front, close_all, web
from crossdock.app.hosts import LOOPBACK_NAMES, answering_to, name_of, own_names
from crossdock.errors import EngineAway
from crossdock.intake.hooks import HookIntake
from crossdock.runtime.clock import now
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.runtime.telemetry import configure_logs
from crossdock.sdk.receiving import Incoming, KeepResult

PAGES = ("/healthz", "/metrics", "/schemas", "/console", "/console/systems", "/v1/ops/books", "/openapi.json")


async def nothing_kept(batch: list[Incoming]) -> list[KeepResult]:
    raise AssertionError(f"{len(batch)} messages were kept")


def front(pool: asyncpg.Pool, host: str) -> httpx.ASGITransport:
    commit = GroupCommit(nothing_kept, max_batch=1)
    hooks = HookIntake({}, commit, now, lambda _interface, _outcome: None)
    # Two spellings of ASGI's types meet here.
    return httpx.ASGITransport(cast(Any, Front(hooks, web(pool, host))), raise_app_exceptions=False)


async def status(transport: httpx.ASGITransport, path: str, host: str) -> int:
    async with httpx.AsyncClient(transport=transport, base_url="http://crossdock") as client:
        return (await client.get(path, headers={"host": host})).status_code


@pytest.mark.parametrize("path", PAGES)
async def test_a_foreign_name_is_refused_everywhere(pool: asyncpg.Pool, path: str) -> None:
    transport = front(pool, "127.0.0.1")
    assert await status(transport, path, "127.0.0.1:8480") == 200
    assert await status(transport, path, "evil.example:8480") == 421


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST:9000", 200),
        ("127.0.0.1:8480", 200),
        ("[::1]:8480", 200),
        ("", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8480", 421),
        ("evil.example@127.0.0.1.nip.example", 421),
        ("[::1", 421),
    ],
)
async def test_names_count_whole_and_on_any_port(pool: asyncpg.Pool, host: str, expected: int) -> None:
    assert await status(front(pool, "127.0.0.1"), "/healthz", host) == expected


async def test_the_refusal_says_what_to_do(pool: asyncpg.Pool) -> None:
    async with httpx.AsyncClient(transport=front(pool, "localhost"), base_url="http://evil.example") as client:
        answer = await client.get("/v1/ops/books")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 421
    assert "--host" in answer.json()["detail"]


async def test_elsewhere_any_name_is_answered(pool: asyncpg.Pool) -> None:
    assert await status(front(pool, "0.0.0.0"), "/healthz", "crossdock.example") == 200


async def test_webhooks_come_under_any_name(pool: asyncpg.Pool) -> None:
    transport = front(pool, "127.0.0.1")
    async with httpx.AsyncClient(transport=transport, base_url="https://tunnel.example") as client:
        answer = await client.post("/hooks/shop/orders/create", content=b"{}")
    # Unknown to this gateway, which has no estate, but not for its name.
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown_interface")


async def test_the_contract_names_every_route_of_the_interface(pool: asyncpg.Pool) -> None:
    async with httpx.AsyncClient(transport=front(pool, "127.0.0.1"), base_url="http://127.0.0.1") as client:
        contract = (await client.get("/openapi.json")).json()
    served = {route.path_format for route in web(pool, "127.0.0.1").routes if not route.path.startswith("/console")}
    served = {path for path in served if not path.startswith("/openapi.json")}
    assert set(contract["paths"]) == served | set(HOT_PATHS)
    assert set(HOT_SCHEMAS) <= set(contract["components"]["schemas"])
    assert contract["info"]["title"] == "Crossdock"


async def test_a_hot_resource_is_answered_by_its_own_handler_under_own_names_only(pool: asyncpg.Pool) -> None:
    async def echo(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"].endswith("bug"):
            raise KeyError("secret detail")
        if scope["path"].endswith("away"):
            raise EngineAway("the database is away")
        await answer(send, 200, scope["path"].encode(), [])

    hooks = HookIntake({}, GroupCommit(nothing_kept, max_batch=1), now, lambda _interface, _outcome: None)
    app = Front(hooks, web(pool, "127.0.0.1"), {"things": answering_to(own_names("127.0.0.1"), echo)})
    transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        for path in ("/v1/things", "/v1/things/1", "/v1/things:act", "/v1/things/1:act"):
            assert (await client.get(path)).text == path
        for path in ("/v1/thingsabc", "/v1/", "/v1/thing", "/v2/things"):
            assert (await client.get(path)).status_code == 404
        bug = await client.get("/v1/things/bug")
        assert (bug.status_code, bug.json()["type"], "secret" in bug.text) == (500, "/problems/unexpected", False)
        away = await client.get("/v1/things/away")
        assert (away.status_code, away.json()["type"], away.headers["retry-after"]) == (
            503,
            "/problems/engine_away",
            "5",
        )
        for name in ("evil.example", "", "localhost.evil.example"):
            refused = await client.get("/v1/things", headers={"host": name})
            assert (refused.status_code, refused.json()["type"]) == (421, "/problems/misdirected")


def test_logs_stay_as_they_were_set_up(pool: asyncpg.Pool) -> None:
    configure_logs("warning", "json")
    root = logging.getLogger()
    before = [*root.handlers], root.level
    web(pool, "127.0.0.1")
    assert ([*root.handlers], root.level) == before


def test_only_loopback_addresses_have_own_names() -> None:
    assert own_names("127.0.0.1") == own_names("::1") == own_names("localhost") == LOOPBACK_NAMES
    assert own_names("127.0.0.2") == LOOPBACK_NAMES | {"127.0.0.2"}
    assert own_names("192.0.2.7") is own_names("0.0.0.0") is own_names("::") is None
    assert (name_of("Host:1"), name_of("[::1]:1"), name_of("")) == ("host", "::1", "")


async def test_what_fails_to_close_keeps_nothing_else_open() -> None:
    closed: list[str] = []

    class Part:
        def __init__(self, name: str, error: Exception | None = None) -> None:
            self.name = name
            self.error = error

        async def close(self) -> None:
            closed.append(self.name)
            if self.error is not None:
                raise self.error

    with pytest.raises(EngineAway, match="the second"):
        await close_all(Part("first"), Part("second", EngineAway("the second")), Part("third"))
    assert closed == ["first", "second", "third"]
