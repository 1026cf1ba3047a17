# SPDX-License-Identifier: Apache-2.0
"""What a channel may sell, asked over HTTP: the contract's examples, ages, the past, and questions that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import jsonschema
import pytest

from crossdock.api.availability_contract import (
    EXAMPLE_ANSWER,
    EXAMPLE_BODY,
    EXAMPLE_EXPLAINED,
    EXAMPLE_QUERY,
    PATHS,
    SCHEMAS,
)
from crossdock.inventory.level import Level
from crossdock.runtime.clock import set_clock
from tests.api.asking import NOON, Asked, asked_of


@pytest.fixture
async def asked(pool: asyncpg.Pool) -> AsyncIterator[Asked]:
    async with asked_of(pool) as asked:
        yield asked


async def told(pool: asyncpg.Pool, quantity: str, at: datetime, sequence: int = 1) -> None:
    await pool.execute(
        "INSERT INTO told_stock (system, sku, location, quantity, sequence, changed_at, told_at) "
        "VALUES ('shopify-us', 'CD-1001', 'DC-EAST', $1, $2, $3, $3)",
        Decimal(quantity),
        sequence,
        at,
    )


async def moved(pool: asyncpg.Pool, name: str, quantity: str) -> None:
    await pool.execute(
        "INSERT INTO stock_movement (source, movement_id, kind, sku, location, quantity, unit, occurred_at, "
        "document_id, on_hand) VALUES ('wms', $1, 'adjustment', 'CD-1001', 'DC-EAST', $2, 'EA', now(), 1, $2)",
        name,
        Decimal(quantity),
    )


def valid(body: Any) -> Any:
    """`body`, after a look whether it is what the contract says."""
    schema = {"$ref": "#/components/schemas/AvailabilityAnswer", "components": {"schemas": SCHEMAS}}
    jsonschema.Draft202012Validator(schema).validate(body)
    return body


async def test_the_examples_of_the_contract_are_what_is_answered(asked: Asked, pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO expected_stock (reference, sku, location, source, quantity, received, due_at, version, status, "
        "document_id) VALUES ('PO-77', 'CD-1002', 'DC-EAST', 'erp', 50, 10, $1, 1, 'open', 1)",
        datetime(2026, 11, 25, 8, tzinfo=UTC),
    )
    await pool.execute(
        "INSERT INTO channel_stock (system, sku, location, told, told_sequence, told_at) "
        "VALUES ('shopify-us', 'CD-1001', 'DC-EAST', 8, 1, $1)",
        NOON - timedelta(seconds=2),
    )
    with set_clock(NOON):
        plain, explained = await asked.get(EXAMPLE_QUERY), await asked.post(EXAMPLE_BODY)
    assert valid(plain.json()) == EXAMPLE_ANSWER
    assert valid(explained.json()) == EXAMPLE_EXPLAINED
    for item in explained.json()["items"]:
        assert sum(Decimal(term["quantity"]) for term in item["explanation"]) == Decimal(item["available"])
    given = PATHS["/v1/availability"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert given is EXAMPLE_ANSWER


async def test_an_answer_says_its_age_and_when_that_is_too_much(asked: Asked) -> None:
    with set_clock(NOON) as clock:
        answer = await asked.get("channel=shopify-us&sku=KIT")
        assert answer.json()["items"][0]["available"] == "4"
        assert (answer.headers["age"], answer.json()["age_seconds"], answer.json()["stale"]) == ("0", 0.0, False)
        clock.advance(timedelta(seconds=5))
        assert (await asked.get("channel=shopify-us&sku=KIT")).json()["stale"] is False
        clock.advance(timedelta(seconds=2.5))
        answer = await asked.get("channel=shopify-us&sku=KIT")
        assert (answer.headers["age"], answer.json()["age_seconds"], answer.json()["stale"]) == ("7", 7.5, True)
        assert answer.json()["as_of"] == "2026-11-23T12:00:00Z"


async def test_the_etag_stands_as_long_as_the_numbers(asked: Asked) -> None:
    first = await asked.get("channel=shopify-us&sku=CD-1001")
    assert first.headers["cache-control"] == "no-cache"
    same = await asked.get("channel=shopify-us&sku=CD-1001", if_none_match=first.headers["etag"])
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    asked.apply([Level("CD-1001", "DC-EAST", Decimal(9), sequence=3)])
    other = await asked.get("channel=shopify-us&sku=CD-1001", if_none_match=first.headers["etag"])
    assert (other.status_code, other.json()["items"][0]["available"]) == (200, "10")


async def test_what_depends_on_a_level_changes_with_it(asked: Asked) -> None:
    query = "channel=shopify-us&sku=CD-1001&sku=KIT&sku=CD-1002"
    before = (await asked.get(query)).json()["items"]
    assert [item["available"] for item in before] == ["9", "4", "0"]
    assert before[2]["substitutes"] == [{"sku": "CD-1001", "available": "9"}]
    asked.apply([Level("CD-1001", "DC-EAST", Decimal(4), sequence=3)])
    after = (await asked.get(query)).json()["items"]
    assert [item["available"] for item in after] == ["5", "2", "0"]
    assert after[2]["substitutes"] == [{"sku": "CD-1001", "available": "5"}]
    asked.apply([Level("CD-1002", "DC-WEST", Decimal(2), sequence=1)])
    assert "substitutes" not in (await asked.get(query)).json()["items"][2]


async def test_a_sku_is_answered_once_in_the_order_asked(asked: Asked) -> None:
    answer = await asked.get("sku=KIT&sku=%43D-1001&channel=shopify-us&sku=KIT")
    assert [item["sku"] for item in answer.json()["items"]] == ["KIT", "CD-1001"]


MANY = "&".join(f"sku=S{number}" for number in range(101))
REFUSED = {
    "": ("missing", "channel", 422),
    "channel=shopify-us": ("missing", "sku", 422),
    "channel=nowhere&sku=KIT": ("availability.channel", "channel", 422),
    "channel=shopify-us&sku=NONE": ("availability.sku", "sku", 422),
    "channel=shopify-us&sku=KIT&sku=%00": ("availability.sku", "sku", 422),
    "channel=shopify-us&sku=": ("availability.sku", "sku", 422),
    "channel=shopify-us&sku=%ff%fe": ("encoding", "", 400),
    "channel=shopify-us&sku=KIT&channel=shopify-us": ("parameter", "", 422),
    "channel=shopify-us&sku=KIT&SKU=KIT": ("parameter", "", 422),
    "channel=shopify-us&sku=KIT&explain=maybe": ("boolean", "explain", 422),
    f"channel=shopify-us&{MANY}": ("too_many", "sku", 422),
    "channel=shopify-us&sku=" + "x" * 17_000: ("query_size", "", 414),
    "channel=shopify-us&sku=KIT&as_of=yesterday": ("time", "as_of", 422),
    "channel=shopify-us&sku=KIT&as_of=": ("time", "as_of", 422),
    "channel=shopify-us&sku=KIT&as_of=2026-11-23T12:00:00": ("time", "as_of", 422),
    "channel=shopify-us&sku=KIT&as_of=2026-11-23T12:00:10Z": ("time", "as_of", 422),
    "channel=shopify-us&sku=KIT&as_of=99999-01-01T00:00:00Z": ("time", "as_of", 422),
    "channel=shopify-us&sku=KIT&as_of=2026-11-31T00:00:00Z": ("time", "as_of", 422),
}


@pytest.mark.parametrize("query", REFUSED)
async def test_a_question_that_cannot_be_is_refused_with_the_reason(asked: Asked, query: str) -> None:
    with set_clock(NOON):
        answer = await asked.get(query)
    problem = answer.json()
    rule, field, status = REFUSED[query]
    assert (problem["type"], problem.get("field", ""), answer.status_code) == (f"/problems/{rule}", field, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["fix"]
    assert len(answer.content) < 2_000


@pytest.mark.parametrize(
    ("body", "rule", "status"),
    [
        (b"", "not_json", 400),
        (b"[" * 100_000, "validation", 422),
        (b"\xff{}", "not_json", 400),
        (b"[]", "validation", 422),
        (b'{"channel": "shopify-us"}', "validation", 422),
        (b'{"channel": "shopify-us", "skus": "KIT"}', "validation", 422),
        (b'{"channel": "shopify-us", "skus": ["KIT", 1]}', "validation", 422),
        (b'{"channel": "shopify-us", "skus": ["KIT"], "sku": "KIT"}', "validation", 422),
        (b'{"channel": "shopify-us", "skus": []}', "missing", 422),
        (b'{"channel": "shopify-us", "skus": ["KIT", "NONE"]}', "availability.sku", 422),
        (b'{"channel": "shopify-us", "skus": ["KIT"], "as_of": "never"}', "time", 422),
        (b'{"channel": "shopify-us", "skus": [%s"KIT"]}' % b"".join(b'"%d",' % n for n in range(500)), "too_many", 422),
        (b'{"channel": "%s"}' % (b"x" * 300_000), "body_size", 413),
    ],
)
async def test_a_batch_that_cannot_be_is_refused_with_the_reason(
    asked: Asked, body: bytes, rule: str, status: int
) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = await asked.client.post("/v1/availability:batch", content=body, headers=headers)
    assert (answer.json()["type"], answer.status_code) == (f"/problems/{rule}", status)
    assert answer.json()["fix"]


async def test_methods_types_and_paths_are_told_apart(asked: Asked) -> None:
    answer = await asked.client.post("/v1/availability?channel=shopify-us&sku=KIT")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    answer = await asked.client.get("/v1/availability:batch")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = await asked.client.post("/v1/availability:batch", content=b"{}", headers={"content-type": "text/csv"})
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/media_type")
    for path in ("/v1/availability/KIT", "/v1/availability:other", "/v1/availability/"):
        assert (await asked.client.get(path)).status_code == 404


async def test_before_all_was_read_nothing_is_made_up(asked: Asked) -> None:
    asked.memory.fresh_at = None
    answer = await asked.get("channel=shopify-us&sku=KIT")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "availability is not in memory yet"


async def test_without_the_database_an_explanation_says_what_it_leaves_out(asked: Asked, pool: asyncpg.Pool) -> None:
    pool.terminate()
    with set_clock(NOON + timedelta(minutes=3)):
        answer = await asked.get("channel=shopify-us&sku=CD-1001&explain=true")
        past = await asked.get("channel=shopify-us&sku=CD-1001&as_of=2026-11-23T11:00:00Z")
    (item,) = valid(answer.json())["items"]
    assert (answer.status_code, answer.json()["stale"], answer.headers["age"]) == (200, True, "180")
    assert item["left_out"] == "what the channel was told and what is expected: the database is away"
    assert sum(Decimal(term["quantity"]) for term in item["explanation"]) == 9
    assert (past.status_code, past.json()["type"]) == (503, "/problems/engine_away")


async def test_the_past_is_answered_from_what_was_known_then(asked: Asked, pool: asyncpg.Pool) -> None:
    async def moment() -> datetime:
        found: datetime = await pool.fetchval("SELECT clock_timestamp()")
        return found

    nothing = await moment()
    await moved(pool, "m1", "10")
    await told(pool, "9", await moment())
    first = await moment()
    await moved(pool, "m2", "-6")
    await told(pool, "3", await moment(), 2)
    second = await moment()

    async def at(when: datetime, more: str = "") -> Any:
        said = when.isoformat().replace("+00:00", "Z")
        answer = await asked.get(f"channel=shopify-us&sku=CD-1001&sku=KIT&as_of={said}{more}")
        assert (answer.headers["age"], answer.json()["stale"]) == ("0", False)
        assert datetime.fromisoformat(answer.json()["as_of"]) == when
        return valid(answer.json())["items"]

    assert [item["available"] for item in await at(nothing)] == ["0", "0"]
    then = await at(first)
    assert [item["available"] for item in then] == ["9", "4"]
    assert [number["quantity"] for number in then[0]["told"]] == ["9"]
    assert "explanation" not in then[0]
    now, _ = await at(second, "&explain=true")
    assert (now["available"], [number["quantity"] for number in now["told"]]) == ("3", ["3"])
    assert [term["quantity"] for term in now["explanation"] if term["location"] == "DC-EAST"] == ["4", "-1"]
    # A moment with an offset, its plus taken for a space.
    assert (await asked.get("channel=shopify-us&sku=KIT&as_of=2025-11-23T12:00:00+01:00")).status_code == 200


async def test_what_does_not_fit_into_memory_is_read_when_asked_for(pool: asyncpg.Pool) -> None:
    for sku, location, quantity in (("CD-1001", "DC-EAST", 5), ("CD-1001", "DC-WEST", 5), ("CD-1002", "DC-EAST", 7)):
        await pool.execute("INSERT INTO stock_level VALUES ($1, $2, $3, 1, now())", sku, location, quantity)
    asked = Asked(pool, most=2)
    async with pool.acquire() as conn:
        await asked.view.load(conn)
    asked.memory.fresh_at = NOON
    assert (asked.view.whole, asked.view.missing(["KIT"])) == (False, ["CD-1001"])
    async with asked.client:
        answers = await asyncio.gather(*(asked.get("channel=shopify-us&sku=KIT&sku=CD-1002") for _ in range(5)))
        assert {tuple(one["available"] for one in answer.json()["items"]) for answer in answers} == {("4", "6")}
        # From then on it is kept up; what nobody asked for is not.
        asked.apply([Level("CD-1002", "DC-EAST", Decimal(3), sequence=9), Level("OTHER", "DC-EAST", sequence=1)])
        assert (await asked.get("channel=shopify-us&sku=CD-1002")).json()["items"][0]["available"] == "2"
        assert asked.view.levels("OTHER") == {}
        pool.terminate()
        assert (await asked.get("channel=shopify-us&sku=KIT")).status_code == 200
