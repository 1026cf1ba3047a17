# SPDX-License-Identifier: Apache-2.0
"""Orders: orders of 5 lines placed through the real gateway, checked, each committed with fsync before its answer, and
carts validated from memory; against the same server that decodes the same bodies and echoes them."""

from __future__ import annotations

import random
from pathlib import Path

import asyncpg
import msgspec

from bench.echo_server import __name__ as LIMIT
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.opposed import PORTAL, gateway_of, limit_of, surroundings
from bench.orders import post, store
from bench.pour import Poured, pour_apart
from bench.stand import work_folder
from bench.usage import cpu_of, spent
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.canonical.master_data import Customer, Product
from crossdock.catalog.accept import accept_customers, accept_products
from crossdock.runtime.embedded import Engines
from crossdock.settings import Settings

NAME = "orders"
CONNECTIONS = 64
SLICES = 4
WARM = 500
PRODUCTS, ACCOUNTS, LINES = 2_000, 500, 5
ESTATE = (
    PORTAL
    + """\
channels: {portal: {system: portal, entity: us, currency: USD, api: true}}
locations: {EAST: {name: East}, WEST: {name: West}}
routing: {default_location: EAST}
inventory: {channels: {portal: {locations: [EAST, WEST], publish: false}}}
"""
)


async def run(plan: Plan, say: Say) -> Finding:
    """All three in turns within a round, so that a busy machine disturbs them alike."""
    count = 4_000 if plan.quick else 12_000
    with work_folder() as folder:
        estate = folder / "estate.yaml"
        estate.write_text(ESTATE, "utf-8")
        async with Engines.start(Settings(data=folder / "data")) as engines:
            await prepare(engines.database_url, wire(estate))
            await _fill(engines.database_url)
            async with gateway_of(folder, estate, surroundings(engines)) as ours, limit_of(folder, LIMIT) as theirs:
                assert engines.postgres is not None
                stand = _Stand(folder, ours[0], theirs[0], (ours[1], engines.postgres.pid))
                await stand.warm()
                rounds = []
                for number in range(1, plan.rounds + 1):
                    rounds.append(await stand.round(count))
                    last = rounds[-1]
                    say(
                        f"round {number}: {last['placed']:,.0f}/s placed, {last['validated']:,.0f}/s validated, "
                        f"{last['echoed']:,.0f}/s echoed"
                    )
            await _all_there(engines.database_url, stand.placed)
    return _finding(count, medians(rounds))


