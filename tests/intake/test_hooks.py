# SPDX-License-Identifier: Apache-2.0
"""A webhook is authenticated, kept, and only then acknowledged; what is refused is told why and never half-kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from crossdock.connectors.shopify.connector import CONNECTOR
from crossdock.errors import NeedsConfig, Refused
from crossdock.intake.hooks import HookIntake
from crossdock.intake.routes import HookRoute
from crossdock.journal.keep import count_rejections, keep
from crossdock.runtime.clock import now
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.sdk.receiving import HookRequest, Identified
from crossdock.sdk.signatures import hmac_sha256_base64
from tests.intake.asgi import Answer, call

SECRET, OLD_SECRET = "current", "rotated-out"
PATH = "/hooks/shop/orders/create"
MAX_BYTES = 2000
GOOD = b'{"id": 1001, "updated_at": "2026-11-23T12:00:00Z", "note": "caf\xc3\xa9"}'


class Door:
    """The intake of one store on a database, with everything it was told."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        assert CONNECTOR.receiver is not None
        self.pool = pool
        self.secrets: Sequence[str] | Exception = (SECRET, OLD_SECRET)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.receiver: Any = CONNECTOR.receiver
        self.commit = GroupCommit(self._keep, max_batch=50, parallel=2)
        self.flushes: list[int] = []
        route = HookRoute(
            interface="shop.orders",
            receiver=self,
            secrets=self._secrets,
            max_bytes=MAX_BYTES,
            overtakes=True,
        )
        self.intake = HookIntake({("shop", "orders/create"): route}, self.commit, now, self._count)

    def _count(self, interface: str, outcome: str) -> None:
        self.outcomes[interface, outcome] += 1

    async def _keep(self, batch: Any) -> Any:
        self.flushes.append(len(batch))
        return await keep(self.pool, batch)

    def _secrets(self) -> Sequence[str]:
        if isinstance(self.secrets, Exception):
            raise self.secrets
        return self.secrets

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        self.receiver.authenticate(request, secrets)

    def identify(self, request: HookRequest) -> Identified:
        return self.receiver.identify(request)  # type: ignore[no-any-return]  # any receiver may be put in

    async def post(self, body: bytes | Sequence[bytes] = GOOD, webhook_id: str = "w1", **changes: Any) -> Answer:
        """A signed webhook; `secret`, `headers`, `path`, `method`, `cut` may differ."""
        whole = body if isinstance(body, bytes) else b"".join(body)
        headers = {
            "X-Shopify-Hmac-Sha256": hmac_sha256_base64(whole, changes.pop("secret", SECRET)),
            "X-Shopify-Webhook-Id": webhook_id,
            "Content-Length": str(len(whole)),
            **changes.pop("headers", {}),
        }
        headers = {name: value for name, value in headers.items() if value is not None}
        return await call(self.intake, changes.pop("path", PATH), body, headers, **changes)

    async def kept(self) -> list[tuple[Any, ...]]:
        rows = await self.pool.fetch(
            "SELECT m.dedup_key, d.key, d.version, m.body, d.note <> '' FROM document d"
            " JOIN message m ON m.id = d.message_id ORDER BY d.id"
        )
        return [tuple(row) for row in rows]


@pytest_asyncio.fixture
async def door(pool: asyncpg.Pool) -> AsyncIterator[Door]:
    door = Door(pool)
    yield door
    await door.commit.close()


