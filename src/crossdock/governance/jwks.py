# SPDX-License-Identifier: Apache-2.0
"""The public keys of an issuer of tokens (JWKS, RFC 7517): fetched, kept, fetched again for a key not seen before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jwt
import msgspec
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from msgspec import Struct

from crossdock.errors import CrossdockError, RetryLater
from crossdock.runtime.http import Session, call

LARGEST = 256 * 1024
MOST_KEYS = 100
SECONDS = 5.0
# A token that names an unknown key makes us look again, but never more often than this, whoever sends how many.
PAUSE = 30.0
# A key that the issuer withdraws is refused after this long at the latest, ...
FRESH = 600.0
# ... or after this long when the issuer cannot be asked.
GOOD = 86_400.0

log = structlog.get_logger(__name__)


class PublicKey(Struct, frozen=True):
    """A key of an issuer; `algorithm` is the only one it signs with, "" when the issuer does not say.
    `said`: how it was published."""

    key: Any
    algorithm: str
    said: str


class KeySet:
    """The keys at `address`. `ticks`: seconds that only grow."""

    def __init__(self, address: str, session: Session, ticks: Callable[[], float]) -> None:
        self._address = address
        self._session = session
        self._ticks = ticks
        self._keys: Mapping[str, PublicKey] = MappingProxyType({})
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching = asyncio.Lock()
        self.version = 0
        """Grows when keys change."""

    @property
    def due(self) -> bool:
        """Whether it is time to fetch them again, in case the issuer withdrew one."""
        return self._age() > FRESH

    @property
    def good(self) -> bool:
        """Whether they may still be believed: fetched at most GOOD seconds ago."""
        return self._age() <= GOOD

    async def find(self, name: str) -> PublicKey | None:
        """The key called `name`; None when the issuer has none. RetryLater when it cannot be asked and must be."""
        if name not in self._keys or not self.good:
            await self.refresh()
        if not self.good:
            raise RetryLater("the issuer of the token cannot be asked for its keys", after=PAUSE, rule="access.issuer")
        return self._keys.get(name)

    async def refresh(self) -> None:
        """Fetch the keys, unless that was tried in the last PAUSE seconds. What is kept stays when it fails."""
        async with self._fetching:
            if self._tried is not None and self._ticks() - self._tried < PAUSE:
                return
            self._tried = self._ticks()
            keys = await self._fetch()
            if keys is None:
                return
            if {name: one.said for name, one in keys.items()} != {name: one.said for name, one in self._keys.items()}:
                self.version += 1
            self._keys = keys
            self._fetched = self._ticks()

    async def _fetch(self) -> dict[str, PublicKey] | None:
        json = {"Accept": "application/json"}
        try:
            answer = await call(self._session, "GET", self._address, headers=json, largest=LARGEST, total=SECONDS)
        except CrossdockError as error:
            log.warning("access.jwks_away", reason=error.reason)
            return None
        keys = _read(answer.body) if answer.ok else None
        if keys is None:
            log.warning("access.jwks_unusable", status=answer.status)
        return keys

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._ticks() - self._fetched


def _read(body: bytes) -> dict[str, PublicKey] | None:
    """The keys of a document by their names; None when it is none. A key that cannot be used is left out."""
    try:
        keys = msgspec.json.decode(body, type=dict[str, Any]).get("keys")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        return None
    found: dict[str, PublicKey] = {}
    for one in keys:
        if not isinstance(one, dict) or not isinstance(one.get("kid"), str) or one.get("use", "sig") != "sig":
            continue
        # Symmetric keys have no place in a public document, and would make a forger of everybody who reads it.
        if one.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        try:
            made = jwt.PyJWK(one)
        # NotImplementedError: its `alg` is "none", which has no keys.
        except (jwt.PyJWTError, UnsupportedAlgorithm, NotImplementedError, KeyError, TypeError, ValueError):
            continue
        found[one["kid"]] = PublicKey(
            made.key, str(one.get("alg", "")), msgspec.json.encode(one, order="sorted").decode()
        )
    return found
