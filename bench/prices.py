# SPDX-License-Identifier: Apache-2.0
"""Prices: carts of five lines quoted by the real gateway from contracts, channel and base lists, against the same
server that decodes the question and echoes it."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

import aiohttp
import asyncpg
import msgspec
from msgspec import Struct

from bench.echo_prices import __name__ as LIMIT
from bench.figures import Check, Figure, Finding, Plan, Say, medians
from bench.opposed import PORTAL, Opposed, gateway_of, limit_of, surroundings
from bench.orders import post, store
from bench.pour import Poured, pour_apart
from bench.stand import work_folder
from bench.usage import spent
from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.canonical.master_data import Customer, Product, UnitConversion
from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.catalog.accept import accept_customers, accept_products
from crossdock.catalog.accept_prices import accept_price_lists
from crossdock.runtime.embedded import Engines
from crossdock.settings import Settings

NAME = "prices"
PATH = "/v1/prices:quote"
CONNECTIONS = 32
SLICES = 4
LINES = 5
CUSTOMERS = 100
WIDE = 1_000
LONG_CALLS = 7
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ESTATE = (
    PORTAL
    + """\
channels: {portal: {system: portal, entity: us, currency: USD, customer: C-1}}
locations: {EAST: {name: East}}
"""
)


class _Stand(Struct, frozen=True):
    """The gateway and the server that echoes, and how many SKUs there are."""

    folder: Path
    at: Opposed
    skus: int


async def run(plan: Plan, say: Say) -> Finding:
    """Both take turns within a round."""
    skus = 2_000 if plan.quick else 20_000
    with work_folder() as folder:
        estate = folder / "estate.yaml"
        estate.write_text(ESTATE, "utf-8")
        async with Engines.start(Settings(data=folder / "data")) as engines:
            await prepare(engines.database_url, wire(estate))
            await _fill(engines.database_url, skus)
            async with gateway_of(folder, estate, surroundings(engines)) as ours, limit_of(folder, LIMIT) as theirs:
                stand = _Stand(folder, Opposed(ours[0], theirs[0], ours[1], theirs[1]), skus)
                await _read_in(stand)
                rounds = []
                for number in range(plan.rounds):
                    rounds.append(await _round(stand, 2_000 if plan.quick else 12_000, number))
                    last = rounds[-1]
                    say(f"round {number + 1}: {last['ours']:,.0f}/s quoted, {last['theirs']:,.0f}/s echoed")
    return _finding(skus, medians(rounds))


async def _fill(database: str, skus: int) -> None:
    """Every SKU in a base and a channel list with two breaks; each customer has a contract for a twentieth of them."""
    conn = await asyncpg.connect(database)
    names = [f"BENCH-{number}" for number in range(skus)]
    case = (UnitConversion(unit="CS", factor=Decimal(12)),)
    try:
        await accept_products(conn, [(None, Product(sku=sku, units=case)) for sku in names])
        customers = [f"C-{number}" for number in range(CUSTOMERS)]
        await accept_customers(conn, [(None, Customer(customer_id=name, currency="USD")) for name in customers])
        lists = [_list("BASE", names, "10.00"), _list("PORTAL", names, "9.50", channel="portal")]
        for number, name in enumerate(customers):
            lists.append(_list(f"CONTRACT-{name}", names[number % 20 :: 20], "8.75", customer=name))
        for one in lists:
            await accept_price_lists(conn, [(None, one)])
    finally:
        await conn.close()


def _list(list_id: str, skus: list[str], price: str, customer: str = "", channel: str = "") -> PriceList:
    breaks = tuple(
        QuantityBreak(from_quantity=Decimal(begins), price=Decimal(price) - Decimal(less))
        for begins, less in ((12, "0.50"), (144, "1.00"))
    )
    entries = tuple(PriceEntry(sku=sku, price=Decimal(price), breaks=breaks) for sku in skus)
    return PriceList(
        price_list_id=list_id,
        currency="USD",
        customer=customer,
        channel=channel,
        effective_from=SINCE,
        entries=entries,
    )


async def _read_in(stand: _Stand) -> None:
    """Return when the gateway quotes every line of a long cart; the figures of long calls come from `_long`."""
    while not (await _quote(stand, stand.skus))["complete"]:  # noqa: ASYNC110 - the gateway is asked
        await asyncio.sleep(0.05)


async def _round(stand: _Stand, count: int, seed: int) -> dict[str, float]:
    used = {"gateway": 0.0, "limit": 0.0}
    ours: list[Poured] = []
    theirs: list[Poured] = []
    for part in range(SLICES):
        file = store(stand.folder / "requests", _carts(stand.skus, count // SLICES, seed * SLICES + part))
        before = stand.at.cpu()
        theirs.append(await pour_apart(stand.at.theirs, file, CONNECTIONS))
        between = stand.at.cpu()
        ours.append(await pour_apart(stand.at.ours, file, CONNECTIONS))
        used["gateway"] += spent(between, stand.at.cpu())["gateway"]
        used["limit"] += spent(before, between)["limit"]
    seconds = sum(one.seconds for one in ours)
    file = store(stand.folder / "requests", _carts(stand.skus, count // 2, -1 - seed))
    half = await pour_apart(stand.at.ours, file, CONNECTIONS, rate=count / seconds / 2)
    return {
        "ours": count / seconds,
        "theirs": count / sum(one.seconds for one in theirs),
        "ratio": sum(one.seconds for one in theirs) / seconds,
        "p50": half.p50 * 1000,
        "p99": half.p99 * 1000,
        "long": await _long(stand),
        "cpu": used["gateway"] * 1000 / count,
        "cpu_limit": used["limit"] * 1000 / count,
    }


def _carts(skus: int, count: int, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    return [post(PATH, {"Content-Type": "application/json"}, _cart(rng, skus, LINES)) for _ in range(count)]


def _cart(rng: random.Random, skus: int, lines: int) -> bytes:
    wanted = [
        {
            "sku": f"BENCH-{rng.randrange(skus)}",
            "quantity": str(rng.choice((1, 2, 6, 12, 24, 200))),
            "unit": rng.choice(("EA", "EA", "CS")),
        }
        for _ in range(lines)
    ]
    return msgspec.json.encode({"channel": "portal", "customer": f"C-{rng.randrange(CUSTOMERS)}", "lines": wanted})


async def _long(stand: _Stand) -> float:
    took = []
    for number in range(LONG_CALLS):
        began = time.perf_counter()
        await _quote(stand, number)
        took.append(time.perf_counter() - began)
    return median(took) * 1000


async def _quote(stand: _Stand, seed: int) -> dict[str, object]:
    headers = {"Content-Type": "application/json"}
    body = _cart(random.Random(seed), stand.skus, WIDE)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stand.at.ours}{PATH}", data=body, headers=headers) as answer,
    ):
        told: dict[str, object] = msgspec.json.decode(await answer.read())
        return told if answer.status == 200 else {"complete": False}


def _finding(skus: int, mid: dict[str, float]) -> Finding:
    return Finding(
        name=NAME,
        title=f"carts of {LINES} of {skus:,} SKUs, {CUSTOMERS} contracts, {CONNECTIONS} connections",
        figures=(
            Figure("quoted", mid["ours"], "carts/s"),
            Figure("the same server decoding and echoing", mid["theirs"], "carts/s"),
            Figure("p50 at half load", mid["p50"], "ms"),
            Figure(f"a call of {WIDE:,} lines", mid["long"], "ms"),
            Figure("CPU of the gateway", mid["cpu"], "s per 1,000"),
            Figure("CPU of the server that echoes", mid["cpu_limit"], "s per 1,000"),
        ),
        checks=(
            Check(label="quoted / echoed", value=mid["ratio"], at_least=0.4),
            Check(label="p99 at half load", value=mid["p99"], unit="ms", at_most=30.0),
        ),
    )
