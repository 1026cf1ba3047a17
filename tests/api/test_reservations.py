# SPDX-License-Identifier: Apache-2.0
"""Reservations over HTTP: what is answered is kept, what cannot be is a problem document, and nothing is half done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from crossdock.api.plain import answering
from crossdock.api.reservation_body import MOST_BODY
from crossdock.api.reservations import PATH, ReservationsHandler
from crossdock.api.reservations_contract import EXAMPLE_REQUEST
from crossdock.catalog.cache import Catalog
from crossdock.inventory.reservation import MOST_LINES, ReservationRequest
from crossdock.inventory.reserve import Reserving
from crossdock.runtime.postgres import open_pool
from tests.intake.asgi import Answer, App, call
from tests.inventory.holding import overdue, reserved, rules, stocked

HOSTILE = sorted((Path(__file__).parent / "hostile").iterdir())
JSON = {"content-type": "application/json"}


class Desk:
    """The handler on a database with some stock."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.counted: Counter[tuple[str, str]] = Counter()
        self.handler = ReservationsHandler(Reserving(pool, rules(), Catalog()), pool, rules(), self._count)
        self.app: App = answering(self.handler)

    def _count(self, verb: str, outcome: str) -> None:
        self.counted[verb, outcome] += 1

    async def reserve(self, key: str, *lines: tuple[str, int], **changes: Any) -> Answer:
        made = [{"sku": sku, "quantity": str(quantity)} for sku, quantity in lines]
        return await self.post({"channel": "shop", "ttl_seconds": 600, "lines": made, **changes}, key)

    async def post(self, body: Any, key: str = "k", **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await call(self.app, PATH, raw, {**JSON, "idempotency-key": key, **headers})

    async def about(self, one: str, verb: str = "", body: Any = None, method: str = "POST") -> Answer:
        raw = b"" if body is None else msgspec.json.encode(body)
        headers = {**JSON, "content-length": str(len(raw))}
        return await call(self.app, f"{PATH}/{one}{verb}", raw, headers, method)


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool) -> AsyncIterator[Desk]:
    await stocked(pool, ("CD-1", "EAST", 5), ("CD-2", "WEST", 4))
    made = Desk(pool)
    yield made
    await made.handler.close()


