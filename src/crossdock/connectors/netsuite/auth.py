# SPDX-License-Identifier: Apache-2.0
"""Signing requests: OAuth 2.0 machine to machine (a token for a signed assertion) or token-based (OAuth 1.0a)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlencode

import jwt
import msgspec
from msgspec import Struct
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from crossdock.connectors.netsuite.errors import REFUSED_TOKEN, STATUSES
from crossdock.errors import NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_for, error_of_status, retry_after

TOKEN_PATH: Final = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path, not a password
# NetSuite: RSA-PSS or ECDSA only; an assertion lives an hour at most, ours a few minutes.
ALGORITHMS: Final = frozenset({"PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
_ASSERTION_SECONDS: Final = 300
# A token is given up this long before it ends, so that it does not end on the way.
_MARGIN_SECONDS: Final = 60
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Post = Callable[[str, bytes], Awaitable[Answer]]


class Signer(Protocol):
    """Makes the Authorization header of one request."""

    async def authorization(self, method: Method, url: str) -> str:
        """The header's value. Raises NeedsConfig or RetryLater."""
        ...

    def reject(self) -> bool:
        """The last header was answered with 401; whether another one may help."""
        ...


class _Token(Struct):
    access_token: str
    expires_in: int | str = 3600


class MachineToMachine:
    """OAuth 2.0 client credentials with a signed JWT. The token is kept until shortly before it ends."""

    def __init__(self, config: SystemConfig, base: str, post: Post) -> None:
        self._config = config
        self._url = base + TOKEN_PATH
        self._post = post
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def authorization(self, method: Method, url: str) -> str:
        """`Bearer …`; asks for a token when there is none that lasts. Raises NeedsConfig, RetryLater."""
        if time.monotonic() >= self._until:
            async with self._lock:
                if time.monotonic() >= self._until:
                    await self._renew()
        return f"Bearer {self._token}"

    def reject(self) -> bool:
        """Forget the token: it was revoked or ended early; a new one may help."""
        self._until = 0.0
        return True

    async def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        try:
            reply = await self._post(self._url, urlencode(form).encode())
        except OutcomeUnknown as error:
            raise RetryLater("NetSuite's token endpoint did not answer", rule="token") from error
        if reply.status in (400, 401):
            raise error_for(REFUSED_TOKEN, detail=_said(reply.body), rule="token")
        if reply.status != 200:
            after = retry_after(reply.headers, now())
            failure = error_of_status(STATUSES, reply.status, detail="token endpoint", after=after)
            # Asking for a token again does no harm, whatever became of the first try.
            raise RetryLater(failure.reason, rule="token") if isinstance(failure, OutcomeUnknown) else failure
        try:
            token = msgspec.json.decode(reply.body, type=_Token)
            lasts = float(token.expires_in)
        except (msgspec.DecodeError, ValueError) as error:
            raise RetryLater("NetSuite's token endpoint gave no token", rule="token") from error
        self._token = token.access_token
        self._until = time.monotonic() + max(lasts - _MARGIN_SECONDS, 1.0)

    def _assertion(self) -> str:
        settings = self._config.settings
        algorithm = str(settings.get("algorithm") or "PS256")
        if algorithm not in ALGORITHMS:
            raise NeedsConfig(
                f"NetSuite does not accept assertions signed with {algorithm}",
                field="settings.algorithm",
                value=algorithm,
                fix=f"use one of {', '.join(sorted(ALGORITHMS))}, as the certificate's key is",
            )
        issued = int(now().timestamp())
        claims = {
            "iss": _required(settings, "client_id"),
            "scope": [str(settings.get("scope") or "rest_webservices")],
            "aud": self._url,
            "iat": issued,
            "exp": issued + _ASSERTION_SECONDS,
        }
        header = {"kid": _required(settings, "certificate_id")}
        try:
            return jwt.encode(claims, self._config.secret("private_key"), algorithm=algorithm, headers=header)
        except (jwt.PyJWTError, ValueError, TypeError):
            # The cause may quote the key: it is left out.
            raise NeedsConfig(
                f"the private key cannot sign with {algorithm}",
                field="secrets.private_key",
                fix="give the certificate's private key in PEM: RSA for PS…, elliptic curve for ES…",
            ) from None


class TokenBased:
    """OAuth 1.0a with HMAC-SHA256. NetSuite lets nobody set it up anew from 2027.1."""

    def __init__(self, config: SystemConfig, realm: str) -> None:
        self._config = config
        self._realm = realm

    async def authorization(self, method: Method, url: str) -> str:
        """`OAuth realm=…` with a nonce and time of its own. Raises NeedsConfig for a missing secret."""
        secret = self._config.secret
        client = Client(
            secret("consumer_key"),
            client_secret=secret("consumer_secret"),
            resource_owner_key=secret("token_id"),
            resource_owner_secret=secret("token_secret"),
            signature_method=SIGNATURE_HMAC_SHA256,
            realm=self._realm,
        )
        _, headers, _ = client.sign(url, http_method=method)
        return str(headers["Authorization"])

    def reject(self) -> bool:
        """Signing again would say the same."""
        return False


def _required(settings: Any, name: str) -> str:
    value = settings.get(name)
    if not value:
        raise NeedsConfig(
            f"setting {name} is missing", field=f"settings.{name}", fix=f"add {name} to the system in the estate"
        )
    return str(value)


def _said(body: bytes) -> str:
    return body[:300].decode("utf-8", "replace")
