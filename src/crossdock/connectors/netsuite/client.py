# SPDX-License-Identifier: Apache-2.0
"""SuiteTalk REST: address, credentials, record calls, SuiteQL, errors. Knows no order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from crossdock.connectors.netsuite.auth import MachineToMachine, Method, Signer, TokenBased
from crossdock.connectors.netsuite.errors import CODES, STATUSES
from crossdock.errors import CrossdockError, NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer, Session, call, open_session
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_for, error_of_status, retry_after
from crossdock.sdk.sending import Exchange

RECORD: Final = "/services/rest/record/v1"
SUITEQL: Final = "/services/rest/query/v1/suiteql"
# SuiteQL: at most 1,000 rows a page, 100,000 rows by offset.
PAGE: Final = 1_000
_REACH: Final = 100_000
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)?")
# Without it NetSuite drops what is misspelt and says nothing.
_STRICT: Final = {"X-NetSuite-PropertyNameValidation": "Error"}
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class _Rows(Struct):
    items: list[dict[str, Any]]
    has_more: bool = field(default=False, name="hasMore")


_ROWS: Final = msgspec.json.Decoder(_Rows)


class CallFailed(Exception):
    """A call did not do what it was made for; carries the error and what travelled."""

    def __init__(self, error: CrossdockError, exchange: Exchange | None) -> None:
        super().__init__(error.reason)
        self.error = error
        self.exchange = exchange


class Reply(Struct, frozen=True):
    """A successful answer and what travelled."""

    body: bytes
    location: str
    exchange: Exchange

    @property
    def record_id(self) -> str:
        """The internal id at the end of the Location header, "" without one."""
        return self.location.rstrip("/").rpartition("/")[2]


class _Detail(Struct, rename={"code": "o:errorCode", "path": "o:errorPath"}):
    detail: str = ""
    code: str = ""
    path: str = ""


class _Problem(Struct, rename={"details": "o:errorDetails"}):
    title: str = ""
    details: list[_Detail] = field(default_factory=list)


class Row(Struct):
    """A row of SuiteQL: every scalar is text."""

    id: str
    externalid: str = ""


RowType = TypeVar("RowType")


class RestClient:
    """One account. Settings: `account`, `url` (overrides the address), `auth`, and what `auth` needs."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config
        self._base, realm = _address(config.settings)
        self._session: Session | None = None
        self._signer: Signer = (
            TokenBased(config, realm)
            if config.settings.get("auth") == "tba"
            else MachineToMachine(config, self._base, self._post_form)
        )

    async def record(
        self, method: Method, path: str, *, query: str = "", body: Any = None, missing_is_none: bool = False
    ) -> Reply | None:
        """Call a record ("salesOrder/eid:A-1"); `query` is the part after "?". None for a 404 when so asked.

        Raises CallFailed: RetryLater (throttled, not sent), OutcomeUnknown (no answer or 5xx to a write), NeedsConfig,
        NeedsEdit naming the field.
        """
        content = None if body is None else _ENCODER.encode(body)
        url = f"{self._base}{RECORD}/{path}" + (f"?{query}" if query else "")
        return await self._call(method, url, content, _STRICT, missing_is_none=missing_is_none)

    async def suiteql(self, query: str) -> list[Row]:
        """The first 1,000 rows of a SuiteQL query that asks for id, and maybe externalid. Raises CallFailed."""
        return await self.rows(query, Row)

    async def rows(self, query: str, row: type[RowType], limit: int = PAGE) -> list[RowType]:
        """The first `limit` rows (1,000 at most) of a SuiteQL query, each read as a `row`. Raises CallFailed."""
        return (await self._page(query, row, limit, 0))[0]

    async def every_row(self, query: str, row: type[RowType]) -> list[RowType]:
        """All rows of a SuiteQL query that has an order, page by page. Raises CallFailed, RetryLater in it beyond the
        100,000 rows that an offset reaches."""
        found: list[RowType] = []
        for offset in range(0, _REACH, PAGE):
            rows, more = await self._page(query, row, PAGE, offset)
            found += rows
            if not more:
                return found
        raise CallFailed(RetryLater(f"a query has more than {_REACH} rows", rule="rows"), None)

    async def _page(self, query: str, row: type[RowType], limit: int, offset: int) -> tuple[list[RowType], bool]:
        url = f"{self._base}{SUITEQL}?limit={limit}&offset={offset}"
        reply = await self._call("POST", url, _ENCODER.encode({"q": query}), {"Prefer": "transient"}, reading=True)
        if reply is None:
            return [], False
        try:
            page = _ROWS.decode(reply.body)
            items: list[RowType] = msgspec.convert(page.items, list[row], strict=False)  # type: ignore[valid-type]
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            unreadable = RetryLater(f"NetSuite's answer could not be read: {error}", rule="answer")
            raise CallFailed(unreadable, reply.exchange) from error
        return items, page.has_more

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(
        self,
        method: Method,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        reading: bool = False,
        missing_is_none: bool = False,
    ) -> Reply | None:
        try:
            answer = await self._signed(method, url, body, headers)
        except CrossdockError as error:
            exchange = Exchange(method=method, url=url, request=body or b"")
            unanswered = reading and isinstance(error, OutcomeUnknown)
            raise CallFailed(RetryLater(error.reason, rule="no_answer") if unanswered else error, exchange) from error
        exchange = Exchange(method=method, url=url, request=body or b"", status=answer.status, response=answer.body)
        if answer.ok:
            return Reply(answer.body, answer.headers.get("Location", ""), exchange)
        if answer.status == 404 and missing_is_none:
            return None
        failure = _failure(answer)
        if reading and isinstance(failure, OutcomeUnknown):
            failure = RetryLater(failure.reason, rule=failure.rule)
        raise CallFailed(failure, exchange)

    async def _signed(self, method: Method, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        for last in (False, True):
            sent = {**headers, "Authorization": await self._signer.authorization(method, url)}
            if body is not None:
                sent["Content-Type"] = "application/json"
            answer = await call(self._open(), method, url, headers=sent, body=body)
            # A 401 says that nothing was done: a token that ended early is renewed once.
            if answer.status != 401 or last or not self._signer.reject():
                return answer
        raise AssertionError("the second try returns")

    async def _post_form(self, url: str, body: bytes) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await call(self._open(), "POST", url, headers=headers, body=body)

    def _open(self) -> Session:
        if self._session is None:
            limits = self._config.limits
            self._session = open_session(connections=limits.concurrency, total=limits.timeout)
        return self._session


def by_external_id(external_id: str) -> str:
    """The last part of a record's path for an external id."""
    return "eid:" + quote(external_id, safe="")


def sql_text(value: str) -> str:
    """`value` as a SuiteQL literal."""
    return "'" + value.replace("'", "''") + "'"


def sql_list(values: Sequence[str]) -> str:
    """`values` as the list after IN."""
    return "(" + ", ".join(sql_text(value) for value in values) + ")"


def _failure(answer: Answer) -> CrossdockError:
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem(title=answer.body[:300].decode("utf-8", "replace"))
    first = problem.details[0] if problem.details else _Detail()
    detail = "; ".join(each.detail for each in problem.details[:5]) or problem.title
    after = retry_after(answer.headers, now())
    recovery = CODES.get(first.code)
    if recovery is None:
        return error_of_status(STATUSES, answer.status, detail=detail, field=first.path, after=after)
    return error_for(recovery, detail=detail, field=first.path, rule=first.code, after=after)


def _address(settings: Mapping[str, Any]) -> tuple[str, str]:
    account = str(settings.get("account") or "")
    if not _ACCOUNT.fullmatch(account):
        raise NeedsConfig(
            "the account id is missing or is not one",
            field="settings.account",
            value=account,
            fix="write the account id as NetSuite shows it, e.g. account: '1234567_SB1'",
        )
    host = account.lower().replace("_", "-")
    url = str(settings.get("url") or f"https://{host}.suitetalk.api.netsuite.com").rstrip("/")
    return url, account.upper().replace("-", "_")
