# SPDX-License-Identifier: Apache-2.0
"""API keys: made once, kept as digests, rotated with an overlap, revoked everywhere; what gateways know of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from crossdock.errors import EngineAway, Refused
from crossdock.governance.caller import Caller
from crossdock.governance.consumers import Consumers
from crossdock.governance.issue_keys import KeyWish, create_key, list_keys, revoke_key, rotate_key
from crossdock.governance.key import digest_of, make_key, name_in
from crossdock.governance.keyring import KeyRing
from crossdock.governance.meter import DAY, Limits
from crossdock.governance.refusal import UnknownCaller
from crossdock.governance.usage import note_used, share_usage
from crossdock.runtime.clock import SetClock, now, set_clock

NOON = datetime.now(UTC).replace(microsecond=0)
PORTAL = Caller(
    consumer="portal",
    scopes=frozenset({"availability:read", "orders:read"}),
    channels=frozenset({"shop"}),
    customers=frozenset(),
    plan="gold",
)
PLANS = {"gold": Limits(name="gold", quota=10), "slow": Limits(name="slow", rate=1.0)}


@pytest.fixture
def clock() -> Iterator[SetClock]:
    with set_clock(NOON) as made:
        yield made


def consumers(seconds: Callable[[], float] = lambda: 0.5 * DAY) -> Consumers:
    return Consumers({"portal": PORTAL}, PLANS, ticks=lambda: 0, seconds=seconds)


def refused(ring: KeyRing, key: bytes) -> tuple[str, str]:
    with pytest.raises(UnknownCaller) as caught:
        ring.admit(key)
    assert caught.value.status == 401
    assert key.decode() not in repr(caught.value) + caught.value.reason + caught.value.fix
    return caught.value.rule, caught.value.reason


def test_a_key_has_a_name_and_256_random_bits() -> None:
    made = [make_key() for _ in range(50)]
    for one in made:
        key = one.key.reveal()
        assert re.fullmatch(r"cdk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)
        assert (name_in(key.encode()), digest_of(key.encode())) == (one.name, one.digest)
        assert key not in repr(one)
    assert len({one.key.reveal()[17:] for one in made}) == 50
    for wrong in (b"", b"cdk_", b"cdk_0123456789ab_", made[0].key.reveal().encode() + b"x", b"xxx_" + b"0" * 56):
        assert name_in(wrong) is None


async def test_the_key_itself_is_nowhere_in_the_database(pool: asyncpg.Pool, clock: SetClock) -> None:
    async with pool.acquire() as conn:
        made, told = await create_key(conn, KeyWish(consumer="portal", note="n", by="ann"))
        dump = "".join(str(dict(row)) for row in await conn.fetch("SELECT * FROM api_key"))
    secret = made.key.reveal().rpartition("_")[2]
    assert secret not in dump
    assert made.name in dump
    assert (told.name, told.consumer, told.made_by, told.state(NOON)) == (made.name, "portal", "ann", "active")


async def test_what_a_ring_knows(pool: asyncpg.Pool, clock: SetClock) -> None:
    ring = KeyRing(consumers(), now)
    async with pool.acquire() as conn:
        whole, _ = await create_key(conn, KeyWish(consumer="portal"))
        part, _ = await create_key(
            conn,
            KeyWish(
                consumer="portal", plan="slow", scopes=["orders:read", "ops"], expires_at=NOON + timedelta(hours=1)
            ),
        )
        gone, _ = await create_key(conn, KeyWish(consumer="gone"))
        key = whole.key.reveal().encode()
        with pytest.raises(EngineAway):
            ring.admit(key)
        assert await ring.refresh(conn)
        assert not await ring.refresh(conn)
    assert ring.admit(key).caller == PORTAL
    admitted = ring.admit(part.key.reveal().encode())
    # Never more than the consumer itself may.
    assert (admitted.caller.scopes, admitted.caller.plan) == ({"orders:read"}, "slow")
    assert admitted.meter is not ring.admit(key).meter
    assert refused(ring, gone.key.reveal().encode())[0] == "access.key"
    wrong = key[:-1] + (b"A" if key[-1:] != b"A" else b"B")
    assert refused(ring, wrong) == ("access.key", "there is no such key")
    assert refused(ring, make_key().key.reveal().encode()) == ("access.key", "there is no such key")
    assert refused(ring, b"cdk_x") == ("access.key", "the key has not the form of one")
    clock.advance(timedelta(hours=1))
    assert refused(ring, part.key.reveal().encode())[0] == "access.key_expired"
    assert ring.admit(key).caller == PORTAL


async def test_a_rotated_key_goes_on_for_the_overlap_and_not_a_moment_longer(
    pool: asyncpg.Pool, clock: SetClock
) -> None:
    ring = KeyRing(consumers(), now)
    async with pool.acquire() as conn:
        old, _ = await create_key(conn, KeyWish(consumer="portal", plan="slow", scopes=["orders:read"], note="web"))
        new, told, before = await rotate_key(conn, old.name, timedelta(days=7), "bob")
        await ring.refresh(conn)
        assert (told.plan, told.scopes, told.note, told.made_by) == ("slow", ["orders:read"], "web", "bob")
        assert (before.replaced_by, before.expires_at, before.state(NOON)) == (
            new.name,
            NOON + timedelta(days=7),
            "replaced",
        )
        with pytest.raises(Refused, match="replaced") as caught:
            await rotate_key(conn, old.name, timedelta(days=7), "bob")
        assert new.name in caught.value.fix
    old_key, new_key = old.key.reveal().encode(), new.key.reveal().encode()
    assert ring.admit(old_key).caller == ring.admit(new_key).caller
    clock.advance(timedelta(days=7) - timedelta(microseconds=1))
    assert ring.admit(old_key).caller.consumer == "portal"
    clock.advance(timedelta(microseconds=1))
    assert refused(ring, old_key)[0] == "access.key_expired"
    assert ring.admit(new_key).caller.consumer == "portal"


async def test_rotating_prolongs_nothing(pool: asyncpg.Pool, clock: SetClock) -> None:
    end = NOON + timedelta(days=2)
    async with pool.acquire() as conn:
        old, _ = await create_key(conn, KeyWish(consumer="portal", expires_at=end))
        _, new, before = await rotate_key(conn, old.name, timedelta(days=7), "bob")
        assert (before.expires_at, new.expires_at) == (end, end)
        clock.advance(timedelta(days=2))
        with pytest.raises(Refused, match="expired"):
            await rotate_key(conn, new.name, timedelta(days=7), "bob")
        with pytest.raises(Refused, match="expired already"):
            await create_key(conn, KeyWish(consumer="portal", expires_at=end))


async def test_a_revoked_key_is_refused_once_a_ring_has_looked(pool: asyncpg.Pool, clock: SetClock) -> None:
    ring = KeyRing(consumers(), now)
    async with pool.acquire() as conn:
        made, _ = await create_key(conn, KeyWish(consumer="portal"))
        await ring.refresh(conn)
        told = await revoke_key(conn, made.name, "eve")
        again = await revoke_key(conn, made.name, "ann")
        assert (told.state(NOON), told.revoked_by, again.revoked_by) == ("revoked", "eve", "eve")
        assert await ring.refresh(conn)
        with pytest.raises(Refused, match="no such key"):
            await revoke_key(conn, "0" * 12, "eve")
        with pytest.raises(Refused, match="revoked"):
            await rotate_key(conn, made.name, timedelta(days=1), "eve")
        assert await list_keys(conn) == []
        assert [one.name for one in await list_keys(conn, "portal", ended=True)] == [made.name]
    assert refused(ring, made.key.reveal().encode())[0] == "access.key_revoked"


async def test_a_change_that_is_undone_tells_nobody(pool: asyncpg.Pool, clock: SetClock) -> None:
    ring = KeyRing(consumers(), now)
    async with pool.acquire() as conn:
        await ring.refresh(conn)
        transaction = conn.transaction()
        await transaction.start()
        await create_key(conn, KeyWish(consumer="portal"))
        await transaction.rollback()
        assert not await ring.refresh(conn)


async def test_last_use_is_written_down_and_the_latest_of_all_gateways_counts(
    pool: asyncpg.Pool, clock: SetClock
) -> None:
    one, other = KeyRing(consumers(), now), KeyRing(consumers(), now)
    async with pool.acquire() as conn:
        made, _ = await create_key(conn, KeyWish(consumer="portal"))
        for ring in (one, other):
            await ring.refresh(conn)
        one.admit(made.key.reveal().encode())
        clock.advance(timedelta(seconds=5))
        other.admit(made.key.reveal().encode())
        await note_used(conn, other)
        await note_used(conn, one)
        assert [key.used_at for key in await list_keys(conn)] == [NOON + timedelta(seconds=5)]


async def test_gateways_share_a_days_quota(pool: asyncpg.Pool) -> None:
    gateways = [consumers(), consumers()]
    meters = [one.meter("portal", "gold") for one in gateways]
    for meter, number in zip(meters, (4, 3), strict=True):
        assert meter is not None
        for _ in range(number):
            meter.begin()
            meter.end()
    async with pool.acquire() as conn:
        for one in (*gateways, *gateways):
            await share_usage(conn, one)
        assert [meter.used for meter in meters if meter] == [7, 7]
        assert [tuple(row) for row in await conn.fetch("SELECT consumer, plan, requests FROM api_usage")] == [
            ("portal", "gold", 7)
        ]
        # A gateway that starts anew knows of it too.
        fresh = consumers()
        await share_usage(conn, fresh)
        meter = fresh.meter("portal", "gold")
        assert meter is not None
        assert meter.used == 7
        # Another day begins at nothing.
        tomorrow = consumers(lambda: 1.5 * DAY)
        await share_usage(conn, tomorrow)
        meter = tomorrow.meter("portal", "gold")
        assert meter is not None
        assert meter.used == 0


async def test_what_nobody_uses_writes_nothing(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:

        async def rows() -> list[tuple[str, int]]:
            return [tuple(row) for row in await conn.fetch("SELECT xmin::text, requests FROM api_usage")]

        idle, busy = consumers(), consumers()
        await share_usage(conn, idle)
        assert await rows() == []
        meter, other = busy.meter("portal", "gold"), idle.meter("portal", "gold")
        assert meter is not None
        assert other is not None
        meter.begin()
        await share_usage(conn, busy)
        before = await rows()
        assert [number for _, number in before] == [1]
        for one in (idle, busy):
            await share_usage(conn, one)
        # Read all the same, and no other version of the row.
        assert await rows() == before
        assert (meter.used, other.used) == (1, 1)