def problem(answer: Answer) -> tuple[int, str, str]:
    """Status, type and field of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.body
    told = answer.json
    assert told["status"] == answer.status
    assert told["detail"]
    return answer.status, told["type"].removeprefix("/problems/"), told.get("field", "")


async def test_a_life_of_a_reservation(desk: Desk) -> None:
    made = await desk.reserve("k", ("CD-1", 2), reference="cart 1")
    assert made.status == 201
    one = made.json["id"]
    assert made.headers["location"] == f"{PATH}/{one}"
    read = await desk.about(one, method="GET")
    assert (read.status, read.json) == (200, made.json)
    longer = await desk.about(one, ":extend", {"ttl_seconds": 1200})
    assert longer.status == 200
    assert longer.json["expires_at"] > made.json["expires_at"]
    committed = await desk.about(one, ":commit")
    assert (committed.status, committed.json["state"]) == (200, "committed")
    named = await desk.about(one, ":commit", {"order_key": "shop/1"})
    assert named.json["order_key"] == "shop/1"
    assert await reserved(desk.pool) == {("CD-1", "EAST"): 2}
    gone = await desk.about(one, method="DELETE")
    assert (gone.status, gone.json["state"]) == (200, "released")
    assert await reserved(desk.pool) == {}
    assert (await desk.about(one, method="DELETE")).json == gone.json
    assert problem(await desk.about(one, ":commit")) == (409, "reservation.released", "")
    assert desk.counted == {
        ("reserve", "done"): 1,
        ("read", "done"): 1,
        ("extend", "done"): 1,
        ("commit", "done"): 2,
        ("release", "done"): 2,
        ("commit", "refused"): 1,
    }


async def test_a_repeated_key_has_the_same_answer_and_says_so(desk: Desk) -> None:
    first = await desk.reserve("k", ("CD-1", 2))
    again = await desk.reserve("k", ("CD-1", 2))
    assert (again.status, again.json) == (201, first.json)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    other = await desk.reserve("k", ("CD-1", 1))
    assert problem(other) == (422, "idempotency_key.reused", "Idempotency-Key")


async def test_a_shortage_says_what_there_is(desk: Desk) -> None:
    short = await desk.reserve("k", ("CD-1", 6), ("CD-2", 4))
    assert problem(short) == (409, "stock.not_enough", "")
    assert short.json["shortages"] == [
        {
            "line": "1",
            "sku": "CD-1",
            "wanted": "6",
            "available": "5",
            "unit": "EA",
            "substitutes": [{"sku": "CD-2", "available": "4"}],
        }
    ]
    assert await reserved(desk.pool) == {}
    # Nothing is kept under the key of a call that was refused.
    assert (await desk.reserve("k", ("CD-1", 5))).status == 201


async def test_all_that_is_wrong_is_told_at_once_with_its_fix(desk: Desk) -> None:
    lines = [{"sku": "NOPE", "quantity": "1"}, {"sku": "CD-1", "quantity": "-1"}, {"sku": "CD-1", "quantity": "1.5"}]
    answer = await desk.post({"channel": "shop", "ttl_seconds": 31_536_000, "lines": lines})
    assert problem(answer) == (422, "reservation.ttl", "ttl_seconds")
    fields = [one["field"] for one in answer.json["errors"]]
    assert fields == ["ttl_seconds", "lines[0].sku", "lines[1].quantity", "lines[2].quantity"]
    assert all(one["fix"] for one in answer.json["errors"])


async def test_all_fields_of_the_wrong_type_are_told_at_once(desk: Desk) -> None:
    lines = [{"sku": 5, "quantity": "1"}, {"sku": "CD-1"}, {"sku": "CD-1", "quantity": "x"}, {"sku": "CD-1", "qty": 1}]
    answer = await desk.post({"channel": "shop", "ttl_seconds": "600", "lines": [*lines, 7]})
    assert problem(answer) == (422, "shape", "ttl_seconds")
    fields = [one["field"] for one in answer.json["errors"]]
    assert fields == [
        "ttl_seconds",
        "lines[0].sku",
        "lines[1].quantity",
        "lines[2].quantity",
        "lines[3].quantity",
        "lines[3].qty",
        "lines[4]",
    ]


async def test_hostile_bodies_are_refused_and_hold_nothing(desk: Desk) -> None:
    """The name of each says what is answered: STATUS-what-it-is.json."""
    expected = {file.stem: int(file.stem.partition("-")[0]) for file in HOSTILE}
    assert len(expected) > 40
    answered = {file.stem: problem(await desk.post(file.read_bytes()))[0] for file in HOSTILE}
    assert answered == expected
    # Sent at once they share a commit with a good one, which is none the worse for it.
    await asyncio.gather(*(desk.post(file.read_bytes(), file.stem) for file in HOSTILE), desk.reserve("k", ("CD-1", 1)))
    assert await desk.pool.fetch("SELECT idempotency_key FROM reservation") == [("k",)]
    assert await reserved(desk.pool) == {("CD-1", "EAST"): 1}


async def test_far_too_many_lines_are_refused_before_they_are_read(desk: Desk) -> None:
    lines = [{"sku": "CD-1", "quantity": "1"}] * 100_000
    answer = await desk.post({"channel": "shop", "ttl_seconds": 600, "lines": lines})
    assert problem(answer) == (413, "body_size", "")
    short = b'{"channel":"shop","ttl_seconds":600,"lines":[' + b",".join([b"{}"] * 100_000) + b"]}"
    assert len(short) < MOST_BODY
    assert problem(await desk.post(short))[0] == 422
    many = [{"sku": "CD-1", "quantity": "1"}] * (MOST_LINES + 1)
    answer = await desk.post({"channel": "shop", "ttl_seconds": 600, "lines": many})
    assert problem(answer) == (422, "reservation.size", "lines")
    assert await reserved(desk.pool) == {}


@pytest.mark.parametrize("key", ["", " ", "a" * 201, "a\tb", "schl\xfcssel"])
async def test_a_call_without_a_usable_key_is_refused(desk: Desk, key: str) -> None:
    answer = await desk.reserve(key, ("CD-1", 1))
    assert problem(answer) == (400, "idempotency_key.missing", "Idempotency-Key")


async def test_methods_paths_and_types(desk: Desk) -> None:
    app = desk.app
    answer = await call(app, PATH, b"", method="GET")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "POST")
    one = "rsv_" + "0" * 28
    answer = await call(app, f"{PATH}/{one}", b"", method="PUT")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "GET, DELETE")
    answer = await call(app, f"{PATH}/{one}:commit", b"", method="GET")
    assert (problem(answer)[0], answer.headers["allow"]) == (405, "POST")
    assert problem(await call(app, f"{PATH}/{one}:melt", b""))[:2] == (404, "not_found")
    assert problem(await call(app, f"{PATH}/{one}/lines", b"", method="GET"))[:2] == (404, "not_found")
    for unknown in (one, "17", "rsv_\x00", "x" * 5000):
        assert problem(await call(app, f"{PATH}/{unknown}", b"", method="GET"))[:2] == (404, "reservation.unknown")
        assert problem(await call(app, f"{PATH}/{unknown}", b"", method="DELETE"))[:2] == (404, "reservation.unknown")
    assert problem(await desk.about(one, ":extend", {"ttl_seconds": 5}))[:2] == (404, "reservation.unknown")
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert problem(await call(app, PATH, b"{}", {"content-type": kind, "idempotency-key": "k"}))[0] == 415
    cut = await call(app, PATH, b'{"channel":', {**JSON, "idempotency-key": "k"}, cut=True)
    assert problem(cut)[:2] == (400, "incomplete")


@pytest.mark.parametrize("ttl", [0, -1, 3601, 31_536_000, 10**30])
async def test_an_extension_has_its_bounds(desk: Desk, ttl: int) -> None:
    one = (await desk.reserve("k", ("CD-1", 1))).json["id"]
    assert problem(await desk.about(one, ":extend", {"ttl_seconds": ttl})) == (422, "reservation.ttl", "ttl_seconds")


async def test_bodies_of_actions_are_checked(desk: Desk) -> None:
    one = (await desk.reserve("k", ("CD-1", 1))).json["id"]
    assert problem(await desk.about(one, ":extend", {}))[:2] == (422, "shape")
    assert problem(await desk.about(one, ":extend", {"ttl_seconds": "1"})) == (422, "shape", "ttl_seconds")
    assert problem(await desk.about(one, ":commit", {"order": "x"})) == (422, "shape", "order")
    assert problem(await desk.about(one, ":commit", {"order_key": "a\x00"}))[:2] == (422, "reservation.name")
    assert problem(await desk.about(one, ":commit", [])) == (422, "shape", "")


async def test_what_is_over_is_shown_as_expired_before_it_is_swept(desk: Desk) -> None:
    one = (await desk.reserve("k", ("CD-1", 1))).json["id"]
    await overdue(desk.pool, one)
    assert (await desk.about(one, method="GET")).json["state"] == "expired"
    assert problem(await desk.about(one, ":extend", {"ttl_seconds": 60}))[:2] == (409, "reservation.expired")


async def test_many_calls_share_commits_and_each_has_its_answer(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.reserve(f"k{number}", ("CD-1", 1)) for number in range(40)))
    assert Counter(answer.status for answer in answers) == {201: 5, 409: 35}
    commits = await desk.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM reservation")
    assert commits <= 2
    ids = [answer.json["id"] for answer in answers if answer.status == 201]
    gone = await asyncio.gather(*(desk.about(one, method="DELETE") for one in ids))
    assert [answer.status for answer in gone] == [200] * 5
    assert await reserved(desk.pool) == {}


async def test_an_absent_database_is_503_and_says_when_to_come_again(database: str) -> None:
    pool = await open_pool(database, min_size=1, max_size=2, name="test")
    await stocked(pool, ("CD-1", "EAST", 5))
    desk = Desk(pool)
    one = (await desk.reserve("k", ("CD-1", 1))).json["id"]
    pool.terminate()
    for answer in (
        await desk.reserve("k2", ("CD-1", 1)),
        await desk.about(one, method="GET"),
        await desk.about(one, method="DELETE"),
        await desk.about(one, ":commit"),
        await desk.about(one, ":extend", {"ttl_seconds": 60}),
    ):
        assert problem(answer)[:2] == (503, "engine_away")
        assert int(answer.headers["retry-after"]) >= 1


def test_the_example_of_the_contract_is_one() -> None:
    request = msgspec.convert(EXAMPLE_REQUEST, ReservationRequest)
    assert [line.sku for line in request.lines] == ["CD-1001", "CD-1002"]
