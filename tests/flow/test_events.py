# SPDX-License-Identifier: Apache-2.0
"""Business events reach subscribers in commit order, none lost and none twice, also when NATS was away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from crossdock.journal.outbox import STREAM, SUBJECTS
from crossdock.journal.replay import Wanted, replay
from crossdock.runtime.embedded import Engines, erase
from crossdock.runtime.nats import Bus
from crossdock.settings import Settings
from tests.api.test_asyncapi import check_event
from tests.flow.staging import Stage, staged


async def read(bus: Bus) -> list[str]:
    """Ids of all events on the stream, in its order."""
    subscription = await bus.subscribe(STREAM, "test", SUBJECTS[0])
    ids = []
    while messages := await subscription.fetch(500, within=0.5):
        for message in messages:
            ids.append(msgspec.json.decode(message.payload)["id"])
            await message.ack()
    await subscription.close()
    return ids


async def written(pool: asyncpg.Pool) -> list[str]:
    """Ids of all events that the outbox stands for; a row of many is an event per element."""
    rows = await pool.fetch("SELECT e.xid::text AS xid, id, many, data FROM event e ORDER BY e.xid, id")
    ids = []
    for row in rows:
        place = f"{row['xid']}-{row['id']}"
        number = len(msgspec.json.decode(row["data"])) if row["many"] else 0
        ids += [f"{place}-{n}" for n in range(1, number + 1)] if row["many"] else [place]
    return ids


LEVELS = "inventory.level.changed"
MOVED = "sales_order.state_changed"


async def relayed(pool: asyncpg.Pool) -> bool:
    """Nothing waits in the outbox."""
    return not await pool.fetchval("SELECT count(*) FROM event e, outbox_cursor c WHERE (e.xid, e.id) > (c.xid, c.id)")


async def test_every_event_is_relayed_once_and_in_order(stage: Stage, bus: Bus) -> None:
    orders = [stage.order() for _ in range(30)]
    await asyncio.gather(*(stage.hook(order) for order in orders))
    await stage.rest()
    stage.ship()
    await stage.rest()
    await stage.until(lambda: relayed(stage.pool))
    events = await written(stage.pool)
    # Accepted, brought to ERP and warehouse; shipped, brought to ERP and store; picked and shipped in the ledger.
    # How often levels and availability are told of depends on which movements met in a batch.
    kinds = await stage.pool.fetch(
        "SELECT type, count(*) FROM event WHERE type <> ALL($1) GROUP BY type ORDER BY type",
        [LEVELS, MOVED, "availability.changed"],
    )
    assert [tuple(row) for row in kinds] == [
        ("fulfillment_order.delivered", 30),
        ("sales_order.accepted", 30),
        ("sales_order.delivered", 30),
        ("shipment.confirmed", 30),
        ("shipment.delivered", 60),
        ("stock.movements_applied", 60),
    ]
    # ERP or warehouse may be first. An order goes from state to state without a gap, and ends shipped.
    moves: dict[str, list[dict[str, Any]]] = {}
    for row in await stage.pool.fetch("SELECT key, data FROM event WHERE type = $1 ORDER BY xid, id", MOVED):
        moves.setdefault(row["key"], []).append(msgspec.json.decode(row["data"]))
    assert len(moves) == 30
    for told in moves.values():
        # ERP and warehouse may answer at the same moment: then `sequence` says which move came first.
        way = sorted(told, key=lambda one: int(one["sequence"]))
        assert [one["sequence"] for one in way] == list(range(2, len(way) + 2))
        assert [one["before"] for one in way] == ["accepted", *(one["state"] for one in way[:-1])]
        assert [one["state"] for one in way[-2:]] == ["allocated", "shipped"]
    assert await read(bus) == events
    async for message in replay(bus, Wanted()):
        check_event(msgspec.json.decode(message.payload))
    levels_told = await stage.pool.fetch("SELECT data FROM event WHERE type = $1 ORDER BY xid, id", LEVELS)
    newest = {one["key"]: one["data"]["on_hand"] for row in levels_told for one in msgspec.json.decode(row["data"])}
    levels = await stage.pool.fetch("SELECT sku, location, on_hand FROM stock_level WHERE sequence > 0")
    assert newest == {f"stock/{row['sku']}@{row['location']}": str(row["on_hand"]) for row in levels}


async def test_events_wait_for_nats_and_orders_go_on_meanwhile(
    pool: asyncpg.Pool, database: str, tmp_path: Path
) -> None:
    settings = Settings.from_environment({"DATABASE_URL": database}, data=tmp_path / "engines")
    engines = Engines(settings, watch=False)
    await engines.open()
    try:
        async with staged(pool, database, engines.nats_url, tmp_path) as stage:
            await stage.hook(stage.order())
            await stage.rest()
            await stage.until(lambda: relayed(pool))
            before = len(await written(pool))
            await engines.stop()
            order = stage.order()
            assert await stage.hook(order) == 200
            await stage.rest()
            assert stage.key(order) in stage.in_erp()
            assert not await relayed(pool)
            await engines.open()
            await stage.until(lambda: relayed(pool))
            bus = await Bus.connect(engines.nats_url)
            events = await written(pool)
            assert await read(bus) == events
            # Accepted, taken by ERP and warehouse; and one or two states more, by who was first.
            assert len(events) - before in (4, 5)
            await bus.close()
    finally:
        await engines.stop()
        erase(tmp_path / "engines")
