# SPDX-License-Identifier: Apache-2.0
"""A channel is told what it may sell: the newest number of each SKU, stock-outs at once, again when it did not hear."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from crossdock.delivery import stock, tell
from crossdock.errors import EngineAway, NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.inventory import conflate
from crossdock.inventory.publish import begin_call
from crossdock.inventory.rules import Held
from crossdock.inventory.tell_again import tell_again
from crossdock.sdk.manifest import Limits, Sends
from crossdock.sdk.sending import Delivered
from tests.delivery.publishing import LEVELS, SHOP, at_rest, publishing
from tests.delivery.scripted import SALES_ORDER, Owed, Scripted, failed, until
from tests.inventory.test_apply import entered, movement


@pytest.fixture
def sender() -> Scripted:
    return Scripted()


def told(sender: Scripted) -> list[dict[str, int]]:
    """Per call: SKU → number."""
    calls = [batch for batch in sender.batches if batch[0].operation == "stock_levels"]
    return [{item.document.sku: int(item.document.on_hand) for item in batch} for batch in calls]


async def known(pool: asyncpg.Pool) -> dict[str, int | None]:
    rows = await pool.fetch("SELECT sku, told FROM channel_stock ORDER BY sku")
    return {row["sku"]: None if row["told"] is None else int(row["told"]) for row in rows}


async def test_only_the_newest_number_travels_in_one_call_and_nothing_is_subtracted_twice(
    pool: asyncpg.Pool, sender: Scripted
) -> None:
    for number in range(30):
        await entered(pool, [movement(f"a{number}", "1"), movement(f"b{number}", "2", sku="CD-2")])
    async with publishing(pool, sender, channel=replace(SHOP, held=Held(safety=3))):
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"CD-1": 27, "CD-2": 57}]
    (batch,) = sender.batches
    level = batch[0].document
    assert (level.location, level.safety, level.allocated, level.reserved) == ("EAST", 0, 0, 0)
    assert await known(pool) == {"CD-1": 27, "CD-2": 57}
    row = await pool.fetchrow("SELECT channel, waiting, problems, calls, fewest_calls, lag_p50 > 0 FROM publication")
    assert tuple(row) == ("us", 0, 0, 1, 1, True)
    assert await pool.fetchval("SELECT count(*) FROM told_stock WHERE told_at >= changed_at") == 2
    # This sender answers each item by itself.
    assert await pool.fetchval("SELECT count(*) FROM exchange") == 2


async def test_a_summed_channel_is_told_one_number_of_a_sku(pool: asyncpg.Pool, sender: Scripted) -> None:
    await entered(pool, [movement("m1", "10"), movement("m2", "5", location="WEST")])
    async with publishing(pool, sender, channel=replace(SHOP, locations=("EAST", "WEST"), summed=True)):
        await until(lambda: at_rest(pool))
    assert [[(i.document.sku, i.document.location, i.document.on_hand) for i in b] for b in sender.batches] == [
        [("CD-1", "", 15)]
    ]


async def test_a_stock_out_does_not_wait_for_rest(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2")])
    async with publishing(pool, sender):
        await until(lambda: at_rest(pool))
        monkeypatch.setattr(conflate, "QUIET_SECONDS", 3600.0)
        monkeypatch.setattr(conflate, "LONGEST_WAIT", 3600.0)
        await entered(pool, [movement("m3", "-1", "ship", sku="CD-2")])
        await entered(pool, [movement("m4", "-10", "ship")])
        await until(lambda: at_rest(pool))
    assert told(sender)[1:] == [{"CD-1": 0, "CD-2": 4}]
    assert [item.document.sku for item in sender.batches[1]] == ["CD-1", "CD-2"]


async def test_a_number_that_moves_while_it_is_told_is_told_again(pool: asyncpg.Pool, sender: Scripted) -> None:
    await entered(pool, [movement("m1", "10")])
    sender.gate = asyncio.Event()
    async with publishing(pool, sender):
        await until(lambda: sender.batches)
        await entered(pool, [movement("m2", "1")])
        sender.gate.set()
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"CD-1": 10}, {"CD-1": 11}]
    first, second = (batch[0].document.sequence for batch in sender.batches)
    assert first < second
    assert sender.most_at_once == 1


async def test_calls_run_side_by_side_within_the_systems_limits(pool: asyncpg.Pool, sender: Scripted) -> None:
    one_a_call = Sends(operation="stock_levels", object="stock_level", batch=1, idempotency="absolute")
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2"), movement("m3", "5", location="WEST")])
    sender.gate = asyncio.Event()
    channel = replace(SHOP, locations=("EAST", "WEST"))
    async with publishing(pool, sender, one_a_call, channel=channel, limits=Limits(concurrency=2, timeout=5.0)):
        await until(lambda: sender.most_at_once == 2)
        sender.gate.set()
        await until(lambda: at_rest(pool))
    assert (sender.most_at_once, len(sender.batches)) == (2, 3)


@pytest.mark.parametrize(
    ("error", "arrived"),
    [
        (RetryLater("429", throttled=True, after=0.3), False),
        (NeedsConfig("token expired"), False),
        (RetryLater("503", after=0.1), True),
        (OutcomeUnknown("cut"), True),
    ],
)
async def test_a_failed_call_is_made_again_with_what_is_true_then(
    pool: asyncpg.Pool, sender: Scripted, error: Any, arrived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "CONFIG_PAUSE", 0.1)
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender):
        await until(lambda: at_rest(pool))
        sender.script["CD-1@EAST"] = [failed(error)]
        await entered(pool, [movement("m2", "1")])
        await until(lambda: len(sender.batches) >= 3)
        await until(lambda: _reason(pool, error.reason))
        assert await known(pool) == {"CD-1": None if arrived else 10}
        await entered(pool, [movement("m3", "-1", "adjustment")])
        await asyncio.sleep(0)
        sender.script.clear()
        await until(lambda: at_rest(pool))
    # What surely did not arrive need not be told once it is what the channel shows; what may have arrived must be.
    assert await known(pool) == {"CD-1": 10}
    assert told(sender)[:3] == [{"CD-1": 10}, {"CD-1": 11}, {"CD-1": 11}]
    assert not arrived or told(sender)[-1] == {"CD-1": 10}
    row = await pool.fetchrow("SELECT p.reason, c.problem FROM publication p, channel_stock c")
    assert row["problem"] == ""


async def _reason(pool: asyncpg.Pool, reason: str) -> bool:
    return bool(await pool.fetchval("SELECT reason = $1 FROM publication", reason))


async def test_a_channel_that_was_down_hears_the_newest_numbers_only(pool: asyncpg.Pool, sender: Scripted) -> None:
    await entered(pool, [movement("m1", "10"), movement("m2", "10", sku="CD-2")])
    async with publishing(pool, sender):
        await until(lambda: at_rest(pool))
        down = failed(RetryLater("503", after=0.1))
        sender.script = {"CD-1@EAST": [down], "CD-2@EAST": [down]}
        for number in range(5):
            await entered(pool, [movement(f"n{number}", "1"), movement(f"o{number}", "1", sku="CD-2")])
        await until(lambda: len(sender.batches) >= 3)
        await entered(pool, [movement("n9", "-15", "ship"), movement("o9", "1", sku="CD-2")])
        failures = len(sender.batches)
        sender.script.clear()
        await until(lambda: at_rest(pool))
    last = {sku: number for call in told(sender)[failures:] for sku, number in call.items()}
    assert last == {"CD-1": 0, "CD-2": 16}
    assert await known(pool) == {"CD-1": 0, "CD-2": 16}


async def test_a_throttled_system_rests_with_its_deliveries(pool: asyncpg.Pool, sender: Scripted) -> None:
    sender.script["CD-1@EAST"] = [failed(RetryLater("429", throttled=True, after=30.0))]
    owed = Owed(pool)
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender, LEVELS, SALES_ORDER) as driver:
        await until(lambda: sender.batches)
        await until(lambda: not driver.open)
        await owed.order("A", {"system": "shop"})
        await until(lambda: _reason(pool, "429"))
    assert len(sender.batches) == 1


async def test_a_refused_sku_keeps_its_reason_and_stops_no_other(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "FIRST_REFUSAL", 600.0)
    monkeypatch.setattr(tell, "LONGEST_REFUSAL", 600.0)
    sender.script["CD-1@EAST"] = [failed(NeedsEdit("no such item"))]
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2")])
    async with publishing(pool, sender):
        await until(lambda: _problems(pool, 1))
        await entered(pool, [movement("m3", "1"), movement("m4", "1", sku="CD-2")])
        await until(lambda: _known(pool, "CD-2", 6))
        row = await pool.fetchrow("SELECT told, problem, not_before > now() FROM channel_stock WHERE sku = 'CD-1'")
        assert tuple(row) == (None, "no such item", True)
    # A worker that takes over leaves it alone as well, until its time has come.
    async with publishing(pool, sender, worker="w2"):
        await until(lambda: _problems(pool, 1))
        await entered(pool, [movement("m5", "1", sku="CD-2")])
        await until(lambda: _known(pool, "CD-2", 7))
    assert told(sender) == [{"CD-1": 10, "CD-2": 5}, {"CD-2": 6}, {"CD-2": 7}]
    sender.script.clear()
    await pool.execute("UPDATE channel_stock SET not_before = now() WHERE sku = 'CD-1'")
    async with publishing(pool, sender, worker="w3"):
        await until(lambda: at_rest(pool))
    assert told(sender)[-1] == {"CD-1": 11}
    assert await pool.fetchval("SELECT count(*) FROM channel_stock WHERE problem <> ''") == 0


async def _problems(pool: asyncpg.Pool, number: int) -> bool:
    return bool(await pool.fetchval("SELECT problems = $1 AND waiting = $1 FROM publication", number))


async def _known(pool: asyncpg.Pool, sku: str, number: int) -> bool:
    return (await known(pool)).get(sku) == number


async def test_a_number_that_spoils_its_calls_is_found_and_stops_no_other(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "LONGEST_WAIT", 0.1)
    sender.script["CD-1@EAST"] = [ValueError("a bug")]
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2")])
    async with publishing(pool, sender):
        await until(lambda: _known(pool, "CD-2", 5))
        await until(lambda: _problems(pool, 1))
    row = await pool.fetchrow("SELECT problem FROM channel_stock WHERE sku = 'CD-1'")
    assert row["problem"] == "the connector failed: ValueError: a bug"


async def test_a_worker_that_takes_over_tells_what_differs_and_nothing_else(
    pool: asyncpg.Pool, sender: Scripted
) -> None:
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2")])
    async with publishing(pool, sender):
        await until(lambda: at_rest(pool))
    await entered(pool, [movement("m3", "1")])
    async with publishing(pool, sender, worker="w2"):
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"CD-1": 10, "CD-2": 5}, {"CD-1": 11}]


async def test_a_call_that_died_with_its_worker_is_made_again(pool: asyncpg.Pool, sender: Scripted) -> None:
    """The number is back at the one last acknowledged, but nobody knows whether the channel took the one between."""
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender):
        await until(lambda: at_rest(pool))
    before = sender.batches[0][0].document.sequence
    await pool.execute(
        "INSERT INTO publication_call (system, sequence, skus, locations) VALUES ('shop', $1, '{CD-1}', '{EAST}')",
        before + 10**9,
    )
    async with publishing(pool, sender, worker="w2"):
        await until(lambda: at_rest(pool))
    # How often it is made again depends on how long the machine takes; that it is, and later than the one that died.
    assert len(told(sender)) >= 2
    assert all(one == {"CD-1": 10} for one in told(sender))
    assert sender.batches[-1][0].document.sequence > before + 10**9
    assert await pool.fetchval("SELECT count(*) FROM publication_call") == 0


@pytest.mark.parametrize("error", [EngineAway("cut"), ValueError("a bug")])
async def test_a_call_whose_note_may_have_been_written_is_taken_over(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    cut: list[int | None] = []

    async def begin(*args: Any) -> int | None:
        noted = await begin_call(*args)
        if not cut:
            cut.append(noted)
            raise error
        return noted

    monkeypatch.setattr(stock, "begin_call", begin)
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender):
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"CD-1": 10}]
    assert len(cut) == 1
    assert cut[0] is not None
    assert await pool.fetchval("SELECT count(*) FROM publication_call") == 0


async def test_how_long_a_mended_listing_took_is_no_lag(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "FIRST_REFUSAL", 600.0)
    sender.script["CD-1@EAST"] = [failed(NeedsEdit("not listed")), Delivered(reference="listed by now")]
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender):
        await until(lambda: _problems(pool, 1))
        row = await pool.fetchrow("SELECT waiting_since, lag_p50, lag_p99 FROM publication")
        assert tuple(row) == (None, 0, 0)
        async with pool.acquire() as conn:
            await tell_again(conn, "shop", [("CD-1", "EAST")])
        await until(lambda: at_rest(pool))
    assert tuple(await pool.fetchrow("SELECT waiting_since, lag_p50, lag_p99 FROM publication")) == (None, 0, 0)


async def test_changed_rules_are_told_when_a_worker_starts_with_them(pool: asyncpg.Pool, sender: Scripted) -> None:
    await entered(pool, [movement("m1", "10"), movement("m2", "5", location="WEST")])
    async with publishing(pool, sender, channel=replace(SHOP, locations=("EAST", "WEST"))):
        await until(lambda: at_rest(pool))
    async with publishing(pool, sender, channel=replace(SHOP, held=Held(cap=4)), worker="w2"):
        await until(lambda: at_rest(pool))
    calls = [{item.reference: int(item.document.on_hand) for item in batch} for batch in sender.batches]
    assert calls == [{"CD-1@EAST": 10, "CD-1@WEST": 5}, {"CD-1@EAST": 4, "CD-1@WEST": 0}]
    assert await pool.fetchval("SELECT max(told_at - changed_at) < $1 FROM told_stock", timedelta(minutes=1))


async def test_goods_that_come_within_the_horizon_are_told(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.inventory.feed.REFRESH_SECONDS", 0.2)
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender, channel=replace(SHOP, horizon=timedelta(days=2))):
        await until(lambda: at_rest(pool))
        await pool.execute(
            "INSERT INTO expected_stock (reference, sku, location, source, quantity, due_at, version, status, "
            "document_id) VALUES ('PO-1', 'CD-1', 'EAST', 'erp', 7, now() + interval '1 day', 1, 'open', 1)"
        )
        await until(lambda: _known(pool, "CD-1", 17))
    assert told(sender) == [{"CD-1": 10}, {"CD-1": 17}]


async def test_deliveries_and_levels_go_on_after_the_breaker_was_open(pool: asyncpg.Pool, sender: Scripted) -> None:
    """A breaker whose probe finds nothing to send but levels must not stay half-open for good."""
    owed = Owed(pool)
    for number in range(5):
        sender.script[f"F{number}"] = [failed(RetryLater("503", after=2.0))]
        await owed.order(f"F{number}", {"system": "shop"})
    async with publishing(pool, sender, LEVELS, SALES_ORDER):
        await until(lambda: breaker(pool, "open"))
        sender.script.clear()
        for number in range(10):
            await entered(pool, [movement(f"m{number}", "1")])
        await until(lambda: at_rest(pool))
        await entered(pool, [movement("last", "1")])
        await until(lambda: at_rest(pool))
        await until(owed.at_rest)
    assert set((await owed.states()).values()) == {"delivered"}
    assert told(sender)[-1] == {"CD-1": 11}


async def breaker(pool: asyncpg.Pool, state: str) -> bool:
    return bool(await pool.fetchval("SELECT breaker = $1 FROM system_lease WHERE system = 'shop'", state))


async def test_a_paused_system_is_told_nothing_until_it_goes_on(pool: asyncpg.Pool, sender: Scripted) -> None:
    await pool.execute("INSERT INTO system_lease (system, worker, expires_at, paused) VALUES ('shop', '', now(), true)")
    await entered(pool, [movement("m1", "10")])
    async with publishing(pool, sender):
        await until(lambda: pool.fetchval("SELECT waiting = 1 FROM publication"))
        assert sender.batches == []
        await pool.execute("UPDATE system_lease SET paused = false")
        await until(lambda: at_rest(pool))
    assert told(sender) == [{"CD-1": 10}]


async def test_a_number_somebody_doubts_is_told_again_and_a_refused_one_at_once(
    pool: asyncpg.Pool, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "FIRST_REFUSAL", 600.0)
    monkeypatch.setattr(tell, "LONGEST_REFUSAL", 600.0)
    sender.script["CD-2@EAST"] = [failed(NeedsEdit("not listed")), Delivered(reference="listed by now")]
    await entered(pool, [movement("m1", "10"), movement("m2", "5", sku="CD-2")])
    async with publishing(pool, sender):
        await until(lambda: _problems(pool, 1))
        async with pool.acquire() as conn:
            await tell_again(conn, "shop", [("CD-2", "EAST"), ("CD-1", "EAST")])
        await until(lambda: _known(pool, "CD-1", 10))
        await until(lambda: _known(pool, "CD-2", 5))
    assert sorted(sku for call in told(sender)[1:] for sku in call) == ["CD-1", "CD-2"]
