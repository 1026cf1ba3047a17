# SPDX-License-Identifier: Apache-2.0
"""Reserve: reservations of one to three lines of ten hot SKUs through the real gateway, each committed with fsync
before its answer, against the bare conditional statement on the same PostgreSQL at the same concurrency."""

from __future__ import annotations

import random
from pathlib import Path

import asyncpg
import msgspec
from msgspec import Struct

from bench.bare_reserve import Lines, take_apart
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.opposed import PORTAL, gateway_of, surroundings
from bench.orders import post, store
from bench.pour import Poured, pour_apart
from bench.stand import work_folder
from bench.usage import OWN, cpu_of, spent
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.canonical.master_data import Product
from crossdock.catalog.accept import accept_products
from crossdock.runtime.embedded import Engines
from crossdock.settings import Settings

NAME = "reserve"
CONNECTIONS = 32
SLICES = 4
HOT, WIDE = 10, 1_000
WARM = 300
LONG_CALLS = 7
PLACE = "EAST"
ESTATE = (
    PORTAL
    + """\
channels: {portal: {system: portal, entity: us, currency: USD, customer: WEB}}
locations: {EAST: {name: East}}
inventory: {channels: {portal: {locations: [EAST], publish: false}}}
"""
)
BARE = """
CREATE TABLE bare_level (sku text, location text, on_hand numeric, reserved numeric NOT NULL DEFAULT 0,
                         PRIMARY KEY (sku, location)) WITH (fillfactor = 70);
INSERT INTO bare_level (sku, location, on_hand) SELECT sku, location, on_hand FROM stock_level
"""


async def run(plan: Plan, say: Say) -> Finding:
    """Both in turns within a round, so that a busy machine disturbs both alike."""
    count = 2_000 if plan.quick else 12_000
    with work_folder() as folder:
        estate = folder / "estate.yaml"
        estate.write_text(ESTATE, "utf-8")
        settings = Settings(data=folder / "data")
        async with Engines.start(settings) as engines:
            await prepare(engines.database_url, wire(estate))
            await _fill(engines.database_url)
            async with gateway_of(folder, estate, surroundings(engines)) as (url, gateway):
                assert engines.postgres is not None
                stand = _Stand(folder, url, engines.database_url, (gateway, engines.postgres.pid))
                await stand.warm()
                rounds = []
                for number in range(plan.rounds):
                    rounds.append(await stand.round(count, number))
                    last = rounds[-1]
                    say(f"round {number + 1}: {last['ours']:,.0f}/s against {last['bare']:,.0f}/s")
                await stand.count()
    return _finding(count, medians(rounds))


class _Sent(Struct):
    number: int = 0
    units: int = 0


