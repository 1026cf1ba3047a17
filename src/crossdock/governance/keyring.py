# SPDX-License-Identifier: Apache-2.0
"""The API keys a gateway knows, in memory: found by name, compared in constant time, read again when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from hmac import compare_digest

import asyncpg
from msgspec import Struct

from crossdock.errors import EngineAway
from crossdock.governance.consumers import Admitted, Consumers
from crossdock.governance.key import NAME, digest_of, name_in
from crossdock.governance.refusal import UnknownCaller
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
_NEW = "ask the operator for a key: crossdock key create"


class Kept(Struct, frozen=True):
    """A key as it is known: whose it is, with what it was made for; `ended`: revoked."""

    name: str
    digest: bytes
    admitted: Admitted | None
    expires_at: datetime | None
    ended: bool


class KeyRing:
    """Keys of `consumers` as they stand at `version`; -1 before they were read once. `now`: the time, in UTC."""

    def __init__(self, consumers: Consumers, now: Callable[[], datetime]) -> None:
        self.version = -1
        self._consumers = consumers
        self._now = now
        self._keys: Mapping[bytes, Kept] = {}
        self._used: set[str] = set()

    async def refresh(self, conn: asyncpg.Connection) -> bool:
        """Read all keys again when they have changed; whether they had."""
        version = await conn.fetchval(SQL.version)
        if version == self.version:
            return False
        self._keys = {row["name"].encode(): self._kept(row) for row in await conn.fetch(SQL.keys)}
        self.version = version
        return True

    def admit(self, key: bytes) -> Admitted:
        """Who shows this key. UnknownCaller when nobody may with it; EngineAway before keys were read once."""
        kept = self._keys.get(key[NAME])
        if kept is None or not compare_digest(digest_of(key), kept.digest):
            raise self._unknown(key)
        if kept.ended or kept.admitted is None or (kept.expires_at is not None and self._now() >= kept.expires_at):
            raise _ended(kept)
        self._used.add(kept.name)
        return kept.admitted

    def used(self) -> dict[str, datetime]:
        """The keys used since this was asked last, as of now."""
        found, self._used = self._used, set()
        return dict.fromkeys(found, self._now())

    def used_again(self, names: Iterable[str]) -> None:
        """Take back what `used` gave and nobody could write down."""
        self._used.update(names)

    def _unknown(self, key: bytes) -> UnknownCaller | EngineAway:
        if name_in(key) is None:
            return UnknownCaller("the key has not the form of one", rule="access.key", fix=_NEW)
        if self.version < 0:
            return EngineAway("the API keys are not in memory yet")
        return UnknownCaller("there is no such key", rule="access.key", fix=_NEW)

    def _kept(self, row: asyncpg.Record) -> Kept:
        admitted = self._consumers.admit(row["consumer"], frozenset(row["scopes"]) or None, row["plan"])
        return Kept(row["name"], row["digest"], admitted, row["expires_at"], row["revoked_at"] is not None)


def _ended(kept: Kept) -> UnknownCaller:
    if kept.ended:
        return UnknownCaller("the key was revoked", rule="access.key_revoked", fix=_NEW)
    if kept.admitted is None:
        return UnknownCaller("the key's owner is no consumer any more", rule="access.key", fix=_NEW)
    return UnknownCaller(
        f"the key expired at {kept.expires_at:%Y-%m-%dT%H:%M:%SZ}", rule="access.key_expired", fix=_NEW
    )
