# SPDX-License-Identifier: Apache-2.0
"""API v2.0 of one company: address, credentials, limits, records, pages, errors. Knows no order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct, field

from crossdock.connectors.business_central.auth import ClientCredentials
from crossdock.connectors.business_central.errors import NO_EXTENSION, STATUSES, field_of, recovery_of
from crossdock.connectors.business_central.window import SlidingWindow
from crossdock.errors import CrossdockError, NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer, Session, call, open_session
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_for, error_of_status, retry_after
from crossdock.sdk.sending import Exchange

Method = Literal["GET", "POST", "PATCH", "DELETE"]

ENTRA: Final = "https://login.microsoftonline.com"
CLOUD: Final = "https://api.businesscentral.dynamics.com"
EXTENSION: Final = "crossdock/distribution/v1.0"
# Business Central: 6,000 requests in a sliding window of five minutes, for one application over everything it does.
WINDOW_SECONDS: Final = 300.0
_RATE: Final = 20.0
# For a place in the window a call waits so long at most; beyond that it is tried again later.
_PATIENCE_SECONDS: Final = 2.0
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,29}")
_EXTENSION: Final = re.compile(r"[A-Za-z0-9]{1,40}/[A-Za-z0-9]{1,40}/(v\d{1,3}\.\d{1,3}|beta)")
_QUERY: Final = re.compile(r"[\x21\x23-\x7e]{1,8000}")
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")

RowType = TypeVar("RowType")


class CallFailed(Exception):
    """A call did not do what it was made for; carries the error, the code Business Central gave and what travelled."""

    def __init__(self, error: CrossdockError, exchange: Exchange | None, code: str = "") -> None:
        super().__init__(error.reason)
        self.error = error
        self.exchange = exchange
        self.code = code


class Reply(Struct, frozen=True):
    """A successful answer and what travelled."""

    body: bytes
    exchange: Exchange


class Page(Struct, Generic[RowType], frozen=True):
    """Some rows of a set. `next`: the query that the page after it is asked for with, "" = this was the last."""

    rows: list[RowType]
    next: str
    exchange: Exchange


class _Rows(Struct, rename={"next_link": "@odata.nextLink"}):
    value: list[msgspec.Raw]
    next_link: str = ""


class _Said(Struct):
    code: str = ""
    message: str = ""


class _Problem(Struct):
    error: _Said = field(default_factory=_Said)


class RestClient:
    """One company. Settings: `tenant`, `environment`, `company`, `client_id`, `extension`, `url` and `login_url`
    (override the addresses). `share`: the part of the application's limits that this client may use."""

    def __init__(self, config: SystemConfig, *, share: float = 1.0) -> None:
        self._config = config
        settings = config.settings
        tenant = _setting(settings, "tenant", _TENANT, "the directory (tenant) id of Entra")
        environment = _setting(settings, "environment", _ENVIRONMENT, "the environment's name", "Production")
        company = _setting(settings, "company", _GUID, "the id of the company, as GET companies shows it")
        extension = _setting(settings, "extension", _EXTENSION, "publisher/group/version of the pages", EXTENSION)
        given = str(settings.get("url") or "").rstrip("/")
        api = f"{given or CLOUD}/v2.0/{tenant}/{environment}/api"
        self._standard = f"{api}/v2.0/companies({company})"
        self._extension = f"{api}/{extension}/companies({company})"
        login = str(settings.get("login_url") or given or ENTRA).rstrip("/")
        self._credentials = ClientCredentials(config, f"{login}/{tenant}/oauth2/v2.0/token", self._post_form)
        self._session: Session | None = None
        rate = config.limits.rate or _RATE
        self._window = SlidingWindow(max(1, int(rate * WINDOW_SECONDS * share)), WINDOW_SECONDS)
        self._connections = max(1, int(config.limits.concurrency * share))

    async def record(
        self,
        method: Method,
        path: str,
        *,
        query: str = "",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        extension: bool = False,
        missing_is_none: bool = False,
    ) -> Reply | None:
        """Call a record or a set ("salesOrders(…)", "" = the company); `query` is the part after "?". `headers`:
        besides ours (If-Match). `extension`: a page of our extension. None for a 404 when so asked.

        Raises CallFailed: RetryLater (throttled, not sent, changed meanwhile), OutcomeUnknown (no answer or 5xx to a
        write), NeedsConfig, NeedsEdit.
        """
        base = self._extension if extension else self._standard
        url = base + (f"/{path}" if path else "") + (f"?{query}" if query else "")
        content = None if body is None else _ENCODER.encode(body)
        sent = {"Accept": "application/json", **(headers or {})}
        if content is not None:
            sent["Content-Type"] = "application/json"
        try:
            answer = await self._authorized(method, url, content, sent)
        except CrossdockError as error:
            raise CallFailed(error, Exchange(method=method, url=url, request=content or b"")) from error
        exchange = Exchange(method=method, url=url, request=content or b"", status=answer.status, response=answer.body)
        if answer.ok:
            return Reply(answer.body, exchange)
        if answer.status == 404 and missing_is_none:
            return None
        code, failure = _failure(answer, page=extension and "(" not in path)
        if method == "GET" and isinstance(failure, OutcomeUnknown):
            told = failure.reason.partition(": ")[2] or f"HTTP {answer.status}"
            failure = RetryLater(f"Business Central could not say what it has: {told}", rule=failure.rule)
        raise CallFailed(failure, exchange, code)

    async def page(
        self, path: str, query: str, row: type[RowType], *, size: int = 1_000, extension: bool = False
    ) -> Page[RowType]:
        """One page of a set, at most `size` rows, each read as `row`. Raises CallFailed; an answer in another form is
        RetryLater."""
        headers = {"Prefer": f"odata.maxpagesize={size}"}
        reply = await self.record("GET", path, query=query, headers=headers, extension=extension)
        if reply is None:
            raise AssertionError("a 404 is raised")
        try:
            answer = msgspec.json.decode(reply.body, type=_Rows)
            rows = [msgspec.json.decode(raw, type=row) for raw in answer.value]
            following = _next_query(answer.next_link)
        except (msgspec.DecodeError, ValueError) as error:
            unreadable = RetryLater(f"Business Central's answer could not be read: {error}", rule="answer")
            raise CallFailed(unreadable, reply.exchange) from error
        return Page(rows, following, reply.exchange)

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _authorized(self, method: Method, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        for last in (False, True):
            authorization = await self._credentials.authorization()
            await self._place()
            sent = {**headers, "Authorization": authorization}
            answer = await call(self._open(), method, url, headers=sent, body=body)
            # A 401 says that nothing was done: a token that ended early is renewed once.
            if answer.status != 401 or last:
                return answer
            self._credentials.reject(authorization)
        raise AssertionError("the second try returns")

    async def _place(self) -> None:
        while (wait := self._window.take()) > 0:
            if wait > _PATIENCE_SECONDS:
                raise RetryLater(
                    "this application's requests of five minutes are used up", after=wait, rule="window", throttled=True
                )
            await asyncio.sleep(wait)

    async def _post_form(self, url: str, body: bytes) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await call(self._open(), "POST", url, headers=headers, body=body)

    def _open(self) -> Session:
        if self._session is None:
            self._session = open_session(connections=self._connections, total=self._config.limits.timeout)
        return self._session


def text(value: str) -> str:
    """`value` as an OData literal."""
    return "'" + value.replace("'", "''") + "'"


def query_of(**options: str) -> str:
    """A query of OData options: `query_of(filter="number eq '1'", top="2")`."""
    return "&".join(f"${name}={quote(value, safe='(),=')}" for name, value in options.items())


def _next_query(link: str) -> str:
    """The query of a nextLink: another host or path in it is not followed. ValueError when it has none."""
    if not link:
        return ""
    query = urlsplit(link).query
    if not _QUERY.fullmatch(query):
        raise ValueError("@odata.nextLink has no query")
    return query


def _failure(answer: Answer, *, page: bool) -> tuple[str, CrossdockError]:
    """The code and the error of a refusal. `page`: it was of a page of our extension, which a 404 says is not there."""
    try:
        said = msgspec.json.decode(answer.body, type=_Problem).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _Said(message=answer.body[:300].decode("utf-8", "replace"))
    after = retry_after(answer.headers, now())
    recovery = NO_EXTENSION if page and answer.status == 404 else recovery_of(said.code, answer.status)
    if recovery is None:
        return said.code, error_of_status(STATUSES, answer.status, detail=said.message, after=after)
    named = field_of(said.message)
    return said.code, error_for(recovery, detail=said.message, field=named, rule=said.code or "HTTP 404", after=after)


def _setting(settings: Mapping[str, Any], name: str, form: re.Pattern[str], what: str, default: str = "") -> str:
    value = str(settings.get(name) or default)
    if not form.fullmatch(value):
        raise NeedsConfig(
            f"setting {name} is missing or is none", field=f"settings.{name}", value=value, fix=f"write {name}: {what}"
        )
    return value