class _Stand:
    """A gateway and what was sent to it. `roots`: the processes whose CPU counts."""

    def __init__(self, folder: Path, url: str, database: str, roots: tuple[int, int]) -> None:
        self._folder, self._url, self._database, self._roots = folder, url, database, roots
        self._sent = _Sent()

    async def warm(self) -> None:
        """Connections are open and statements planned before anything is measured."""
        await self._pour(self._some(WARM))
        await self._bare(self._some(WARM))

    async def round(self, count: int, number: int) -> dict[str, float]:
        """Numbers of one round."""
        part = count // SLICES
        ours, bare, used, p50 = [], [], dict.fromkeys(OWN, 0.0), []
        for _ in range(SLICES):
            before = cpu_of(*self._roots)
            poured = await self._pour(self._some(part))
            for name, seconds in spent(before, cpu_of(*self._roots), part).items():
                used[name] = used.get(name, 0.0) + seconds / SLICES
            ours.append(part / poured.seconds)
            p50.append(poured.p50)
            bare.append(await self._bare(self._some(part)))
        rate = len(ours) / sum(1 / one for one in ours)
        limit = len(bare) / sum(1 / one for one in bare)
        half = await self._pour(self._some(max(part, 500)), rate=rate / 2)
        long = await self._pour([self._long() for _ in range(LONG_CALLS)], connections=1)
        return {
            "ours": rate,
            "bare": limit,
            "ratio": rate / limit,
            "full_p50": sum(p50) / len(p50) * 1000,
            "half_p50": half.p50 * 1000,
            "half_p99": half.p99 * 1000,
            "long": long.p50 * 1000,
            "gateway": used["gateway"],
            "postgres": used["postgres"],
        }

    async def count(self) -> None:
        """RuntimeError unless everything that was answered is there."""
        conn = await asyncpg.connect(self._database)
        try:
            kept = await conn.fetchrow("SELECT count(*) AS number FROM reservation")
            held = await conn.fetchval("SELECT sum(reserved) FROM stock_level")
        finally:
            await conn.close()
        if (kept["number"], held) != (self._sent.number, self._sent.units):
            raise RuntimeError(f"{self._sent} were answered, {kept['number']} reservations hold {held} units")

    def _some(self, count: int) -> list[Lines]:
        rng = random.Random(self._sent.number)
        return [
            [(f"HOT-{sku}", PLACE, rng.choice((1, 1, 2))) for sku in rng.sample(range(HOT), rng.choice((1, 1, 2, 3)))]
            for _ in range(count)
        ]

    def _long(self) -> Lines:
        return [(f"WIDE-{number}", PLACE, 1) for number in range(WIDE)]

    async def _pour(self, wanted: list[Lines], *, rate: float = 0.0, connections: int = CONNECTIONS) -> Poured:
        requests = []
        for number, lines in enumerate(wanted, self._sent.number):
            body = {
                "channel": "portal",
                "reference": f"cart {number}",
                "ttl_seconds": 3600,
                "lines": [{"sku": sku, "quantity": str(quantity), "unit": "EA"} for sku, _, quantity in lines],
            }
            headers = {"Content-Type": "application/json", "Idempotency-Key": f"key-{number}"}
            requests.append(post("/v1/reservations", headers, msgspec.json.encode(body)))
        self._sent.number += len(wanted)
        self._sent.units += sum(quantity for lines in wanted for _, _, quantity in lines)
        file = store(self._folder / "requests", requests)
        return await pour_apart(self._url, file, connections, rate=rate, accepted=201)

    async def _bare(self, wanted: list[Lines]) -> float:
        file = self._folder / "lines.json"
        file.write_bytes(msgspec.json.encode(wanted))
        bare = await take_apart(self._database, file, CONNECTIONS)
        return bare.count / bare.seconds


async def _fill(database: str) -> None:
    conn = await asyncpg.connect(database)
    skus = [*(f"HOT-{number}" for number in range(HOT)), *(f"WIDE-{number}" for number in range(WIDE))]
    try:
        await accept_products(conn, [(None, Product(sku=sku)) for sku in skus])
        await conn.executemany(
            "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ($1, $2, 1e8, 1, now())",
            [(sku, PLACE) for sku in skus],
        )
        await conn.execute(BARE)
        await conn.execute("ANALYZE")
    finally:
        await conn.close()


def _finding(count: int, found: dict[str, float]) -> Finding:
    return Finding(
        name=NAME,
        title=f"{count:,} reservations of 1 to 3 of {HOT} hot SKUs a round, {CONNECTIONS} connections",
        figures=(
            Figure("reserved through HTTP", found["ours"], "/s"),
            Figure("bare conditional statement", found["bare"], "/s", "one UPDATE a line, one commit a reservation"),
            Figure("p50 at full load", found["full_p50"], "ms"),
            Figure("p50 at half load", found["half_p50"], "ms"),
            Figure("gateway CPU", found["gateway"], "s per 1,000"),
            Figure("PostgreSQL CPU", found["postgres"], "s per 1,000"),
        ),
        checks=(
            Check(label="reserved / bare statement", value=found["ratio"], at_least=0.30),
            Check(label="p99 at half load", value=found["half_p99"], unit="ms", at_most=25.0),
            Check(label=f"a call of {WIDE:,} lines", value=found["long"], unit="ms", at_most=150.0),
        ),
    )
