# SPDX-License-Identifier: Apache-2.0
"""The door of the API: every route for every kind of credential, and nothing of a credential in what comes out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
import pytest_asyncio

from crossdock.api.access_table import OPEN, TABLE, AccessTable, is_open
from crossdock.api.contract import HOT_PATHS
from crossdock.api.plain import Receive, Scope, Send, answering
from crossdock.app.access import Access
from crossdock.app.gateway import web
from crossdock.estate.consumers import SCOPES
from crossdock.estate.load import load_estate
from crossdock.governance.caller import LOCAL
from crossdock.governance.key import make_key
from crossdock.runtime.telemetry import configure_logs
from tests.api.doors import ALL, HOT, Staged, front_of, path_of, staged_in
from tests.governance.estates import write


@pytest_asyncio.fixture
async def staged(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Staged]:
    async with staged_in(pool, tmp_path) as made:
        yield made


MATRIX: dict[str | None, set[str] | None] = {
    # Who is let in with which scopes; None: nobody knows who that is.
    None: None,
    "key portal": {"availability:read", "reservations:read", "reservations:write"},
    "key partner": set(SCOPES) - {"ops"},
    "key desk": {"ops"},
    "key narrow": set(),
    "key gone": None,
    "key revoked": None,
    "key expired": None,
    "key unknown": None,
    "key changed": None,
    "key cut": None,
    "basic": None,
    "no kind": None,
    "empty": None,
    "garbage": None,
    "token portal": {"availability:read", "reservations:read", "reservations:write"},
    "token desk": {"ops"},
    "token narrow": set(),
    "token no scope": set(),
    "token expired": None,
    "token audience": None,
    "token issuer": None,
    "token client": None,
    "token none": None,
    "token forged": None,
    "token unknown key": None,
    "token changed": None,
}


async def test_every_route_for_every_kind_of_credential(staged: Staged) -> None:
    assert set(MATRIX) - {None} == set(staged.credentials)
    seen: Counter[int] = Counter()
    for credential, scopes in MATRIX.items():
        for route in TABLE:
            got = await staged.ask(route.method, path_of(route), credential)
            what = f"{credential}: {route.method} {route.path} → {got.status_code} {got.text[:200]}"
            challenge = got.headers.get("www-authenticate", "")
            if scopes is None:
                assert got.status_code == 401, what
                error = "" if credential is None else ', error="invalid_token"'
                assert challenge == f'Bearer realm="crossdock"{error}', what
            elif route.scope not in scopes:
                assert got.status_code == 403, what
                assert challenge == f'Bearer realm="crossdock", error="insufficient_scope", scope="{route.scope}"', what
                assert route.scope in got.json()["detail"], what
            else:
                assert got.status_code not in (401, 403, 405, 429, 503, 500), what
                assert "ratelimit" in got.headers, what
            seen[got.status_code] += 1
    assert seen[401] == len(TABLE) * sum(1 for scopes in MATRIX.values() if scopes is None)
    assert seen[200] > 20


async def test_the_table_has_every_route_and_no_other(pool: asyncpg.Pool) -> None:
    served = {
        (method, route.path_format)
        for route in web(pool, "127.0.0.1").routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS" and not is_open(route.path_format)
    }
    described = {
        (method.upper(), path) for path, methods in HOT_PATHS.items() if path.startswith("/v1/") for method in methods
    }
    assert {(one.method, one.path.replace(":path}", "}")) for one in TABLE} == served | described
    assert {one.scope for one in TABLE} <= set(SCOPES)


async def test_what_is_open_stays_open_and_webhooks_speak_for_themselves(staged: Staged) -> None:
    for path in ("/healthz", "/metrics", "/schemas", "/openapi.json", "/asyncapi.json", "/console", "/console/systems"):
        assert (await staged.client.get(path)).status_code == 200, path
    assert (await staged.client.post("/hooks/shop/orders")).json()["type"] == "/problems/unknown_interface"
    assert (await staged.client.get("/")).status_code == 404
    assert OPEN.isdisjoint({"v1", "hooks"})


AROUND = (
    "/v1/ops/books/",
    "//v1/ops/books",
    "/v1//ops/books",
    "/v1/ops//books",
    "/V1/ops/books",
    "/v1/ops",
    "/v1",
    "/v1/",
    "/v1/nothing",
    "/v1/ops/%2e%2e/ops/books",
    "/v1/ops/books%00",
    "/x/console/v1/ops/books",
    "/v1/availability/",
    "/v1/availability:explain",
    "/v1/reservations/1/2",
    "/v1/reservations/",
)


async def test_no_way_around(staged: Staged) -> None:
    for path in AROUND:
        assert (await staged.ask("GET", path, None)).status_code == 401, path
        for credential in ("key portal", "key desk"):
            got = await staged.ask("GET", path, credential)
            assert (got.status_code, got.json()["type"]) == (404, "/problems/not_found"), path


async def test_another_method_is_told_which_there_are(staged: Staged) -> None:
    got = await staged.ask("PUT", "/v1/reservations/17", "key portal")
    assert (got.status_code, got.headers["allow"]) == (405, "DELETE, GET")
    assert (await staged.ask("OPTIONS", "/v1/ops/books", None)).status_code == 401


async def test_the_route_is_told_who_came(staged: Staged) -> None:
    got = await staged.ask("GET", "/v1/availability", "token portal")
    assert got.json() == {
        "consumer": "portal",
        "scopes": ["availability:read", "reservations:read", "reservations:write"],
    }
    twice = await staged.client.get(
        "/v1/availability",
        headers=[("authorization", staged.credentials["key portal"]), ("authorization", "Bearer x")],
    )
    assert (twice.status_code, twice.json()["type"]) == (401, "/problems/access.form")
    spelled = staged.credentials["key portal"].replace("Bearer", "bearer")
    assert (await staged.client.get("/v1/availability", headers={"authorization": spelled})).status_code == 200


async def test_without_consumers_nobody_is_asked(pool: asyncpg.Pool) -> None:
    transport = httpx.ASGITransport(cast(Any, front_of(pool, None)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/v1/availability")).json() == {"consumer": "local", "scopes": ALL}
        assert (await client.get("/v1/ops/books")).status_code == 200
    assert LOCAL.sees_channel("any")
    assert LOCAL.sees_customer("any")


async def test_before_keys_were_read_nobody_is_judged(pool: asyncpg.Pool, tmp_path: Path) -> None:
    access = Access(load_estate(write(tmp_path)), pool)
    assert access.problem() == "the API keys are not in memory yet"
    transport = httpx.ASGITransport(cast(Any, front_of(pool, access.door)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        key = f"Bearer {make_key().key.reveal()}"
        got = await client.get("/v1/availability", headers={"authorization": key})
        assert (got.status_code, got.headers["retry-after"]) == (503, "5")
    await access.look()
    assert access.problem() == ""
    await access.close()


async def test_nothing_of_a_credential_comes_out(
    staged: Staged, pool: asyncpg.Pool, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure_logs("debug", "json")
    # The client that asks here tells of every address it asks.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    out: list[str] = []

    async def buggy(scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError(f"a bug on {scope['path']}")

    access = Access(load_estate(staged.estate), pool)
    await access.look()
    broken = front_of(pool, access.door, {name: answering(buggy) for name in HOT})
    transport = httpx.ASGITransport(cast(Any, broken), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for credential in staged.credentials.values():
            raw = credential.removeprefix("Bearer ").removeprefix("Basic ").strip() or "x"
            shown = raw if raw.isprintable() else "x"
            headers = {"authorization": credential}
            for path in (
                "/v1/availability?channel=shop",
                "/v1/reservations/17",
                f"/v1/ops/trace/{shown}",
                f"/v1/ops/cases/{shown}",
                f"/v1/ops/kpis/x?since={shown}",
                f"/v1/{shown}",
                f"/schemas/{shown}/1",
                f"/{shown}",
            ):
                for one in (client, staged.client):
                    got = await one.get(path, headers=headers)
                    out.append(f"{got.status_code} {got.headers} {got.text}")
    await access.close()
    logged = capfd.readouterr()
    everything = "\n".join([*out, logged.out, logged.err])
    assert "a bug on" in logged.err
    assert "404" in everything
    for name, credential in staged.credentials.items():
        raw = credential.removeprefix("Bearer ").removeprefix("Basic ").strip()
        if raw.startswith(("cdk_", "eyJ")):
            # Its secret part: a key's after the name, a token's signature.
            secret = raw.rpartition("_" if raw.startswith("cdk_") else ".")[2]
            if raw.startswith("cdk_"):
                secret = raw[len("cdk_0123456789ab_") :]
            if len(secret) > 10:
                assert secret not in everything, name


def test_the_table_finds_what_fits_best() -> None:
    table = AccessTable()
    for route in TABLE:
        assert table.find(route.method, path_of(route)) is route
    extend = table.find("POST", "/v1/reservations/rsv_1:extend")
    assert extend is not None
    assert extend.path == "/v1/reservations/{id}:extend"
    trace = table.find("GET", "/v1/ops/trace/order/shop/1#2\n")
    assert trace is not None
    assert trace.path == "/v1/ops/trace/{key:path}"
    assert table.find("GET", "/v1/ops/trace/") is None
    assert table.find("GET", "/v1/reservations/a/b") is None
    # What reads an order asks the database many times.
    for method, path in (("GET", "/v1/orders/ord_1"), ("POST", "/v1/orders/portal/ord_1:cancel")):
        one = table.find(method, path)
        assert one is not None
        assert one.costly
    assert table.methods("/v1/reservations/a") == ["DELETE", "GET"]


async def test_the_contract_says_what_each_route_asks_for(pool: asyncpg.Pool) -> None:
    transport = httpx.ASGITransport(cast(Any, front_of(pool, None)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        contract = (await client.get("/openapi.json")).json()
    for route in TABLE:
        operation = contract["paths"][route.path.replace(":path}", "}")][route.method.lower()]
        assert operation["x-scope"] == route.scope
        assert operation["security"] == [{"credential": []}, {}]
        assert {"401", "403", "404", "429", "503"} <= set(operation["responses"])
    assert contract["components"]["securitySchemes"]["credential"]["scheme"] == "bearer"
    assert "security" not in contract["paths"]["/healthz"]["get"]
