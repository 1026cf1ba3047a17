# SPDX-License-Identifier: Apache-2.0
"""Channels: stock that changes faster than rate-limited channels can be told. Whether each ends up with the newest
number of every SKU, in how many calls, and how far it lags behind what its limit allows."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from bench.figures import Check, Figure, Finding, Plan, Say
from bench.stand import LOOPBACK, answering, process, work_folder
from bench.usage import MemoryPeak, cpu_by_part
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.inventory.level import Levels
from crossdock.inventory.lock import write_levels
from crossdock.runtime.embedded import Engines
from crossdock.runtime.processes import step_port
from crossdock.settings import Settings

NAME = "channels"
SKUS, SECONDS = 50_000, 60.0
CHANGES_PER_SECOND = 5_000
BATCHES_PER_SECOND = 20
NUMBERS_PER_CALL = 500
CALLS_PER_SECOND = {"portal": 10.0, "market": 5.0, "outlet": 2.0}
"""Every channel takes 500 numbers a call: the first can just be told every change, the others cannot."""
PATIENCE = 240.0

FILL = """
INSERT INTO product (sku, unit, body)
SELECT 'SKU-' || n, 'EA', '{}' FROM generate_series(1, $1::integer) AS n
"""
FILL_LEVELS = """
INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at)
SELECT 'SKU-' || n, 'EAST', 20 + n % 180, 1, now() FROM generate_series(1, $1::integer) AS n
"""
# The channels know the opening stock: what is measured is change.
FILL_TOLD = """
INSERT INTO channel_stock (system, sku, location, told, told_sequence, told_at)
SELECT system, 'SKU-' || n, '', 20 + n % 180, 1, now()
FROM generate_series(1, $1::integer) AS n, unnest($2::text[]) AS system
"""
CHANGE = """
UPDATE stock_level l SET on_hand = greatest(l.on_hand + c.by, 0), sequence = l.sequence + 1, changed_at = now()
FROM unnest($1::text[], $2::integer[]) AS c (sku, by)
WHERE l.sku = c.sku AND l.location = 'EAST'
RETURNING l.sku, l.location, l.on_hand, l.quarantined, l.allocated, l.reserved, l.sequence, l.changed_at
"""
UNTOLD = """
SELECT count(*) < $1 OR bool_or(p.waiting > 0 OR EXISTS (
    SELECT FROM event e WHERE e.type = 'inventory.level.changed' AND (e.xid, e.id) > (p.followed_xid, p.followed_id)
)) FROM publication p
"""
LAG = """
SELECT system, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - changed_at))::float8 AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - changed_at))::float8 AS p99
FROM told_stock GROUP BY system
"""
LEVELS = "SELECT sku, on_hand::bigint AS on_hand FROM stock_level"

ESTATE = """\
estate: bench-channels
owners: {web: {email: web@example.com}}
tiers: {gold: {settle_within: 15m}}
entities: {us: {name: Bench, currency: USD, erp: portal}}
"""


async def run(plan: Plan, say: Say) -> Finding:
    """One run; `quick` is a tenth of the SKUs and changes against a tenth of the numbers a second."""
    part = 10 if plan.quick else 1
    skus, changes, seconds = SKUS // part, CHANGES_PER_SECOND // part, 40.0 if plan.quick else SECONDS
    rates = {name: rate / part for name, rate in CALLS_PER_SECOND.items()}
    with work_folder() as folder:
        port = step_port(LOOPBACK, 18580)
        estate = write_estate(folder, port, rates)
        settings = Settings(data=folder / "data")
        async with Engines.start(settings) as engines, AsyncExitStack() as stack:
            await prepare(engines.database_url, wire(estate))
            conn = await asyncpg.connect(engines.database_url)
            stack.push_async_callback(conn.close)
            await conn.execute(FILL, skus)
            await conn.execute(FILL_LEVELS, skus)
            await conn.execute(FILL_TOLD, skus, list(rates))
            await conn.execute("VACUUM ANALYZE")
            words = [f"{name}={rate}" for name, rate in rates.items()]
            log = folder / "sink.log"
            sink = await stack.enter_async_context(process("bench.channel_sink", str(port), *words, log=log))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            await answering(f"http://{LOOPBACK}:{port}/portal/shown", sink, log)
            given = {
                "DATABASE_URL": engines.database_url,
                "NATS_URL": engines.nats_url,
                "CROSSDOCK_DATA": str(settings.data),
                "CROSSDOCK_LOG_LEVEL": "warning",
            }
            roles = [
                await stack.enter_async_context(
                    process("crossdock", role, "--estate", str(estate), log=folder / f"{role}.log", environment=given)
                )
                for role in ("worker", "scheduler")
            ]
            await _until_not(conn, len(rates))
            say(f"{skus:,} SKUs are known to {len(rates)} channels; {changes:,} changes/s for {seconds:.0f} s")
            with MemoryPeak(*(role.pid for role in roles)) as memory:
                before = _cpu([role.pid for role in roles])
                made = await _change(conn, skus, changes, seconds)
                used = _less(_cpu([role.pid for role in roles]), before)
                say(f"{made:,} changes made; waiting until every channel knows the newest")
                ended = time.monotonic()
                await _until_not(conn, len(rates))
            drained = time.monotonic() - ended
            figures = await _figures(conn, http, port, rates)
    return _finding(skus, made / seconds, figures, {**used, "drained": drained, "memory": memory.megabytes}, rates)


def write_estate(folder: Path, port: int, rates: Mapping[str, float]) -> Path:
    """An estate of channels that are told one number of a SKU, each with its rate."""
    (folder / "token").write_text("bench-token", "utf-8")
    (folder / "hook").write_text("whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=", "utf-8")
    systems = {
        name: {
            "connector": "channel_rest",
            "owner": "web",
            "settings": {"url": f"http://{LOOPBACK}:{port}/{name}"},
            "secrets": {"token": "file:token", "webhook": "file:hook"},
            "limits": {"rate": rate, "burst": max(1, round(rate))},
        }
        for name, rate in rates.items()
    }
    interfaces = {
        f"{name}.stock": {
            "system": name,
            "direction": "out",
            "operations": ["stock_levels"],
            "object": "stock_level",
            "owner": "web",
            "tier": "gold",
            "version": 1,
            "state": "active",
        }
        for name in rates
    }
    rest = {
        "systems": systems,
        "channels": {name: {"system": name, "entity": "us", "currency": "USD", "customer": "WEB"} for name in rates},
        "locations": {"EAST": {"system": "portal", "name": "East"}},
        "interfaces": interfaces,
        "routing": {"default_location": "EAST"},
        "inventory": {"channels": {name: {"locations": ["EAST"], "summed": True} for name in rates}},
    }
    file = folder / "estate.yaml"
    file.write_text(
        ESTATE + "".join(f"{key}: {msgspec.json.encode(value).decode()}\n" for key, value in rest.items()), "utf-8"
    )
    return file


async def _change(conn: asyncpg.Connection, skus: int, changes: int, seconds: float) -> int:
    """Change levels by chance, a batch a transaction as inventory writes them; how many changes were made."""
    rng, size, made = random.Random(7), changes // BATCHES_PER_SECOND, 0
    began = time.monotonic()
    for number in range(round(seconds * BATCHES_PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / BATCHES_PER_SECOND - time.monotonic()))
        chosen = sorted(f"SKU-{one + 1}" for one in rng.sample(range(skus), size))
        by = [rng.choice((-3, -2, -1, -1, 6)) for _ in chosen]
        async with conn.transaction():
            levels = Levels((), [(sku, "EAST") for sku in chosen])
            levels.absorb(await conn.fetch(CHANGE, chosen, by))
            await write_levels(conn, levels)
        made += size
    return made


async def _until_not(conn: asyncpg.Connection, channels: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await conn.fetchval(UNTOLD, channels):  # noqa: ASYNC110 - a table tells nobody
            await asyncio.sleep(0.1)


async def _figures(
    conn: asyncpg.Connection, http: aiohttp.ClientSession, port: int, rates: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """By channel: calls, numbers told, what it shows that is not the newest, lags."""
    ours = {row["sku"]: row["on_hand"] for row in await conn.fetch(LEVELS)}
    opening = {f"SKU-{n}": 20 + n % 180 for n in range(1, len(ours) + 1)}
    lags = {row["system"]: row for row in await conn.fetch(LAG)}
    found: dict[str, dict[str, float]] = {}
    for name in rates:
        async with http.get(f"http://{LOOPBACK}:{port}/{name}/shown") as answer:
            state: dict[str, Any] = msgspec.json.decode(await answer.read())
        shown = {**opening, **state["shown"]}
        found[name] = {
            "calls": state["calls"],
            "throttled": state["throttled"],
            "numbers": state["numbers"],
            "wrong": sum(1 for sku, level in ours.items() if shown[sku] != level),
            "p50": lags[name]["p50"],
            "p99": lags[name]["p99"],
        }
    return found


def _cpu(roots: list[int]) -> dict[str, float]:
    return {part: seconds for root in roots for part, seconds in cpu_by_part(root).items()}


def _less(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {part: seconds - before.get(part, 0.0) for part, seconds in after.items()}


def _finding(
    skus: int,
    changes: float,
    found: Mapping[str, Mapping[str, float]],
    used: Mapping[str, float],
    rates: Mapping[str, float],
) -> Finding:
    # When everything always waits, a number has its turn again after the time all of them take.
    cycles = {name: skus / (rate * NUMBERS_PER_CALL) for name, rate in rates.items()}
    fewest = {name: math.ceil(one["numbers"] / NUMBERS_PER_CALL) for name, one in found.items()}
    wrong = sum(one["wrong"] for one in found.values())
    figures = [
        figure
        for name, one in found.items()
        for figure in (
            Figure(
                f"{name}: calls",
                one["calls"],
                "",
                f"fewest {fewest[name]}, over its limit {one['throttled']:.0f}",
            ),
            Figure(f"{name}: numbers told", one["numbers"]),
            Figure(f"{name}: lag p50", one["p50"], "s"),
            Figure(f"{name}: lag p99", one["p99"], "s", f"all SKUs take it {cycles[name]:.0f} s at its limit"),
        )
    ]
    return Finding(
        name=NAME,
        title=f"{changes:,.0f} changes/s over {skus:,} SKUs, told to {len(found)} rate-limited channels",
        figures=(
            *figures,
            Figure("every channel knew all after the last change", used["drained"], "s"),
            Figure("CPU of worker while stock changed", used.get("worker", 0.0), "s"),
            Figure("CPU of scheduler while stock changed", used.get("scheduler", 0.0), "s"),
            Figure("peak memory of worker and scheduler", used["memory"], "MB"),
        ),
        checks=(
            Check(label="numbers that are not the newest", value=wrong, at_most=0),
            Check(
                label="calls / fewest possible, worst channel",
                value=max(one["calls"] / max(1, fewest[name]) for name, one in found.items()),
                at_most=1.1,
            ),
            Check(
                label="lag p99 / what the limit allows, worst channel",
                value=max(one["p99"] / cycles[name] for name, one in found.items()),
                at_most=1.5,
            ),
        ),
    )