def problem(answer: Answer, status: int, rule: str) -> dict[str, Any]:
    """The answer as a problem document (RFC 9457), checked for what every one of them has."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json
    assert (answer.status, body["status"], body["type"]) == (status, status, f"/problems/{rule}")
    assert body["detail"]
    assert body["title"]
    return dict(body)


async def test_a_signed_webhook_is_kept_and_acknowledged(door: Door) -> None:
    answer = await door.post()
    assert (answer.status, answer.json["status"]) == (200, "kept")
    assert await door.kept() == [("w1", "order/shop/1001", 1795435200000, GOOD, False)]
    assert answer.json["document"] == await door.pool.fetchval("SELECT id FROM document")
    row = await door.pool.fetchrow("SELECT interface, topic, state, overtakes FROM document")
    assert tuple(row) == ("shop.orders", "orders/create", "received", True)
    assert door.outcomes == {("shop.orders", "kept"): 1}


async def test_the_same_webhook_again_is_acknowledged_and_makes_nothing(door: Door) -> None:
    await door.post()
    again = await door.post()
    assert (again.status, again.json) == (200, {"status": "duplicate"})
    assert len(await door.kept()) == 1
    assert await door.pool.fetchval("SELECT count(*) FROM duplicate") == 1


async def test_a_rotated_secret_still_counts(door: Door) -> None:
    assert (await door.post(secret=OLD_SECRET)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Shopify-Hmac-Sha256": hmac_sha256_base64(GOOD, "wrong")},
        {"X-Shopify-Hmac-Sha256": hmac_sha256_base64(GOOD + b" ", SECRET)},
        {"X-Shopify-Hmac-Sha256": ""},
        {"X-Shopify-Hmac-Sha256": None},
        {"X-Shopify-Hmac-Sha256": "é"},
    ],
)
async def test_a_wrong_signature_is_401_and_stored_nowhere(door: Door, headers: dict[str, Any]) -> None:
    body = problem(await door.post(headers=headers), 401, "signature")
    assert body["fix"]
    for table in ("message", "document", "duplicate", "rejection"):
        assert await door.pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert door.intake.rejections == []
    assert door.flushes == []


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/shop/orders/paid",
        "/hooks/elsewhere/orders/create",
        "/hooks/",
        "/hooks/shop",
        "/hooks/shop/",
        "/hooks/shop/orders/create/",
        "/hooks/shop/" + "x" * 5000,
        "/hooks/shop/\x00\ufffd",
        "/hooks/../shop/orders/create",
    ],
)
async def test_an_unknown_topic_is_404(door: Door, path: str) -> None:
    answer = await door.post(path=path)
    assert "estate" in problem(answer, 404, "unknown_interface")["fix"]
    assert len(answer.body) < 2000


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_405(door: Door, method: str) -> None:
    problem(await door.post(method=method), 405, "method")


async def test_a_body_that_says_it_is_too_large_is_413_however_it_comes(door: Door) -> None:
    too_large = {"Content-Length": str(MAX_BYTES + 1)}
    problem(await door.post(headers=too_large), 413, "body_size")
    problem(await door.post([b"x" * MAX_BYTES, b"x"], headers=too_large), 413, "body_size")
    problem(
        await door.post([b"x" * MAX_BYTES] * 100, headers={"Content-Length": str(100 * MAX_BYTES)}), 413, "body_size"
    )
    problem(await door.post([b"x"], headers=too_large, cut=True), 413, "body_size")
    assert await door.kept() == []


@pytest.mark.parametrize("length", [None, "", "-5", "12", "²", "9" * 400])
async def test_a_body_that_is_too_large_is_413_whatever_it_says(door: Door, length: str | None) -> None:
    problem(await door.post([b"x" * 1500] * 3, headers={"Content-Length": length}), 413, "body_size")
    problem(await door.post(b"x" * (MAX_BYTES + 1), headers={"Content-Length": length}), 413, "body_size")
    assert await door.kept() == []


async def test_a_body_in_pieces_is_one_body(door: Door) -> None:
    assert (await door.post([GOOD[:10], GOOD[10:11], b"", GOOD[11:]])).status == 200
    assert (await door.kept())[0][3] == GOOD


async def test_a_sender_that_hangs_up_leaves_nothing(door: Door) -> None:
    problem(await door.post([GOOD[:10], GOOD[10:]], cut=True), 400, "incomplete")
    assert await door.kept() == []


@pytest.mark.parametrize("webhook_id", ["", " ", "x" * 101, "a\x00b", "\x1b[2J"])
async def test_without_a_usable_id_it_is_refused_and_counted(door: Door, webhook_id: str) -> None:
    problem(await door.post(webhook_id=webhook_id), 400, "webhook_id")
    assert [(interface, rule, size) for interface, rule, _, size in door.intake.rejections] == [
        ("shop.orders", "webhook_id", len(GOOD))
    ]
    await count_rejections(door.pool, door.intake.rejections)
    assert await door.kept() == []


async def test_missing_secrets_are_503_until_they_are_there(door: Door) -> None:
    door.secrets = NeedsConfig(
        "the environment variable X is not set", field="systems.shop.secrets.webhook", fix="set X"
    )
    answer = await door.post()
    body = problem(answer, 503, "needs_config")
    assert (body["field"], answer.headers["retry-after"]) == ("systems.shop.secrets.webhook", "5")
    door.secrets = ()
    problem(await door.post(), 503, "needs_config")
    assert await door.kept() == []
    door.secrets = (SECRET,)
    assert (await door.post()).status == 200


HOSTILE = {
    "empty": b"",
    "nul": b"\x00",
    "truncated": GOOD[:30],
    "not json": b"<order/>",
    "invalid utf-8": GOOD.replace(b"\xc3\xa9", b"\xff\xfe"),
    "nan id": b'{"id": NaN}',
    "no id": b"{}",
    "text id": b'{"id": "1001"}',
    "list": b"[]",
    "number": b"1e400",
    "null": b"null",
    "huge id": b'{"id": 1' + b"0" * 1900 + b"}",
    "negative id": b'{"id": -1}',
    "lone surrogate": b'{"id": 1, "note": "\\ud800"}',
    "nul inside": b'{"id": 1, "admin_graphql_api_id": "gid://x/\\u0000"}',
    "deep": b"[" * 1990,
    "deep in a field": b'{"id": 5, "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    "bad time": b'{"id": 1, "updated_at": "yesterday"}',
    "time beyond": b'{"id": 1, "updated_at": "9999-12-31T23:59:59-12:00"}',
    "bom": b"\xef\xbb\xbf" + GOOD,
    "twice": GOOD + GOOD,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_whatever_is_signed_is_kept_as_it_came(door: Door, body: bytes) -> None:
    """What cannot be read becomes a case later; a signed message is never lost and never answered with a 500."""
    answer = await door.post(body)
    assert answer.status == 200, answer.body
    again = await door.post(body)
    assert again.json == {"status": "duplicate"}
    ((_, key, version, kept, _),) = await door.kept()
    assert kept == body
    assert len(key) <= 300
    assert abs(version) < 1 << 63
    assert (door.outcomes["shop.orders", "failed"], door.outcomes["shop.orders", "away"]) == (0, 0)


async def test_one_hostile_message_spoils_no_commit_of_others(door: Door) -> None:
    bodies = [*HOSTILE.values(), *(b'{"id": %d}' % number for number in range(100))]
    answers = await asyncio.gather(*(door.post(body, f"w{number}") for number, body in enumerate(bodies)))
    assert {answer.status for answer in answers} == {200}
    assert len(await door.kept()) == len(bodies)


class Broken:
    """A receiver with a bug."""

    def __init__(self, result: Identified | Exception) -> None:
        self.result = result

    def authenticate(self, request: HookRequest, secrets: Sequence[str]) -> None:
        return None

    def identify(self, request: HookRequest) -> Identified:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    "result",
    [
        KeyError("id\x00"),
        RecursionError("too deep"),
        Identified(dedup_key="w1", key="k" * 301, topic="t"),
        Identified(dedup_key="w\x00", key="k", topic="t"),
        Identified(dedup_key="", key="k", topic="t"),
        Identified(dedup_key="w1", key="k", topic="t", version=1 << 63),
        Identified(dedup_key="w1", key="k", topic="t", problem="\x00"),
    ],
)
async def test_a_receiver_with_a_bug_loses_nothing(door: Door, result: Identified | Exception) -> None:
    door.receiver = Broken(result)
    assert (await door.post()).json["status"] == "kept"
    assert (await door.post()).json["status"] == "duplicate"
    assert (await door.post(GOOD + b" ")).json["status"] == "kept"
    kept = await door.kept()
    assert [(body, unreadable) for *_, body, unreadable in kept] == [(GOOD, True), (GOOD + b" ", True)]
    assert all(key.startswith("unreadable/shop/") for _, key, *_ in kept)


async def test_what_a_receiver_refuses_is_told_so(door: Door) -> None:
    door.receiver = Broken(Refused("no thanks", status=422, field="x", rule="no", fix="send another"))
    body = problem(await door.post(), 422, "no")
    assert (body["field"], body["fix"]) == ("x", "send another")
    assert door.intake.rejections == [("shop.orders", "no", "no thanks", len(GOOD))]


async def test_an_absent_database_is_503_and_nothing_is_half_kept(door: Door) -> None:
    await door.pool.close()
    answers = await asyncio.gather(*(door.post(webhook_id=f"w{number}") for number in range(20)))
    for answer in answers:
        problem(answer, 503, "engine_away")
        assert answer.headers["retry-after"] == "5"
    assert door.outcomes == {("shop.orders", "away"): 20}


async def test_too_much_at_once_is_503_and_the_rest_is_kept(door: Door) -> None:
    gate = asyncio.Event()
    keeping = door._keep

    async def slowly(batch: Any) -> Any:
        await gate.wait()
        return await keeping(batch)

    door.commit = GroupCommit(slowly, max_batch=1, parallel=1, max_waiting=3)
    door.intake._commit = door.commit
    waiting = [asyncio.create_task(door.post(webhook_id=f"w{number}")) for number in range(5)]
    await asyncio.sleep(0)
    while sum(task.done() for task in waiting) < 2:  # noqa: ASYNC110 - two tasks, no event between them
        await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*waiting)
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 503, 503]
    assert len(await door.kept()) == 3
    assert {msgspec.json.decode(a.body)["type"] for a in answers if a.status == 503} == {"/problems/busy"}


async def test_requests_that_come_together_share_commits(door: Door) -> None:
    answers = await asyncio.gather(*(door.post(b'{"id": %d}' % n, f"w{n}") for n in range(150)))
    assert {answer.status for answer in answers} == {200}
    assert sum(door.flushes) == 150
    assert len(door.flushes) <= 10


async def test_secrets_and_bodies_are_in_no_answer(door: Door) -> None:
    for answer in (
        await door.post(secret="wrong"),
        await door.post(b"not json " + SECRET.encode(), headers={"X-Shopify-Webhook-Id": ""}),
    ):
        assert SECRET.encode() not in answer.body
        assert OLD_SECRET.encode() not in answer.body
