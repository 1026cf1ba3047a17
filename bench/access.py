# SPDX-License-Identifier: Apache-2.0
"""Access: what the door of the API costs on its hottest route: availability of one SKU, asked for with an API key and
with a token, against the same gateway on an estate without consumers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from bench.availability import CHANNEL, INVENTORY, fill, gets, open_pool_of
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.orders import store
from bench.pour import pour_apart
from bench.stand import LOOPBACK, answering, process, work_folder
from bench.usage import cpu_by_part, spent
from crossdock.app.demo.stage import staged
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.governance.issue_keys import KeyWish, create_key
from crossdock.runtime.embedded import Engines
from crossdock.runtime.processes import step_port
from crossdock.settings import Settings

NAME = "access"
CONNECTIONS = 32
SLICES = 4
SKUS = 5_000
ISSUER, AUDIENCE, CLIENT = "https://login.example", "https://crossdock.example", "bench"
CONSUMERS = f"""
consumers:
  bench:
    owner: OWNER
    plan: gold
    scopes: ["availability:read"]
    channels: [{CHANNEL}]
    clients: [{{issuer: login, id: {CLIENT}}}]
plans:
  gold: {{rate: 100000, burst: 1000000, quota: 1000000000, concurrency: 10000}}
token_issuers:
  login: {{issuer: "{ISSUER}", audience: "{AUDIENCE}", jwks: "JWKS"}}
"""


class _Doors(Struct, frozen=True):
    """Two gateways on one database, by address and process: open, and with a door; and what is shown at that."""

    folder: Path
    free: tuple[str, int]
    guarded: tuple[str, int]
    credentials: Mapping[str, bytes]


async def run(plan: Plan, say: Say) -> Finding:
    """All three take turns within a round."""
    with work_folder() as folder:
        async with staged(folder / "estate", seed=1, products=20) as stage, _issuer() as (jwks, token):
            text = stage.estate.read_text("utf-8").replace(
                "\nlocations:\n", "\nlocations:\n  DC-THIRD: {name: Third}\n"
            )
            free, guarded = stage.estate.with_name("free.yaml"), stage.estate.with_name("guarded.yaml")
            free.write_text(text + INVENTORY, "utf-8")
            owner = next(iter(wire(free).estate.declared.owners))
            consumers = CONSUMERS.replace("OWNER", owner).replace("JWKS", jwks)
            guarded.write_text(text + INVENTORY + consumers, "utf-8")
            async with Engines.start(Settings(data=folder / "data")) as engines:
                await prepare(engines.database_url, wire(guarded))
                async with open_pool_of(engines) as pool:
                    await fill(pool, SKUS)
                    async with pool.acquire() as conn:
                        made, _ = await create_key(conn, KeyWish(consumer="bench"))
                environment = {
                    **stage.environment,
                    "DATABASE_URL": engines.database_url,
                    "NATS_URL": engines.nats_url,
                    "CROSSDOCK_LOG_LEVEL": "warning",
                }
                shown = {"key": made.key.reveal().encode(), "token": token}
                async with _gateways(folder, (free, guarded), environment, shown) as doors:
                    rounds = [await _round(doors, 2_000 if plan.quick else 10_000, 0)]
                    rounds.clear()  # that one filled what gateways keep
                    for number in range(1, plan.rounds + 1):
                        rounds.append(await _round(doors, 2_000 if plan.quick else 10_000, number))
                        say(", ".join(f"{name} {rounds[-1][name]:,.0f}/s" for name in ("free", "key", "token")))
    return _finding(medians(rounds))


@asynccontextmanager
async def _issuer() -> AsyncIterator[tuple[str, bytes]]:
    """An authorization server that publishes one key; where, and a token of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    document = msgspec.json.encode({"keys": [{**public, "kid": "1", "use": "sig"}]})

    async def keys(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    application = web.Application()
    application.router.add_get("/", keys)
    runner = web.AppRunner(application)
    await runner.setup()
    port = step_port(LOOPBACK, 18880)
    await web.TCPSite(runner, LOOPBACK, port).start()
    ends = time.time() + 7200
    claims = {"iss": ISSUER, "aud": AUDIENCE, "client_id": CLIENT, "scope": "availability:read", "exp": ends}
    try:
        yield f"http://{LOOPBACK}:{port}/", jwt.encode(claims, key, "ES256", headers={"kid": "1"}).encode()
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _gateways(
    folder: Path, estates: tuple[Path, Path], environment: dict[str, str], shown: Mapping[str, bytes]
) -> AsyncIterator[_Doors]:
    free, guarded = step_port(LOOPBACK, 18680), step_port(LOOPBACK, 18780)
    role = ("--host", LOOPBACK, "--port")
    logs = folder / "free.log", folder / "guarded.log"
    scheduler = ("crossdock", "scheduler", "--estate", str(estates[0]))
    first = ("crossdock", "gateway", "--estate", str(estates[0]), *role, str(free))
    second = ("crossdock", "gateway", "--estate", str(estates[1]), *role, str(guarded))
    async with (
        process(*scheduler, log=folder / "scheduler.log", environment=environment),
        process(*first, log=logs[0], environment=environment) as one,
        process(*second, log=logs[1], environment=environment) as two,
    ):
        await answering(f"http://{LOOPBACK}:{free}/readyz", one, logs[0])
        await answering(f"http://{LOOPBACK}:{guarded}/readyz", two, logs[1])
        at = (f"http://{LOOPBACK}:{free}", one.pid), (f"http://{LOOPBACK}:{guarded}", two.pid)
        yield _Doors(folder, *at, shown)


async def _round(doors: _Doors, count: int, seed: int) -> dict[str, float]:
    seconds = dict.fromkeys(("free", *doors.credentials), 0.0)
    cpu = dict.fromkeys(seconds, 0.0)
    for part in range(SLICES):
        for name in seconds:
            (url, pid), header = doors.free, b""
            if name != "free":
                (url, pid), header = doors.guarded, b"Authorization: Bearer %s\r\n" % doors.credentials[name]
            file = store(doors.folder / "requests", gets(SKUS, count // SLICES, seed * SLICES + part, header))
            before = cpu_by_part(pid)
            poured = await pour_apart(url, file, CONNECTIONS)
            cpu[name] += spent(before, cpu_by_part(pid))["gateway"]
            if set(poured.statuses) != {200}:
                raise RuntimeError(f"{name}: answered {poured.statuses}")
            seconds[name] += poured.seconds
    rates = {name: count / took for name, took in seconds.items()}
    return {**rates, **{f"cpu {name}": used * 1000 / count for name, used in cpu.items()}}


def _finding(mid: dict[str, float]) -> Finding:
    return Finding(
        name=NAME,
        title=f"one SKU of {SKUS:,} a request, {CONNECTIONS} connections, with and without a door",
        figures=(
            Figure("without consumers", mid["free"], "requests/s"),
            Figure("with an API key", mid["key"], "requests/s"),
            Figure("with an access token", mid["token"], "requests/s"),
            Figure("CPU without consumers", mid["cpu free"], "s per 1,000"),
            Figure("CPU with an API key", mid["cpu key"], "s per 1,000"),
            Figure("CPU with an access token", mid["cpu token"], "s per 1,000"),
        ),
        checks=(
            Check(label="CPU with a key / without consumers", value=mid["cpu key"] / mid["cpu free"], at_most=1.5),
            Check(label="CPU with a token / without consumers", value=mid["cpu token"] / mid["cpu free"], at_most=1.5),
        ),
    )
