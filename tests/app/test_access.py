# SPDX-License-Identifier: Apache-2.0
"""Keys and counts of a running gateway: kept up, shared with others, and held on to while the database is away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from crossdock.app import access as module
from crossdock.app.access import Access, access_of
from crossdock.app.wiring import wire
from crossdock.errors import EngineAway
from crossdock.estate.load import load_estate
from crossdock.governance.issue_keys import KeyWish, create_key, revoke_key
from crossdock.governance.jwks import KeySet
from crossdock.runtime.telemetry import REGISTRY
from tests.api.doors import front_of
from tests.estate.estates import write_estate
from tests.governance.estates import authority, estate_text, write


def client_of(pool: asyncpg.Pool, access: Access) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(cast(Any, front_of(pool, access.door)), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def made(pool: asyncpg.Pool, **wish: Any) -> tuple[str, dict[str, str]]:
    """A key's name, and the header that shows it."""
    async with pool.acquire() as conn:
        key, _ = await create_key(conn, KeyWish(consumer="portal", **wish))
    return key.name, {"authorization": f"Bearer {key.key.reveal()}"}


async def until(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    """Ask until the answer is `status`."""
    for _ in range(3000):
        if (await client.get("/v1/availability", headers=headers)).status_code == status:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never became {status}")


async def revoked_while_running(pool: asyncpg.Pool, access: Access) -> None:
    """A key made while `access` runs is taken, and refused once it is revoked."""
    access.start()
    async with client_of(pool, access) as client:
        name, headers = await made(pool)
        await until(client, headers, 200)
        async with pool.acquire() as conn:
            await revoke_key(conn, name, "eve")
        await until(client, headers, 401)


async def test_a_running_gateway_takes_new_keys_and_drops_revoked_ones(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    access = Access(load_estate(write(tmp_path)), pool)
    await revoked_while_running(pool, access)
    await access.close()


async def test_while_the_database_is_away_known_keys_hold(pool: asyncpg.Pool, database: str, tmp_path: Path) -> None:
    own = await asyncpg.create_pool(database, min_size=1, max_size=1)
    access = Access(load_estate(write(tmp_path)), own)
    _, headers = await made(pool)
    await access.look()
    own.terminate()
    with pytest.raises(EngineAway):
        await access.look()
    async with client_of(pool, access) as client:
        assert (await client.get("/v1/availability", headers=headers)).status_code == 200
    # Nothing can be told any more; it ends all the same.
    await access.close()


async def test_a_quota_holds_over_gateways_and_after_a_restart(pool: asyncpg.Pool, tmp_path: Path) -> None:
    estate = load_estate(write_estate(tmp_path, estate_text().replace("quota: 100000", "quota: 5")))
    _, headers = await made(pool)

    async def asked(access: Access, number: int) -> list[int]:
        async with client_of(pool, access) as client:
            return [(await client.get("/v1/availability", headers=headers)).status_code for _ in range(number)]

    one, other = Access(estate, pool), Access(estate, pool)
    for access in (one, other):
        await access.look()
    assert await asked(one, 3) == [200, 200, 200]
    await one.look()
    await other.look()
    assert await asked(other, 3) == [200, 200, 429]
    await one.close()
    await other.close()
    again = Access(estate, pool)
    await again.look()
    assert await asked(again, 1) == [429]
    await again.close()
    assert await pool.fetchval("SELECT requests FROM api_usage WHERE consumer = 'portal'") == 5


async def test_keys_of_issuers_are_read_before_anybody_asks(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    async with authority() as (issuer, address):
        access = Access(load_estate(write(tmp_path, address)), pool)
        access.start()
        async with asyncio.timeout(30):
            await issuer.was_asked.wait()
        async with client_of(pool, access) as client:
            await until(client, {"authorization": f"Bearer {issuer.token()}"}, 200)
        assert issuer.asked == 1
        await access.close()


async def test_an_issuer_that_fails_keeps_no_revoked_key_alive(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_keys: KeySet) -> None:
        raise RuntimeError("a bug in the reading of keys")

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(KeySet, "refresh", failing)
    access = Access(load_estate(write(tmp_path)), pool)
    with capture_logs() as logs:
        await revoked_while_running(pool, access)
        await access.close()
    told = [one for one in logs if one["event"] == "access.issuer_failed"]
    assert told[0]["issuer"] == "https://login.example"
    assert repr(told[0]["exc_info"]) == "RuntimeError('a bug in the reading of keys')"


async def test_an_issuer_that_does_not_answer_keeps_no_revoked_key_alive(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def silent(_keys: KeySet) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(KeySet, "refresh", silent)
    access = Access(load_estate(write(tmp_path)), pool)
    await revoked_while_running(pool, access)
    assert asked.is_set()
    await access.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [(asyncpg.QueryCanceledError("statement timeout"), True), (asyncpg.UndefinedTableError("gone"), False)],
)
async def test_whatever_the_database_says_at_the_end_connections_are_closed(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: bool
) -> None:
    async def look(_access: Access) -> None:
        raise error

    closed: list[object] = []

    class Session:
        async def close(self) -> None:
            closed.append(self)

    monkeypatch.setattr(Access, "look", look)
    session = Session()
    monkeypatch.setattr(module, "open_session", lambda **_: session)
    access = Access(load_estate(write(tmp_path)), pool)
    with capture_logs() as logs:
        if told:
            await access.close()
        else:
            with pytest.raises(asyncpg.UndefinedTableError):
                await access.close()
    assert closed == [session]
    assert [(one["event"], one["reason"]) for one in logs] == (
        [("access.counts_lost", "statement timeout")] if told else []
    )


async def test_an_estate_without_consumers_has_no_door(pool: asyncpg.Pool, tmp_path: Path) -> None:
    assert access_of(wire(write_estate(tmp_path)), pool) is None
    access = access_of(wire(write(tmp_path)), pool)
    assert access is not None
    await access.close()


async def test_requests_are_counted_by_consumer_and_outcome(pool: asyncpg.Pool, tmp_path: Path) -> None:
    access = Access(load_estate(write(tmp_path)), pool)
    _, headers = await made(pool)
    await access.look()

    def counted() -> dict[tuple[str, str], float]:
        (family,) = [one for one in REGISTRY.collect() if one.name == "crossdock_access"]
        return {(one.labels["consumer"], one.labels["outcome"]): one.value for one in family.samples}

    before = counted()
    async with client_of(pool, access) as client:
        await client.get("/v1/availability", headers=headers)
        await client.get("/v1/ops/books", headers=headers)
        await client.get("/v1/nothing", headers=headers)
        await client.get("/v1/availability")
    await access.close()
    grown = {name: value - before.get(name, 0) for name, value in counted().items()}
    assert {name: value for name, value in grown.items() if value} == {
        ("portal", "let_in"): 1,
        ("portal", "forbidden"): 1,
        ("portal", "not_found"): 1,
        ("(unknown)", "unknown"): 1,
    }
