# SPDX-License-Identifier: Apache-2.0
"""Play a morning at a distributor: orders pour in, some twice, out of order or broken; stock moves; shipments leave."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from crossdock.app.demo.control import Control

HOOKS = {
    "shopify": ["orders/create", "orders/updated", "orders/cancelled"],
    "warehouse": ["stock.movements", "stock.counted", "shipment.confirmed"],
}
# Shares of the orders that are not what they should be.
DOUBLED, OVERTAKEN, CHANGED, CANCELLED = 0.05, 0.05, 0.03, 0.02
BROKEN = ("unknown_sku", "totals_dont_add_up", "negative_total", "missing_address", "wrong_currency", "truncated_json")
MOVEMENTS_PER_ORDER = 2
OPENING = 400


class Script(Struct, frozen=True, kw_only=True):
    """How much is played. `rate`: orders a second, None = as fast as they are taken."""

    orders: int
    seed: int
    rate: float | None = None
    faults: str = ""


async def open_doors(control: Control, gateway: str) -> None:
    """Have every simulator send its webhooks to `gateway`, and the warehouse count its opening stock."""
    for system, topics in HOOKS.items():
        await control.subscribe(system, topics, gateway)
    await control.post("warehouse", "opening", {"quantity": OPENING})


async def play(control: Control, script: Script) -> None:
    """Play the script to its end; what it set in motion may still be under way when this returns."""
    orders = asyncio.create_task(_orders(control, script))
    movements = asyncio.create_task(_movements(control, script))
    shipping = asyncio.create_task(_ship_until(control, orders))
    await asyncio.gather(orders, movements)
    await shipping


async def _orders(control: Control, script: Script) -> None:
    count = script.orders
    each = max(1, count // 250)
    broken = dict.fromkeys(BROKEN, each) if count >= 50 else {"unknown_sku": 1}
    run = await control.post(
        "shopify",
        "orders",
        {
            "count": count,
            "seed": script.seed,
            "rate": script.rate,
            "concurrency": 32,
            "broken": broken,
            "duplicates": int(count * DOUBLED),
            "reorder": int(count * OVERTAKEN),
            "updates": int(count * CHANGED),
            "cancels": int(count * CANCELLED),
        },
    )
    await control.finish("shopify", run)


async def _movements(control: Control, script: Script) -> None:
    count = script.orders * MOVEMENTS_PER_ORDER
    rate = script.rate * MOVEMENTS_PER_ORDER if script.rate else None
    run = await control.post(
        "warehouse", "movements", {"count": count, "seed": script.seed, "batch": 50, "rate": rate, "skus": 200}
    )
    await control.finish("warehouse", run)


async def _ship_until(control: Control, orders: asyncio.Task[None]) -> None:
    """Ship half of what is open every second until the orders are in, some of it in part."""
    while not orders.done():
        await asyncio.sleep(1.0)
        await control.post("warehouse", "ship", {"max": 400, "fraction": 0.5, "partial": 0.1})
