# SPDX-License-Identifier: Apache-2.0
"""The warehouse's HTTP API: address, token, errors. Knows no order."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from crossdock.connectors.warehouse_rest.errors import STATUSES
from crossdock.errors import CrossdockError, NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer, call, open_session
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_of_status, retry_after
from crossdock.sdk.sending import Exchange

_BASE: Final = "/api/v1"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")


class CallFailed(Exception):
    """A call did not do what it was made for; carries the error, the status (0 = none) and what travelled."""

    def __init__(self, error: CrossdockError, status: int, exchange: Exchange) -> None:
        super().__init__(error.reason)
        self.error = error
        self.status = status
        self.exchange = exchange


class _Problem(Struct):
    title: str = ""
    detail: str = ""


class WarehouseClient:
    """One warehouse. Setting: `url`; secret: `token`."""

    def __init__(self, config: SystemConfig) -> None:
        url = str(config.settings.get("url") or "").rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise NeedsConfig(
                "the warehouse's address is missing or is no http address",
                field="settings.url",
                fix="write url: https://… in the estate",
            )
        self._url = url + _BASE
        self._config = config
        self._session: aiohttp.ClientSession | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[bytes, Exchange]:
        """The body of a 2xx answer and what travelled.

        Raises CallFailed: RetryLater (throttled, not sent, a GET without an answer), OutcomeUnknown (a POST without
        one), NeedsConfig, NeedsEdit.
        """
        content = None if body is None else _ENCODER.encode(body)
        url = self._url + path
        headers = {"Authorization": f"Bearer {self._config.secret('token')}"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = await call(self._open(), method, url, headers=headers, body=content)
        except CrossdockError as error:
            raise CallFailed(error, 0, Exchange(method=method, url=url, request=content or b"")) from error
        exchange = Exchange(method=method, url=url, request=content or b"", status=answer.status, response=answer.body)
        if answer.ok:
            return answer.body, exchange
        failure = _failure(answer)
        if method == "GET" and isinstance(failure, OutcomeUnknown):
            failure = RetryLater(failure.reason, rule=failure.rule)
        raise CallFailed(failure, answer.status, exchange)

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self._config.limits
            self._session = open_session(per_host=limits.concurrency, total=limits.timeout)
        return self._session


def _failure(answer: Answer) -> CrossdockError:
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
        detail = problem.detail or problem.title
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = answer.body[:300].decode("utf-8", "replace")
    return error_of_status(STATUSES, answer.status, detail=detail, after=retry_after(answer.headers, now()))
