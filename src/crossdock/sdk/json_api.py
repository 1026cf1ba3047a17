# SPDX-License-Identifier: Apache-2.0
"""A JSON API behind a bearer token, as our own contracts have it: address, token, problem documents, kept connections.

A connector's client names its system and its status table; this speaks HTTP and knows no business object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from crossdock.errors import CrossdockError, NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer, Session, call, open_session
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import StatusTable, error_for, error_of_status, retry_after
from crossdock.sdk.sending import Exchange, Failed, Outcome, Outgoing

_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
_MOST_TOLD: Final = 5


class CallFailed(Exception):
    """A call did not do what it was made for; carries the error, the status (0 = none) and what travelled."""

    def __init__(self, error: CrossdockError, status: int, exchange: Exchange) -> None:
        super().__init__(error.reason)
        self.error = error
        self.status = status
        self.exchange = exchange


class FieldError(Struct):
    """What the system says of one field."""

    field: str = ""
    code: str = ""
    message: str = ""


class _Problem(Struct):
    title: str = ""
    detail: str = ""
    errors: list[FieldError] = field(default_factory=list)


class JsonApi:
    """One system. Setting: `url`; secret: `token`. `what` is how texts name it ("the warehouse"); `base` is the path
    below `url`. NeedsConfig when there is no address."""

    def __init__(self, config: SystemConfig, what: str, base: str, statuses: StatusTable) -> None:
        url = str(config.settings.get("url") or "").rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise NeedsConfig(
                f"{what}'s address is missing or is no http address",
                field="settings.url",
                fix="write url: https://… in the estate",
            )
        self.what = what
        self._url = url + base
        self._config = config
        self._statuses = statuses
        self._session: Session | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[bytes, Exchange]:
        """The body of a 2xx answer and what travelled.

        Raises CallFailed: RetryLater (throttled, not sent, a GET without an answer), OutcomeUnknown (another method
        without one), NeedsConfig, NeedsEdit.
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
        failure = _failure(answer, self._statuses)
        if method == "GET" and isinstance(failure, OutcomeUnknown):
            failure = RetryLater(failure.reason, rule=failure.rule)
        raise CallFailed(failure, answer.status, exchange)

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> Session:
        if self._session is None:
            limits = self._config.limits
            self._session = open_session(connections=limits.concurrency, total=limits.timeout)
        return self._session


class BatchCall(Struct, frozen=True):
    """A call that carries many items and answers with a result for each, in their order.

    `member`: the name of the array in its body. `results`: reads the answer's body; raises msgspec.DecodeError.
    `outcome`: what a result (None = there is none) means for the item that was sent.
    """

    method: str
    path: str
    member: str
    results: Callable[[bytes], Sequence[Any]]
    outcome: Callable[[Any, Any, Exchange], Outcome]


async def send_batch(
    api: JsonApi, kind: BatchCall, batch: Sequence[Outgoing], body_of: Callable[[Outgoing], Any]
) -> list[Outcome]:
    """The outcomes of `batch` in its order. `body_of` an item may raise a CrossdockError: that item is not sent. A call
    refused for its size (413) did nothing and is made again in halves."""
    outcomes: dict[int, Outcome] = {}
    ready: list[tuple[int, Any]] = []
    for index, item in enumerate(batch):
        try:
            ready.append((index, body_of(item)))
        except CrossdockError as error:
            outcomes[index] = Failed(error=error)
    if ready:
        await _send(api, kind, ready, outcomes)
    return [outcomes[index] for index in range(len(batch))]


async def _send(api: JsonApi, kind: BatchCall, ready: list[tuple[int, Any]], outcomes: dict[int, Outcome]) -> None:
    try:
        content, exchange = await api.request(kind.method, kind.path, {kind.member: [one for _, one in ready]})
    except CallFailed as failed:
        if failed.status == 413 and len(ready) > 1:
            half = len(ready) // 2
            await _send(api, kind, ready[:half], outcomes)
            await _send(api, kind, ready[half:], outcomes)
            return
        for index, _ in ready:
            outcomes[index] = Failed(error=failed.error, exchange=failed.exchange)
        return
    try:
        results = kind.results(content)
    except msgspec.DecodeError as error:
        for index, _ in ready:
            unknown = OutcomeUnknown(f"{api.what}'s answer could not be read: {error}", rule="answer")
            outcomes[index] = Failed(error=unknown, exchange=exchange)
        return
    for place, (index, sent) in enumerate(ready):
        outcomes[index] = kind.outcome(results[place] if place < len(results) else None, sent, exchange)


def told_by(errors: Sequence[FieldError]) -> str:
    """What the system says of the fields, in one line."""
    return "; ".join(f"{error.field}: {error.message or error.code}" for error in errors[:_MOST_TOLD])


def _failure(answer: Answer, statuses: StatusTable) -> CrossdockError:
    after = retry_after(answer.headers, now())
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = answer.body[:300].decode("utf-8", "replace")
        return error_of_status(statuses, answer.status, detail=detail, after=after)
    if problem.errors and answer.status in statuses:
        first = problem.errors[0]
        recovery = statuses[answer.status]
        return error_for(recovery, detail=told_by(problem.errors), field=first.field, rule=first.code, after=after)
    return error_of_status(statuses, answer.status, detail=problem.detail or problem.title, after=after)
