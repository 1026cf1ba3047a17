# SPDX-License-Identifier: Apache-2.0
"""A driver brings every obligation to its system once, in order per key, whatever the system answers."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from crossdock.delivery import drive
from crossdock.errors import AlreadyDone, NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.manifest import Limits, Sends
from crossdock.sdk.sending import Delivered, Exchange, Failed
from crossdock.triage.act import act
from crossdock.triage.retry import retry
from tests.delivery.scripted import SALES_ORDER, Owed, Scripted, driven, failed, system, until
from tests.journal.filling import Filling


@pytest.fixture
def owed(pool: asyncpg.Pool) -> Owed:
    return Owed(pool)


@pytest.fixture
def sender() -> Scripted:
    return Scripted()


async def cases(pool: asyncpg.Pool) -> list[tuple[Any, ...]]:
    rows = await pool.fetch("SELECT step, class, rule, reason, state FROM triage_case ORDER BY id")
    return [tuple(row) for row in rows]


async def test_what_is_owed_is_delivered_and_settles_its_document(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    await owed.order("A", {}, {"key": "order/shop/A"})
    tries: list[tuple[str, str]] = []
    async with driven(pool, system(sender), tries=tries):
        await until(owed.at_rest)
    assert sender.log == [("send", "A"), ("send", "A.1")]
    one = await owed.one("A")
    assert (one["state"], one["their_reference"], one["tries"]) == ("delivered", "erp-A", ["delivered"])
    assert (one["document_state"], one["open_deliveries"]) == ("settled", 0)
    events = await pool.fetch("SELECT type, key, convert_from(data, 'UTF8')::jsonb ->> 'their_reference' FROM event")
    assert [tuple(row) for row in events] == [
        ("sales_order.delivered", "order/shop/A", "erp-A"),
        ("sales_order.delivered", "order/shop/A", "erp-A.1"),
    ]
    row = await pool.fetchrow("SELECT method, status FROM exchange LIMIT 1")
    assert tuple(row) == ("PUT", 200)
    assert tries == [("netsuite", "delivered")] * 2
    assert sender.closed
    assert await pool.fetchval("SELECT count(*) FROM delivery_claim") == 0
    assert await pool.fetchval("SELECT expires_at < now() FROM system_lease WHERE system = 'netsuite'")


async def test_a_failed_try_is_made_again_under_the_same_key(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    sender.script["A"] = [failed(RetryLater("503", after=0.0)), Delivered(reference="7")]
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    one = await owed.one("A")
    assert (one["tries"], one["errors"], one["attempts"]) == (["retry", "delivered"], ["503", ""], 2)
    (first,), (second,) = sender.batches
    assert first.idempotency_key == second.idempotency_key == str(one["idempotency_key"])
    assert (first.attempt, second.attempt) == (1, 2)
    assert sender.log == [("send", "A"), ("send", "A")]


async def test_an_unknown_outcome_that_had_its_effect_is_not_sent_again(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    sender.script["A"] = [failed(OutcomeUnknown("connection cut"))]
    sender.has.add("A")
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert sender.log == [("send", "A"), ("find", "A")]
    one = await owed.one("A")
    assert (one["state"], one["their_reference"], one["tries"]) == ("delivered", "found-A", ["unknown", "delivered"])


async def test_an_unknown_outcome_without_effect_is_sent_again(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    sender.script["A"] = [failed(OutcomeUnknown("connection cut")), Delivered(reference="7")]
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert sender.log == [("send", "A"), ("find", "A"), ("send", "A")]


@pytest.mark.parametrize("trouble", [RetryLater("503", after=0.0), NeedsConfig("expired"), ValueError("a bug")])
async def test_nothing_is_sent_before_a_look_has_succeeded(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted, trouble: BaseException
) -> None:
    sender.script["A"] = [failed(OutcomeUnknown("connection cut"))]
    sender.looks = [trouble, trouble]
    sender.has.add("A")
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert sender.log == [("send", "A"), ("find", "A"), ("find", "A"), ("find", "A")]
    assert (await owed.one("A"))["tries"] == ["unknown", "unknown", "unknown", "delivered"]


async def test_a_sender_that_raises_is_an_unknown_outcome_and_stops_nobody(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    sender.script["A"] = [ValueError("a bug"), Delivered(reference="7")]
    await owed.order("A")
    await owed.order("B")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert [entry for entry in sender.log if entry[1] == "A"] == [("send", "A"), ("find", "A"), ("send", "A")]
    assert (await owed.one("A"))["errors"][0] == "the connector failed: ValueError: a bug"
    assert (await owed.one("B"))["tries"] == ["delivered"]


async def test_a_sender_that_answers_too_little_is_an_unknown_outcome(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = sender.send

    async def once_nothing(operation: str, batch: Any) -> Any:
        monkeypatch.setattr(sender, "send", answered)
        return []

    monkeypatch.setattr(sender, "send", once_nothing)
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert sender.log == [("find", "A"), ("send", "A")]


async def test_already_done_counts_as_delivered(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    sender.script["A"] = [failed(AlreadyDone("there", reference="77"))]
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    one = await owed.one("A")
    assert (one["state"], one["their_reference"], one["document_state"]) == ("delivered", "77", "settled")


async def test_what_the_system_refuses_is_a_case_that_holds_back_its_own_key_only(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    refusal = NeedsEdit("no such item CD-9", field="lines[0].sku", rule="netsuite.item", value="CD-9", fix="map it")
    sender.script["A"] = [failed(refusal), Delivered(reference="7")]
    async with pool.acquire() as conn:
        await Filling(conn).interfaces()
    document = await owed.order("A", {}, {"system": "warehouse", "operation": "other"})
    await owed.order("A2", key="order/shop/A")
    for name in "BCD":
        await owed.order(name)
    async with driven(pool, system(sender)):
        await until(lambda: len(sender.log) == 4)
        await until(lambda: _count(pool, "triage_case"))
        assert sorted(sender.log) == [("send", name) for name in "ABCD"]
        assert await cases(pool) == [("deliver", "needs_edit", "netsuite.item", "no such item CD-9", "open")]
        row = await pool.fetchrow("SELECT field, value, fix, owner, document_id, system FROM triage_case")
        assert tuple(row) == ("lines[0].sku", "CD-9", "map it", "shopify-us-team", document, "netsuite")
        assert (await owed.one("A"))["document_state"] == "case"
        assert (await owed.states())["A2"] == "due"
        async with pool.acquire() as conn:
            case = await conn.fetchval("SELECT id FROM triage_case")
            assert await act(conn, lambda c: retry(c, [case], by="jo", origin="cli")) == 1
        await until(lambda: _delivered(owed, "A2"))
    assert [entry for entry in sender.log if entry[1] in ("A", "A2")] == [("send", "A"), ("send", "A"), ("send", "A2")]
    assert [case[-1] for case in await cases(pool)] == ["resolved"]
    assert (await owed.one("A"))["document_state"] == "delivering"


async def _count(pool: asyncpg.Pool, table: str) -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM {table}"))


async def _delivered(owed: Owed, reference: str) -> bool:
    return (await owed.states())[reference] == "delivered"


async def test_deliveries_of_a_key_go_one_after_the_other(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    sender.script["first"] = [failed(RetryLater("503", after=0.0))] * 2 + [Delivered(reference="1")]
    for name in ("first", "second", "third"):
        await owed.order(name, key="order/shop/A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert [name for _, name in sender.log] == ["first", "first", "first", "second", "third"]


async def test_a_case_at_one_system_does_not_hold_back_another(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    await owed.order("A", {"system": "warehouse", "state": "case"}, {})
    async with driven(pool, system(sender)):
        await until(lambda: _delivered(owed, "A.1"))
    assert await owed.states() == {"A": "case", "A.1": "delivered"}
    assert (await owed.one("A"))["document_state"] == "case"


async def test_a_delivery_that_keeps_failing_while_others_succeed_is_a_case(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    sender.script["A"] = [failed(RetryLater("500 Internal Server Error", after=0.0))]
    await owed.order("A")
    async with driven(pool, system(sender)):
        for number in range(200):
            await owed.order(f"good{number}")
            await owed.hurry()
            await asyncio.sleep(0.05)
            if (await owed.states())["A"] == "case":
                break
    one = await owed.one("A")
    assert (one["state"], one["tries"]) == ("case", ["retry"] * 7 + ["keeps failing"])
    (case,) = await cases(pool)
    assert case[3] == "failed 8 times while the system served others: 500 Internal Server Error"


async def test_while_the_system_is_away_it_is_left_in_peace_and_nothing_becomes_a_case(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    down = [failed(RetryLater("503"))]
    for number in range(40):
        sender.script[str(number)] = list(down)
        await owed.order(str(number))
    async with driven(pool, system(sender)):
        await until(lambda: _breaker(pool, "open"))
        sender.script.clear()
        await until(owed.at_rest)
    # Concurrency of 4 and 32 ahead may be under way when it opens, and a probe or two; not all forty again and again.
    assert len(sender.log) <= 40 + 40 + 5
    assert await cases(pool) == []
    assert set((await owed.states()).values()) == {"delivered"}
    assert await _breaker(pool, "closed")


async def _breaker(pool: asyncpg.Pool, state: str) -> bool:
    return bool(await pool.fetchval("SELECT breaker = $1 FROM system_lease WHERE system = 'netsuite'", state))


async def test_refused_credentials_open_the_breaker_at_once_and_it_recovers(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "CONFIG_PAUSE", 0.6)
    sender.script["A"] = [failed(NeedsConfig("the token has expired")), Delivered(reference="7")]
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(lambda: _breaker(pool, "open"))
        assert await pool.fetchval("SELECT breaker_reason FROM system_lease") == "the token has expired"
        await owed.order("B")
        await until(owed.at_rest)
    assert await cases(pool) == []
    assert (await owed.one("A"))["tries"] == ["needs config", "delivered"]
    assert await _breaker(pool, "closed")


async def test_a_throttled_system_is_left_alone_and_the_try_becomes_no_case(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    sender.script["A"] = [failed(RetryLater("429", throttled=True, after=0.05))] * 12 + [Delivered(reference="7")]
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert (await owed.one("A"))["tries"] == ["throttled"] * 12 + ["delivered"]
    assert await cases(pool) == []


async def test_concurrency_and_batch_are_kept(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    batched = Sends(operation="sales_order", object="sales_order", batch=5, idempotency="lookup")
    for number in range(40):
        await owed.order(str(number))
    async with driven(pool, system(sender, batched, limits=Limits(concurrency=2, timeout=5.0))):
        await until(owed.at_rest)
    assert sender.most_at_once <= 2
    assert max(len(batch) for batch in sender.batches) == 5
    assert sorted(name for _, name in sender.log) == sorted(str(number) for number in range(40))


async def test_a_paused_system_is_not_sent_to(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    await pool.execute("INSERT INTO system_lease (system, paused) VALUES ('netsuite', true)")
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(lambda: _worker(pool, "w1"))
        await asyncio.sleep(0.5)
        assert sender.log == []
        await pool.execute("UPDATE system_lease SET paused = false")
        await until(owed.at_rest)


async def _worker(pool: asyncpg.Pool, name: str) -> bool:
    return bool(await pool.fetchval("SELECT worker = $1 FROM system_lease WHERE system = 'netsuite'", name))


async def test_references_given_back_earlier_are_known_to_later_deliveries(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    await owed.order("A")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
        await owed.order("A2", key="order/shop/A")
        await until(owed.at_rest)
    (last,) = sender.batches[-1]
    assert last.known == {"netsuite/sales_order": "erp-A", "netsuite/sales_order/A": "erp-A"}


async def test_a_delivery_no_operation_takes_is_a_case_and_stops_nobody(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    await owed.order("A", {"operation": "telegram"})
    await owed.order("B", {"body": b'{"order_key": 7}'})
    await owed.order("C", {"object": "nonsense"})
    await owed.order("D")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert await owed.states() == {"A": "case", "B": "case", "C": "case", "D": "delivered"}
    assert [case[2] for case in await cases(pool)] == ["operation_known", "canonical", "canonical"]
    assert sender.log == [("send", "D")]


async def test_an_answer_that_text_cannot_hold_is_recorded_all_the_same(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    sender.script["A"] = [failed(NeedsEdit("bad \x00 item \ud800", rule="r\x00"))]
    sender.script["B"] = [Delivered(reference="7\x00", exchange=Exchange(response=b"\x00\xff"))]
    await owed.order("A")
    await owed.order("B")
    async with driven(pool, system(sender)):
        await until(owed.at_rest)
    assert await owed.states() == {"A": "case", "B": "delivered"}
    assert (await owed.one("A"))["last_error"] == "bad \ufffd item ?"


async def test_a_second_worker_looks_first_for_what_the_first_was_sending(
    pool: asyncpg.Pool, owed: Owed, sender: Scripted
) -> None:
    await owed.order("A")
    await owed.order("B")
    dying = Scripted()
    dying.gate = asyncio.Event()
    lost = drive.Driver(pool, system(dying), "w1", asyncio.Event(), lambda *_: None)
    running = asyncio.create_task(lost.run())
    await until(lambda: len(dying.log) == 2)
    # The worker dies: nothing is recorded, nothing is given back. A had had its effect.
    running.cancel()
    await asyncio.wait([running])
    for call in list(lost._calls):
        call.cancel()
    sender.has.add("A")
    await pool.execute("UPDATE system_lease SET expires_at = now()")
    async with driven(pool, system(sender), worker="w2"):
        await until(owed.at_rest)
    assert sorted(sender.log) == [("find", "A"), ("find", "B"), ("send", "B")]
    assert (await owed.one("A"))["their_reference"] == "found-A"


async def test_a_worker_that_lost_its_lease_writes_nothing(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    slow = Scripted()
    slow.gate = asyncio.Event()
    slow.script["A"] = [Failed(error=NeedsEdit("too late to say"))]
    await owed.order("A")
    async with driven(pool, system(slow), worker="slow") as sleeper:
        await until(lambda: len(slow.log) == 1)
        # Asleep (suspended, say) until another one has taken over.
        sleeper._renew_at = float("inf")
        await pool.execute("UPDATE system_lease SET expires_at = now()")
        async with driven(pool, system(sender), worker="w2"):
            await until(owed.at_rest)
            slow.gate.set()
            await until(lambda: not sleeper._under_way)
    assert (await owed.one("A"))["tries"] == ["delivered"]
    assert await owed.states() == {"A": "delivered"}
    assert await cases(pool) == []


async def test_only_one_of_two_workers_drives(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    other = Scripted()
    async with driven(pool, system(sender), worker="w1"):
        await until(lambda: _worker(pool, "w1"))
        async with driven(pool, system(other), worker="w2"):
            for number in range(30):
                await owed.order(str(number))
            await until(owed.at_rest)
    assert len(sender.log) == 30
    assert other.log == []


async def test_operations_are_sent_apart(pool: asyncpg.Pool, owed: Owed, sender: Scripted) -> None:
    cancel = Sends(operation="order_cancel", object="sales_order", idempotency="lookup")
    await owed.order("A")
    await owed.order("B", {"operation": "order_cancel"})
    async with driven(pool, system(sender, SALES_ORDER, cancel)):
        await until(owed.at_rest)
    assert sorted((item.operation, item.reference) for batch in sender.batches for item in batch) == [
        ("order_cancel", "B"),
        ("sales_order", "A"),
    ]
