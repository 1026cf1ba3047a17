# SPDX-License-Identifier: Apache-2.0
"""OAuth 2.0 access tokens in JWT form (RFC 9068), as clients get them by client credentials from an issuer we believe.

Believed is what one of the issuer's public keys signed, with an algorithm of our list, for us (`aud`), by that issuer
(`iss`), and not expired. Who is meant is the client id, which the estate gives to a consumer; what is allowed is what
both the token's scopes and the consumer's allow.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import jwt
from msgspec import Struct

from crossdock.governance.consumers import Admitted, Consumers
from crossdock.governance.jwks import KeySet
from crossdock.governance.refusal import UnknownCaller

LARGEST = 8 * 1024
LEEWAY = 30.0
MOST_KEPT = 10_000
_FIX = "get a new access token for this API from your authorization server"
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")


class Issuer(Struct, frozen=True, kw_only=True):
    """An issuer as its tokens are checked. `consumers`: client id → consumer."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    client_claim: str
    scope_claim: str
    consumers: Mapping[str, str]
    keys: KeySet


class _Kept(Struct, frozen=True):
    admitted: Admitted
    until: float
    issuer: Issuer
    version: int


class Tokens:
    """Checks tokens of `issuers`. One that was found good is not checked again until it ends or keys change."""

    def __init__(self, issuers: list[Issuer], consumers: Consumers, now: Callable[[], datetime]) -> None:
        self._issuers = {one.issuer: one for one in issuers}
        self._consumers = consumers
        self._now = now
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    async def admit(self, token: bytes) -> Admitted:
        """Who shows this token. UnknownCaller when nobody may with it; RetryLater when its issuer cannot be asked."""
        if not self._issuers or len(token) > LARGEST or token.count(b".") != 2:
            raise _refused("is neither a key nor a token that is taken here")
        digest = sha256(token).digest()
        kept = self._kept.get(digest)
        if kept is not None:
            keys = kept.issuer.keys
            if keys.good and kept.version == keys.version and self._now().timestamp() < kept.until:
                return kept.admitted
            del self._kept[digest]
        issuer, claims = await self._checked(token.decode("latin-1"))
        admitted = self._admitted(issuer, claims)
        if len(self._kept) >= MOST_KEPT:
            self._kept.popitem(last=False)
        self._kept[digest] = _Kept(admitted, float(claims["exp"]), issuer, issuer.keys.version)
        return admitted

    async def _checked(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        try:
            whole = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _refused("cannot be read") from error
        header, named = whole["header"], whole["payload"].get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise _refused("is of no issuer that is believed here")
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in issuer.algorithms:
            raise _refused("is signed in a way that is not taken here")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise _refused("is no access token")
        key = await issuer.keys.find(kid) if isinstance(kid, str) and kid else None
        if key is None or key.algorithm not in ("", algorithm):
            raise _refused("is signed with no key of its issuer")
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise _refused("has expired") from error
        except jwt.InvalidAudienceError as error:
            raise _refused("is for another audience") from error
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise _refused("does not hold") from error
        if "cnf" in claims:
            raise _refused("is bound to a key of its client, which is not checked here")
        return issuer, claims

    def _admitted(self, issuer: Issuer, claims: Mapping[str, Any]) -> Admitted:
        client = claims.get(issuer.client_claim)
        consumer = issuer.consumers.get(client) if isinstance(client, str) else None
        admitted = self._consumers.admit(consumer, _scopes(claims.get(issuer.scope_claim))) if consumer else None
        if admitted is None:
            raise _refused("is of a client that is no consumer here")
        return admitted


def _scopes(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(one for one in value if isinstance(one, str))
    return frozenset()


def _refused(what: str) -> UnknownCaller:
    return UnknownCaller(f"the credential {what}", rule="access.token", fix=_FIX)