class _Stand:
    """The gateway, the server that echoes, and what was sent to them. `roots`: the processes whose CPU counts."""

    def __init__(self, folder: Path, ours: str, theirs: str, roots: tuple[int, int]) -> None:
        self._folder, self._ours, self._theirs, self._roots = folder, ours, theirs, roots
        self._rng = random.Random(7)
        self.placed = 0

    async def warm(self) -> None:
        """Connections are open and statements planned before anything is measured."""
        await self._place(WARM)
        await self._validate(WARM)
        await self._echo(WARM)

    async def round(self, count: int) -> dict[str, float]:
        """Numbers of one round."""
        part = count // SLICES
        echoed, placed, validated = [], [], []
        used = {"gateway": 0.0, "postgres": 0.0}
        for _ in range(SLICES):
            echoed.append(await self._echo(part))
            before = cpu_of(*self._roots)
            placed.append(await self._place(part))
            for name, seconds in spent(before, cpu_of(*self._roots)).items():
                used[name] = used.get(name, 0.0) + seconds
            validated.append(await self._validate(part))
        rate, validations, limit = _rate(placed), _rate(validated), _rate(echoed)
        half = await self._place(max(part, 500), rate=rate / 2)
        half_cart = await self._validate(max(part, 500), rate=validations / 2)
        return {
            "placed": rate,
            "validated": validations,
            "echoed": limit,
            "place_ratio": rate / limit,
            "validate_ratio": validations / limit,
            "place_p50": half.p50 * 1000,
            "place_p99": half.p99 * 1000,
            "validate_p50": half_cart.p50 * 1000,
            "validate_p99": half_cart.p99 * 1000,
            "gateway": used["gateway"] * 1000 / count,
            "postgres": used["postgres"] * 1000 / count,
        }

    async def _place(self, count: int, *, rate: float = 0.0) -> Poured:
        requests = []
        for number in range(self.placed, self.placed + count):
            headers = {"Content-Type": "application/json", "Idempotency-Key": f"key-{number}"}
            requests.append(post("/v1/orders", headers, self._order(number)))
        self.placed += count
        return await self._pour(self._ours, requests, rate, 201)

    async def _validate(self, count: int, *, rate: float = 0.0) -> Poured:
        headers = {"Content-Type": "application/json"}
        requests = [post("/v1/orders:validate", headers, self._order(number)) for number in range(count)]
        return await self._pour(self._ours, requests, rate, 200)

    async def _echo(self, count: int) -> Poured:
        headers = {"Content-Type": "application/json"}
        requests = [post("/", headers, self._order(number)) for number in range(count)]
        return await self._pour(self._theirs, requests, 0.0, 200)

    async def _pour(self, url: str, requests: list[bytes], rate: float, accepted: int) -> Poured:
        file = store(self._folder / "requests", requests)
        return await pour_apart(url, file, CONNECTIONS, rate=rate, accepted=accepted)

    def _order(self, number: int) -> bytes:
        rng = self._rng
        return msgspec.json.encode(
            {
                "channel": "portal",
                "customer": {"id": f"ACCOUNT-{rng.randint(1, ACCOUNTS)}"},
                "po_number": f"PO-{number}",
                "ship_to": {
                    "company": "Acme Inc.",
                    "street": f"Oak Ave {number}",
                    "city": "Boise",
                    "region": "ID",
                    "postal_code": "83702",
                    "country": "US",
                },
                "lines": [
                    {
                        "sku": f"BENCH-{rng.randint(1, PRODUCTS)}",
                        "quantity": str(rng.randint(1, 24)),
                        "unit_price": f"{rng.randint(100, 20_000) / 100:.2f}",
                    }
                    for _ in range(LINES)
                ],
                "charges": [{"kind": "shipping", "amount": "9.00"}],
            }
        )


def _rate(slices: list[Poured]) -> float:
    return sum(sum(one.statuses.values()) for one in slices) / sum(one.seconds for one in slices)


async def _fill(database: str) -> None:
    conn = await asyncpg.connect(database)
    skus = [f"BENCH-{number}" for number in range(1, PRODUCTS + 1)]
    accounts = [f"ACCOUNT-{number}" for number in range(1, ACCOUNTS + 1)]
    try:
        await accept_products(conn, [(None, Product(sku=sku)) for sku in skus])
        await accept_customers(conn, [(None, Customer(customer_id=one)) for one in accounts])
        await conn.executemany(
            "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ($1, $2, 1e6, 1, now())",
            [(sku, place) for sku in skus for place in ("EAST", "WEST")],
        )
        await conn.execute("ANALYZE")
    finally:
        await conn.close()


async def _all_there(database: str, expected: int) -> None:
    conn = await asyncpg.connect(database)
    try:
        found = await conn.fetchval("SELECT count(*) FROM message m JOIN document d ON d.message_id = m.id")
    finally:
        await conn.close()
    if found != expected:
        raise RuntimeError(f"{expected} orders were acknowledged, {found} are in the journal")


def _finding(count: int, mid: dict[str, float]) -> Finding:
    return Finding(
        name=NAME,
        title=f"{count:,} orders of {LINES} lines a round, {CONNECTIONS} connections, committed before the answer",
        figures=(
            Figure("placed", mid["placed"], "orders/s"),
            Figure("validated", mid["validated"], "carts/s"),
            Figure("the same server decoding and echoing", mid["echoed"], "requests/s", "nothing checked or stored"),
            Figure("placing, p50 at half load", mid["place_p50"], "ms"),
            Figure("validating, p50 at half load", mid["validate_p50"], "ms"),
            Figure("CPU of the gateway", mid["gateway"], "s per 1,000 placed"),
            Figure("CPU of PostgreSQL", mid["postgres"], "s per 1,000 placed"),
        ),
        checks=(
            Check(label="placed / echoed", value=mid["place_ratio"], at_least=0.25),
            Check(label="validated / echoed", value=mid["validate_ratio"], at_least=0.40),
            Check(label="placing, p99 at half load", value=mid["place_p99"], unit="ms", at_most=30.0),
            Check(label="validating, p99 at half load", value=mid["validate_p99"], unit="ms", at_most=30.0),
        ),
    )
