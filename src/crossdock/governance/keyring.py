# SPDX-License-Identifier: Apache-2.0
"""The API keys a gateway knows, in memory: found by name, compared in constant time, read again when they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hmac import compare_digest

import asyncpg
from msgspec import Struct

from crossdock.errors import EngineAway
from crossdock.governance.consumers import Admitted, Consumers
from crossdock.governance.key import digest_of, name_in
from crossdock.governance.refusal import UnknownCaller
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
_NEW = "ask the operator for a key: crossdock key create"
_NOBODY = b"\0" * 32


class Kept(Struct, frozen=True):
    """A key as it is kept: whose it is, the plan and scopes it was made for ("" and none: the consumer's)."""

    name: str
    digest: bytes
    consumer: str
    plan: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked: bool
    admitted: Admitted | None


class KeyRing:
    """Keys of `consumers` as they stand at `version`; -1 before they were read once. `now`: the time, in UTC."""

    def __init__(self, consumers: Consumers, now: Callable[[], datetime]) -> None:
        self.version = -1
        self._consumers = consumers
        self._now = now
        self._keys: Mapping[str, Kept] = {}
        self._used: dict[str, datetime] = {}

    async def refresh(self, conn: asyncpg.Connection) -> bool:
        """Read all keys again when they have changed; whether they had."""
        version = await conn.fetchval(SQL.version)
        if version == self.version:
            return False
        self._keys = {row["name"]: self._kept(row) for row in await conn.fetch(SQL.keys)}
        self.version = version
        return True

    def admit(self, key: bytes) -> Admitted:
        """Who shows this key. UnknownCaller when nobody may with it; EngineAway before keys were read once."""
        name = name_in(key)
        if name is None:
            raise UnknownCaller("the key has not the form of one", rule="access.key", fix=_NEW)
        if self.version < 0:
            raise EngineAway("the API keys are not in memory yet")
        kept = self._keys.get(name)
        if not compare_digest(digest_of(key), _NOBODY if kept is None else kept.digest) or kept is None:
            raise UnknownCaller("there is no such key", rule="access.key", fix=_NEW)
        if kept.revoked:
            raise UnknownCaller("the key was revoked", rule="access.key_revoked", fix=_NEW)
        at = self._now()
        if kept.expires_at is not None and at >= kept.expires_at:
            said = f"the key expired at {kept.expires_at:%Y-%m-%dT%H:%M:%SZ}"
            raise UnknownCaller(said, rule="access.key_expired", fix=_NEW)
        if kept.admitted is None:
            raise UnknownCaller("the key's owner is no consumer any more", rule="access.key", fix=_NEW)
        self._used[name] = at
        return kept.admitted

    def used(self) -> dict[str, datetime]:
        """When keys were used last, since this was asked last."""
        found, self._used = self._used, {}
        return found

    def used_again(self, found: Mapping[str, datetime]) -> None:
        """Take back what `used` gave and nobody could write down."""
        self._used = {**found, **self._used}

    def _kept(self, row: asyncpg.Record) -> Kept:
        scopes = frozenset(row["scopes"])
        return Kept(
            row["name"],
            row["digest"],
            row["consumer"],
            row["plan"],
            scopes,
            row["expires_at"],
            row["revoked_at"] is not None,
            self._consumers.admit(row["consumer"], scopes or None, row["plan"]),
        )
