# SPDX-License-Identifier: Apache-2.0
"""A gateway with a door, and one credential of every kind."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from crossdock.api.access_table import TABLE, Route
from crossdock.api.door import Door
from crossdock.api.plain import App, Receive, Scope, Send, answer, answering
from crossdock.api.route_watch import RouteWatch
from crossdock.app.access import Access
from crossdock.app.gateway import Front, web
from crossdock.estate.consumers import SCOPES
from crossdock.estate.load import load_estate
from crossdock.governance.caller import caller_of
from crossdock.governance.issue_keys import KeyWish, create_key, revoke_key
from crossdock.governance.key import make_key
from crossdock.intake.hooks import HookIntake
from crossdock.runtime.clock import now, set_clock
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.sdk.receiving import Incoming, KeepResult
from tests.governance.estates import authority, write

HOT = {re.split("[/:]", route.path)[2] for route in TABLE} - {"ops"}
ALL = sorted(SCOPES)


async def echo(scope: Scope, _receive: Receive, send: Send) -> None:
    """A route that says who came."""
    caller = caller_of(scope)
    await answer(send, 200, msgspec.json.encode({"consumer": caller.consumer, "scopes": sorted(caller.scopes)}), [])


async def nothing_kept(batch: list[Incoming]) -> list[KeepResult]:
    raise AssertionError(f"{len(batch)} messages were kept")


def path_of(route: Route) -> str:
    """A path that the route takes."""
    return re.sub(r"\{(\w+)(:path)?\}", lambda hole: "a/b" if hole[2] else "17", route.path)


class Staged:
    """A gateway whose estate has consumers, and one credential of every kind."""

    def __init__(self, front: Front, credentials: dict[str, str], estate: Path) -> None:
        self.credentials = credentials
        self.estate = estate
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, front), raise_app_exceptions=False), base_url="http://127.0.0.1"
        )

    async def ask(self, method: str, path: str, credential: str | None, **headers: str) -> httpx.Response:
        sent = {**headers, **({"authorization": self.credentials[credential]} if credential else {})}
        return await self.client.request(method, path, headers=sent)


def front_of(
    pool: asyncpg.Pool, door: Door | None, hot: dict[str, App] | None = None, watch: RouteWatch | None = None
) -> Front:
    hooks = HookIntake({}, GroupCommit(nothing_kept, max_batch=1), now, lambda _interface, _outcome: None)
    handlers = {name: answering(echo) for name in HOT} if hot is None else hot
    return Front(hooks, web(pool, "127.0.0.1"), handlers, door, watch)


async def keys_of(pool: asyncpg.Pool) -> dict[str, str]:
    """Keys of every kind, as they are sent."""
    made: dict[str, str] = {}
    async with pool.acquire() as conn:
        portal, _ = await create_key(conn, KeyWish(consumer="portal"))
        partner, _ = await create_key(conn, KeyWish(consumer="partner"))
        desk, _ = await create_key(conn, KeyWish(consumer="desk"))
        narrow, _ = await create_key(conn, KeyWish(consumer="portal", scopes=["products:read"]))
        gone, _ = await create_key(conn, KeyWish(consumer="gone"))
        revoked, _ = await create_key(conn, KeyWish(consumer="portal"))
        await revoke_key(conn, revoked.name, "eve")
        with set_clock(now() - timedelta(days=2)):
            expired, _ = await create_key(conn, KeyWish(consumer="portal", expires_at=now() + timedelta(days=1)))
    for name, one in (
        ("portal", portal),
        ("partner", partner),
        ("desk", desk),
        ("narrow", narrow),
        ("gone", gone),
        ("revoked", revoked),
        ("expired", expired),
    ):
        made[f"key {name}"] = f"Bearer {one.key.reveal()}"
    made["key unknown"] = f"Bearer {make_key().key.reveal()}"
    made["key changed"] = made["key portal"][:-1] + ("A" if made["key portal"][-1] != "A" else "B")
    made["key cut"] = made["key portal"][:-1]
    made["basic"] = f"Basic {base64.b64encode(b'portal:' + portal.key.reveal().encode()).decode()}"
    made["no kind"] = portal.key.reveal()
    made["empty"] = "Bearer "
    made["garbage"] = "Bearer \x7fnot.a.token"
    return made


@asynccontextmanager
async def staged_in(pool: asyncpg.Pool, folder: Path, watch: RouteWatch | None = None) -> AsyncIterator[Staged]:
    """The gateway; its estate's file is in `folder`. `watch` stands behind its door."""
    async with authority() as (issuer, address):
        credentials = await keys_of(pool)
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').rstrip(b"=").decode()
        issuer.keys["forged"] = ec.generate_private_key(ec.SECP256R1())
        good = issuer.token()
        tokens = {
            "portal": good,
            "desk": issuer.token(client_id="desk-app"),
            "narrow": issuer.token(scope="products:read"),
            "no scope": issuer.token(scope=None),
            "expired": issuer.token(exp=1_000_000_000),
            "audience": issuer.token(aud="https://other.example"),
            "issuer": issuer.token(iss="https://evil.example"),
            "client": issuer.token(client_id="other-app"),
            "none": f"{unsigned}.{good.split('.')[1]}.",
            "forged": issuer.token("forged", header={"kid": "k1"}),
            "unknown key": issuer.token("forged"),
            "changed": good[:-10] + "A" * 10,
        }
        credentials |= {f"token {name}": f"Bearer {token}" for name, token in tokens.items()}
        estate = write(folder, address)
        access = Access(load_estate(estate), pool)
        await access.look()
        staged = Staged(front_of(pool, access.door, watch=watch), credentials, estate)
        async with staged.client:
            yield staged
        await access.close()
