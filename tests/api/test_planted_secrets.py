# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens and secrets are planted wherever a request can hold them, at every route of a gateway process; none of
them comes out in an answer, a page, a header or the log."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import httpx

from crossdock.api.access_table import TABLE
from crossdock.estate.consumers import SCOPES
from crossdock.governance.issue_keys import KeyWish, create_key
from tests.api.serving import gateway, ground

CONSUMERS = """
plans: {gold: {}}
consumers:
  portal: {owner: web, plan: gold, scopes: [SCOPES], channels: all, customers: all}
"""
SIGNATURE = "c2lnbmF0dXJlLW9mLWEtdG9rZW4tdGhhdC1pcy1wbGFudGVk"
TOKEN = f"eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUifQ.{SIGNATURE}"
PAGES = ("/console", "/console/search", "/console/cases", "/console/systems", "/docs", "/openapi.json", "/metrics")
JSON = {"content-type": "application/json"}


def requests(planted: str) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Method, address, headers and body of requests that hold `planted`, at every route and page."""
    made: list[tuple[str, str, dict[str, str], bytes]] = []
    for route in TABLE:
        plain = re.sub(r"\{(\w+)(:path)?\}", "17", route.path)
        holed = re.sub(r"\{(\w+)(:path)?\}", planted, route.path)
        made += [
            (route.method, holed, {}, b""),
            (route.method, f"{plain}?q={planted}&since={planted}&{planted}=1&limit={planted}", {}, b""),
            ("PUT", holed, {}, b""),
        ]
        if route.method == "POST":
            header = {**JSON, "idempotency-key": planted}
            for body in (f'{{"{planted}": "{planted}"}}', f'{{"channel": "{planted}", "lines": "{planted}"}}', planted):
                made.append((route.method, plain, header, body.encode()))
    made += [("GET", f"{page}?q={planted}", {}, b"") for page in PAGES]
    made += [("GET", f"/{planted}", {}, b""), ("GET", f"/schemas/{planted}/1", {}, b"")]
    made += [
        ("POST", f"/hooks/portal/{planted}", JSON, planted.encode()),
        ("POST", f"/hooks/{planted}/order", JSON, b"{}"),
    ]
    return made


async def test_nothing_that_was_planted_comes_out(
    pool: asyncpg.Pool, database: str, nats_url: str, tmp_path: Path
) -> None:
    on = await ground(pool, database, nats_url, tmp_path)
    scopes = ", ".join(f'"{scope}"' for scope in SCOPES)
    on.estate.write_text(on.estate.read_text("utf-8") + CONSUMERS.replace("SCOPES", scopes), "utf-8")
    async with pool.acquire() as conn:
        made, _ = await create_key(conn, KeyWish(consumer="portal"))
    key = made.key.reveal()
    hook_secret = (tmp_path / "secret").read_text("utf-8")
    log = tmp_path / "gateway.log"
    out: list[tuple[str, str]] = []
    async with gateway(on, log=log) as (url, _), httpx.AsyncClient(base_url=url, timeout=60) as client:
        for planted in (key, TOKEN):
            for credential in (key, TOKEN, f"{key}x"):
                for method, address, headers, body in requests(planted):
                    shown = {**headers, "authorization": f"Bearer {credential}"}
                    got = await client.request(method, address, headers=shown, content=body)
                    out.append((f"{method} {address[:60]}", f"{got.headers} {got.text}"))
        out += [(page, (await client.get(page)).text) for page in PAGES]
    out.append(("the log", log.read_text("utf-8")))
    secrets = {
        "key": key[len("cdk_0123456789ab_") :],
        "token": SIGNATURE,
        "hook": hook_secret,
    }
    leaks = {(name, where) for where, said in out for name, secret in secrets.items() if secret in said}
    assert not leaks, "\n".join(sorted(f"{name} {where}" for name, where in leaks))
    assert len(out) > 1_000
    assert "gateway.listens" in log.read_text("utf-8")
