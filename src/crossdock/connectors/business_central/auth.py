# SPDX-License-Identifier: Apache-2.0
"""Access tokens of Entra: OAuth 2.0 client credentials, kept until shortly before they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from crossdock.connectors.business_central.errors import REFUSED_TOKEN, STATUSES
from crossdock.errors import NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_for, error_of_status, retry_after

SCOPE: Final = "https://api.businesscentral.dynamics.com/.default"
# A token is given up this long before it ends, so that it does not end on the way.
_MARGIN: Final = timedelta(seconds=60)
_SHORTEST: Final = timedelta(seconds=1)
_LONGEST_SECONDS: Final = 86_400.0

Post = Callable[[str, bytes], Awaitable[Answer]]


class _Token(Struct):
    access_token: str
    expires_in: int | str = 3600


class ClientCredentials:
    """The token of one application. Settings: `client_id`; secret: `client_secret`. `url`: the token endpoint."""

    def __init__(self, config: SystemConfig, url: str, post: Post) -> None:
        self._config = config
        self._url = url
        self._post = post
        self._token = ""
        self._until = datetime.min.replace(tzinfo=UTC)
        self._lock = asyncio.Lock()

    async def authorization(self) -> str:
        """`Bearer …`; asks for a token when there is none that lasts. Raises NeedsConfig, RetryLater."""
        if now() >= self._until:
            async with self._lock:
                if now() >= self._until:
                    await self._renew()
        return f"Bearer {self._token}"

    def reject(self, authorization: str) -> None:
        """`authorization` was answered with 401: forget its token, unless another call has renewed it since."""
        if authorization == f"Bearer {self._token}":
            self._until = datetime.min.replace(tzinfo=UTC)

    async def _renew(self) -> None:
        client_id = self._config.settings.get("client_id")
        if not client_id:
            raise NeedsConfig(
                "setting client_id is missing",
                field="settings.client_id",
                fix="add client_id, the application (client) id of the app registration, to the system in the estate",
            )
        form = {
            "grant_type": "client_credentials",
            "client_id": str(client_id),
            "client_secret": self._config.secret("client_secret"),
            "scope": SCOPE,
        }
        try:
            reply = await self._post(self._url, urlencode(form).encode())
        except OutcomeUnknown as error:
            raise RetryLater("Entra's token endpoint did not answer", rule="token") from error
        if reply.status in (400, 401):
            raise error_for(REFUSED_TOKEN, detail=reply.body[:300].decode("utf-8", "replace"), rule="token")
        if reply.status != 200:
            after = retry_after(reply.headers, now())
            failure = error_of_status(STATUSES, reply.status, detail="token endpoint", after=after)
            # Asking for a token again does no harm, whatever became of the first try.
            raise RetryLater(failure.reason, rule="token") if isinstance(failure, OutcomeUnknown) else failure
        try:
            token = msgspec.json.decode(reply.body, type=_Token)
            lasts = min(float(token.expires_in), _LONGEST_SECONDS)
            until = now() + max(timedelta(seconds=lasts) - _MARGIN, _SHORTEST)
        except (msgspec.DecodeError, ValueError, OverflowError) as error:
            raise RetryLater("Entra's token endpoint gave no token", rule="token") from error
        self._token = token.access_token
        self._until = until
