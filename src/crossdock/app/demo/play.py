# SPDX-License-Identifier: Apache-2.0
"""Play a morning at a distributor: three channels sell the same goods, stock moves, shipments leave.

The store's orders pour in, some twice, out of order or broken; the portal reserves before its buyers order, the
marketplace sells what it was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from crossdock.app.demo.control import Control

HOOKS = {
    "shopify": ["orders/create", "orders/updated", "orders/cancelled"],
    "warehouse": ["stock.movements", "stock.counted", "shipment.confirmed", "return.received"],
    "portal": ["order.placed", "order.cancelled"],
    "marketplace": ["order.placed", "order.cancelled"],
}
# Shares of the orders that are not what they should be.
DOUBLED, OVERTAKEN, CHANGED, CANCELLED = 0.05, 0.05, 0.03, 0.02
BROKEN = ("unknown_sku", "totals_dont_add_up", "negative_total", "missing_address", "wrong_currency", "truncated_json")
MOVEMENTS_PER_ORDER = 2
OPENING = 400
# SKUs that everybody wants: how many there are, what the doors open with at each location, and how many carts the
# portal and the marketplace have per order of the store.
SCARCE = 8
SCARCE_OPENING = 40
CARTS_PER_ORDER = {"portal": 0.2, "marketplace": 0.5}
# Carts that nobody pays for, and orders that are cancelled later.
ABANDONED, REGRETTED = 0.1, 0.05
RESERVED_SECONDS = 10


class Script(Struct, frozen=True, kw_only=True):
    """How much is played. `rate`: orders a second, None = as fast as they are taken. `gateway`: where the portal
    reserves; `scarce`: the SKUs that everybody wants; both are filled in when the stage stands."""

    orders: int
    seed: int
    gateway: str = ""
    scarce: tuple[str, ...] = ()
    rate: float | None = None
    faults: str = ""


async def open_doors(control: Control, gateway: str, scarce: Sequence[str] = ()) -> None:
    """Have every simulator there is send its webhooks to `gateway`, and the warehouse receive its opening stock."""
    for system, topics in HOOKS.items():
        if system in control.systems:
            await control.subscribe(system, topics, gateway)
    few = dict.fromkeys(scarce, SCARCE_OPENING)
    await control.post("warehouse", "opening", {"quantity": OPENING, "scarce": few})


async def play(control: Control, script: Script) -> None:
    """Play the script to its end; what it set in motion may still be under way when this returns."""
    orders = asyncio.create_task(_orders(control, script))
    selling = asyncio.gather(
        orders,
        _movements(control, script),
        _carts(control, script, "portal", {"mode": "reserve", "crossdock": script.gateway, "channel": "portal"}),
        _carts(control, script, "marketplace", {"mode": "shown"}),
    )
    await asyncio.gather(selling, _ship_until(control, selling))


async def _carts(control: Control, script: Script, market: str, how: dict[str, Any]) -> None:
    """Buyers on the portal or the marketplace, most of whom want what is scarce."""
    run = await control.post(
        market,
        "sell",
        {
            "count": max(1, int(script.orders * CARTS_PER_ORDER[market])),
            "seed": script.seed,
            "rate": script.rate * CARTS_PER_ORDER[market] if script.rate else None,
            "concurrency": 8,
            "hot": list(script.scarce),
            "abandon": ABANDONED,
            "cancels": REGRETTED,
            "ttl_seconds": RESERVED_SECONDS,
            **how,
        },
    )
    await control.finish(market, run)


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
            "scarce": list(script.scarce),
        },
    )
    await control.finish("shopify", run)


async def _movements(control: Control, script: Script) -> None:
    count = script.orders * MOVEMENTS_PER_ORDER
    rate = script.rate * MOVEMENTS_PER_ORDER if script.rate else None
    run = await control.post(
        "warehouse",
        "movements",
        {
            "count": count,
            "seed": script.seed,
            "batch": 50,
            "rate": rate,
            "skus": 200,
            "wanted": list(script.scarce),
        },
    )
    await control.finish("warehouse", run)


async def _ship_until(control: Control, orders: asyncio.Future[Any]) -> None:
    """Ship half of what is open every second until the orders are in, some of it in part."""
    while not orders.done():
        await asyncio.sleep(1.0)
        await control.post("warehouse", "ship", {"max": 400, "fraction": 0.5, "partial": 0.1})
