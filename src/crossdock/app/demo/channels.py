# SPDX-License-Identifier: Apache-2.0
"""What each channel was told, how soon, in how many calls, and what it sold; and whether it shows the right numbers."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.app.demo.control import Control
from crossdock.app.demo.figures import SQL
from crossdock.inventory.view import StockView

_SIMULATOR = {"shopify-us": "shopify"}


class ChannelCounts(Struct, frozen=True, kw_only=True):
    """One channel. Lag in seconds from a change of stock to the channel's acknowledgement. `fewest_calls` would have
    told the same changes in full calls. `sold`, `refused`: units by its own count (the store refuses none)."""

    lag_p50: float
    lag_p95: float
    lag_p99: float
    calls: int
    fewest_calls: int
    sold: int
    refused: int


async def channel_counts(conn: asyncpg.Connection, control: Control) -> dict[str, ChannelCounts]:
    """The figures of every channel that is told its stock."""
    found: dict[str, ChannelCounts] = {}
    for row in await conn.fetch(SQL.publications):
        sold, refused = await _sales(control, row["system"])
        found[row["system"]] = ChannelCounts(
            lag_p50=round(row["lag_p50"], 3),
            lag_p95=round(row["lag_p95"], 3),
            lag_p99=round(row["lag_p99"], 3),
            calls=row["calls"],
            fewest_calls=row["fewest_calls"],
            sold=sold,
            refused=refused,
        )
    return found


async def _sales(control: Control, system: str) -> tuple[int, int]:
    simulator = _SIMULATOR.get(system, system)
    if simulator == "shopify":
        orders = (await control.get(simulator, "orders"))["orders"]
        return sum(line["quantity"] for order in orders for line in order["lines"]), 0
    sales = await control.get(simulator, "sales")
    return sum(sales["sold"].values()), sum(sales["refused"].values())


async def told_equal(conn: asyncpg.Connection, control: Control, view: StockView) -> bool:
    """Whether every channel shows what it was told last, and that is what it may sell by the rules.

    A buffer that follows from measured lag moves with every measurement: there only the first is asked.
    """
    told = {(row["system"], row["sku"], row["location"]): row["told"] for row in await conn.fetch(SQL.told)}
    for channel in view.rules.channels.values():
        shown = await _shown(control, channel.system)
        ours = {(sku, place): number for (system, sku, place), number in told.items() if system == channel.system}
        if any(shown.get(key) != number for key, number in ours.items()):
            return False
        if channel.derived_buffer:
            continue
        for sku in view.skus:
            may = view.sellable(channel, sku)
            numbers = {"": may.total} if channel.summed else may.by_location
            if any(ours.get((sku, place), Decimal(0)) != number for place, number in numbers.items()):
                return False
    return True


async def _shown(control: Control, system: str) -> dict[tuple[str, str], Decimal]:
    """What a channel was last told by its own account, by SKU and location ("" where it has one number)."""
    simulator = _SIMULATOR.get(system, system)
    if simulator == "shopify":
        levels = (await control.get(simulator, "levels"))["levels"]
        return {(row["sku"], row["location"]): Decimal(row["set_to"]) for row in levels if row["set_to"] is not None}
    rows = (await control.get(simulator, "availability"))["availability"]
    return {(row["sku"], ""): Decimal(row["told"]) for row in rows}
