# SPDX-License-Identifier: Apache-2.0
"""Make, rotate, revoke and list API keys. Each change tells the gateways in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.errors import Refused
from crossdock.governance.key import NewKey, make_key
from crossdock.governance.keyring import SQL
from crossdock.journal.audit import Act, write_audit
from crossdock.runtime.clock import now

MOST_LISTED = 1000


class ApiKey(Struct, frozen=True, kw_only=True):
    """What may be told of a key. `plan` "" and no `scopes`: those of its consumer. `used_at` is some seconds behind."""

    name: str
    consumer: str
    plan: str
    scopes: list[str]
    note: str
    made_by: str
    made_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str
    replaced_by: str
    used_at: datetime | None

    def state(self, at: datetime) -> str:
        """active, replaced (another one took over, and it ends), expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and at >= self.expires_at:
            return "expired"
        return "replaced" if self.replaced_by else "active"


class KeyWish(Struct, frozen=True, kw_only=True):
    """A key to be made. `plan` "" and no `scopes`: whatever its consumer has."""

    consumer: str
    plan: str = ""
    scopes: Sequence[str] = ()
    note: str = ""
    by: str = ""
    expires_at: datetime | None = None


async def create_key(conn: asyncpg.Connection, wish: KeyWish) -> tuple[NewKey, ApiKey]:
    """A new key, and what is kept of it, in the caller's transaction. Refused when it would end before it begins."""
    if wish.expires_at is not None and wish.expires_at <= now():
        raise Refused("the key would have expired already", field="expires_at", fix="name a time that is to come")
    made, key = await _insert(conn, wish)
    await _audit(conn, "create", key, by=wish.by, after=_facts(key))
    return made, key


async def rotate_key(conn: asyncpg.Connection, name: str, overlap: timedelta, by: str) -> tuple[NewKey, ApiKey, ApiKey]:
    """A new key like the one called `name`, which goes on for `overlap` and then ends: the key, and both as they stand.

    Refused when there is no such key, or it has ended or been replaced.
    """
    old = await _locked(conn, name)
    state = old.state(now())
    if state != "active":
        fix = "create a new key" if state != "replaced" else f"rotate {old.replaced_by}, which replaced it"
        raise Refused(f"key {name} is {state}", rule=f"key.{state}", fix=fix)
    wish = KeyWish(consumer=old.consumer, plan=old.plan, scopes=old.scopes, note=old.note, by=by)
    made, new = await _insert(conn, wish if old.expires_at is None else replace(wish, expires_at=old.expires_at))
    row = await conn.fetchrow(SQL.replace_key, name, new.name, now() + overlap)
    kept = ApiKey(**row)
    after = {**_facts(kept), "replaced_by": new.name, "expires_at": kept.expires_at}
    await _audit(conn, "rotate", old, by=by, before=_facts(old), after=after)
    return made, new, kept


async def revoke_key(conn: asyncpg.Connection, name: str, by: str) -> ApiKey:
    """End a key now, everywhere within about a second; revoked before, it stays as it is. Refused when unknown."""
    old = await _locked(conn, name)
    await conn.execute(SQL.revoke_key, name, by)
    await conn.execute(SQL.changed)
    if old.revoked_at is None:
        await _audit(conn, "revoke", old, by=by, before=_facts(old))
    return await _locked(conn, name)


async def list_keys(
    conn: asyncpg.Connection, consumer: str = "", ended: bool = False, limit: int = MOST_LISTED
) -> list[ApiKey]:
    """Keys of `consumer` or of all (""), the newest first; with `ended` also expired and revoked ones."""
    return [ApiKey(**row) for row in await conn.fetch(SQL.list_keys, consumer, ended, min(limit, MOST_LISTED))]


async def _insert(conn: asyncpg.Connection, wish: KeyWish) -> tuple[NewKey, ApiKey]:
    made = make_key()
    row = await conn.fetchrow(
        SQL.insert_key,
        made.name,
        made.digest,
        wish.consumer,
        wish.plan,
        list(wish.scopes),
        wish.note,
        wish.by,
        wish.expires_at,
    )
    await conn.execute(SQL.changed)
    return made, ApiKey(**row)


def _facts(key: ApiKey) -> dict[str, object]:
    return {"consumer": key.consumer, "plan": key.plan, "scopes": key.scopes, "expires_at": key.expires_at}


async def _audit(
    conn: asyncpg.Connection, verb: str, key: ApiKey, *, by: str, before: object = None, after: object = None
) -> None:
    """Keys are made and ended on the command line only; the entry names a key and never holds it."""
    act = Act(action=f"key.{verb}", kind="key", id=key.name, key=f"key/{key.name}", before=before, after=after)
    await write_audit(conn, [act], by=by or "command line", origin="cli")


async def _locked(conn: asyncpg.Connection, name: str) -> ApiKey:
    row = await conn.fetchrow(SQL.lock_key, name)
    if row is None:
        # What was given may be a whole key by mistake; it is not repeated.
        raise Refused("there is no such key", rule="key.unknown", fix="use a name that `crossdock key list` shows")
    return ApiKey(**row)
