# SPDX-License-Identifier: Apache-2.0
"""An outage of one system stops no other: orders are taken and reach everybody else meanwhile, and the system that was
away has everything once it is back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from tests.crash.outside import Counted, counted, differences
from tests.crash.rest import at_rest
from tests.crash.stack import Stack
from tests.crash.stream import EVENT_IDS, stream_ids

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("crash-rest")]
ORDERS = 30


async def _order(stack: Stack, seed: int) -> set[str]:
    """Place orders, move some stock; the orders of this call, all of them acknowledged."""
    before = set((await counted(stack)).placed)
    run = await stack.control.post("shopify", "orders", {"count": ORDERS, "seed": seed, "rate": 100.0})
    moved = {"count": 40, "seed": seed, "batch": 10, "rate": 100.0, "skus": 40}
    moves = await stack.control.post("warehouse", "movements", moved)
    await stack.control.finish("shopify", run)
    await stack.control.finish("warehouse", moves)
    placed = set((await counted(stack)).placed) - before
    assert len(placed) == ORDERS
    await _until(stack, lambda seen: placed <= {h["key"] for h in seen.webhooks if h["acknowledged"]})
    return placed


async def _until(stack: Stack, reached: Callable[[Counted], bool], *, within: float = 30.0) -> None:
    async with asyncio.timeout(within):
        while not reached(await counted(stack)):  # noqa: ASYNC110 - simulators tell when asked
            await asyncio.sleep(0.1)


def _in_erp(seen: Counted) -> set[str]:
    return {record["externalId"].removeprefix("shopify-us-") for record in seen.erp}


def _in_warehouse(seen: Counted) -> set[str]:
    return {order["reference"].removeprefix("shopify-us/").partition("#")[0] for order in seen.wanted}


async def test_while_the_erp_is_away_orders_are_taken_and_the_warehouse_gets_them(stack: Stack) -> None:
    await stack.control.post("netsuite", "faults", {"kind": "down"})
    placed = await _order(stack, seed=101)
    await _until(stack, lambda seen: placed <= _in_warehouse(seen))
    assert not placed & _in_erp(await counted(stack))
    await stack.control.delete("netsuite", "faults")
    await at_rest(stack)
    assert await differences(stack) == []


async def test_while_the_warehouse_is_away_orders_are_taken_and_the_erp_gets_them(stack: Stack) -> None:
    await stack.control.post("warehouse", "faults", {"kind": "down"})
    placed = await _order(stack, seed=102)
    await _until(stack, lambda seen: placed <= _in_erp(seen))
    assert not placed & _in_warehouse(await counted(stack))
    await stack.control.delete("warehouse", "faults")
    await at_rest(stack)
    assert await differences(stack) == []


async def test_while_the_store_takes_nothing_its_orders_go_on_and_stock_and_shipments_reach_it_later(
    stack: Stack,
) -> None:
    await stack.control.post("shopify", "faults", {"kind": "down"})
    told = (await counted(stack)).levels
    placed = await _order(stack, seed=103)
    await _until(stack, lambda seen: placed <= _in_erp(seen) & _in_warehouse(seen))
    shipped = [one["reference"] for one in (await counted(stack)).wanted if one["status"] == "open"][:20]
    await stack.control.post("warehouse", "ship", {"references": shipped})
    await _until(stack, lambda seen: len(seen.booked_out) >= len(seen.shipments) >= len(shipped))
    meanwhile = await counted(stack)
    assert meanwhile.levels == told
    assert not any(order["fulfillments"] for order in meanwhile.placed.values())
    await stack.control.delete("shopify", "faults")
    await at_rest(stack)
    assert await differences(stack) == []


@pytest.mark.parametrize("kind", ["error_after", "cut_after"])
async def test_an_erp_that_fails_after_it_made_the_order_still_has_it_once(stack: Stack, kind: str) -> None:
    await stack.control.post("netsuite", "faults", {"kind": kind, "match": "salesOrder", "count": 6})
    await _order(stack, seed=105)
    await at_rest(stack)
    unused = [fault["count"] for fault in (await stack.control.get("netsuite", "faults"))["faults"]]
    assert sum(unused) == 0
    assert await differences(stack) == []


async def test_while_nats_hangs_the_path_goes_on_and_every_event_follows_exactly_once_in_order(stack: Stack) -> None:
    noticed = stack.count_logged("relay.engine_away")
    (nats,) = stack.living("nats")
    # Stopped in its tracks: if it ended it would be started again at once.
    nats.send_signal(signal.SIGSTOP)
    try:
        placed = await _order(stack, seed=104)
        await _until(stack, lambda seen: placed <= _in_erp(seen) & _in_warehouse(seen))
        # What was published is unknown by then, and will be published again.
        await stack.logged("relay.engine_away", times=noticed + 1)
    finally:
        nats.send_signal(signal.SIGCONT)
    await at_rest(stack)
    rows = await stack.fetch(EVENT_IDS)
    assert await stream_ids(stack.endpoints.nats_url) == [row["name"] for row in rows]
    assert await differences(stack) == []
