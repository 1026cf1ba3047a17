# SPDX-License-Identifier: Apache-2.0
"""The Admin GraphQL API: address, token, cost points, errors. Knows no order."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from crossdock.connectors.shopify.budget import CostBudget
from crossdock.connectors.shopify.errors import GRAPHQL_CODES, STATUSES, UNKNOWN_GRAPHQL
from crossdock.errors import CrossdockError, NeedsConfig, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import now
from crossdock.runtime.http import Answer, Session, call, open_session
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_for, error_of_status, retry_after
from crossdock.sdk.sending import Exchange

API_VERSION: Final = "2026-10"
# Waiting longer than this inside a call would hold a place that another system's delivery could use.
LONGEST_WAIT = 10.0
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_OPERATION = re.compile(r"^(?:query|mutation) (\w+)", re.MULTILINE)

Data = TypeVar("Data")


def load_operations() -> dict[str, str]:
    """Every operation of `queries.graphql` by name, comments taken out."""
    text = files(__package__).joinpath("queries.graphql").read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    starts = [*_OPERATION.finditer(lines)]
    ends = [match.start() for match in starts[1:]] + [len(lines)]
    return {match[1]: lines[match.start() : end].strip() for match, end in zip(starts, ends, strict=True)}


OPERATIONS: Final = load_operations()


class _Throttle(Struct, rename="camel"):
    maximum_available: float
    currently_available: float
    restore_rate: float


class _Cost(Struct, rename="camel"):
    requested_query_cost: float | None = None
    throttle_status: _Throttle | None = None


class _Extensions(Struct):
    cost: _Cost | None = None


class _ErrorExtensions(Struct):
    code: str = ""


class _GraphError(Struct):
    message: str = ""
    extensions: _ErrorExtensions | None = None


class _Envelope(Struct):
    data: Raw = Raw(b"null")
    errors: list[_GraphError] = field(default_factory=list)
    extensions: _Extensions | None = None


class CallFailed(Exception):
    """A call did not do what it was made for; carries the error and what travelled."""

    def __init__(self, error: CrossdockError, exchange: Exchange | None) -> None:
        super().__init__(error.reason)
        self.error = error
        self.exchange = exchange


_DECODER = msgspec.json.Decoder(_Envelope)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class AdminClient:
    """One shop. Settings: `shop` ("name.myshopify.com"), `url` (overrides it), `api_version`; secret: `token`."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config
        self._url = _address(config.settings)
        self._budget = CostBudget(time.monotonic)
        self._ratios: dict[str, float] = {}
        self._session: Session | None = None

    async def run(
        self, name: str, variables: Mapping[str, Any], answer: type[Data], *, cost: float
    ) -> tuple[Data, Exchange]:
        """Run operation `name` and decode `data` as `answer`.

        `cost`: the points we count on, corrected by what Shopify counted for this operation before.

        Waits when the shop's bucket would not hold the call. Raises CallFailed with RetryLater (throttled, not sent, a
        query without an answer), OutcomeUnknown (a mutation without one), NeedsConfig (credentials, scopes, version).
        """
        text = OPERATIONS[name]
        writes = text.startswith("mutation")
        body = _ENCODER.encode({"query": text, "variables": variables, "operationName": name})
        exchange = Exchange(method="POST", url=self._url, request=body)
        expected = cost * self._ratios.get(name, 1.0)
        await self._wait(expected)
        observed = False
        try:
            reply = await self._post(body)
            exchange = Exchange(method="POST", url=self._url, request=body, status=reply.status, response=reply.body)
            envelope = _open(reply)
            observed = self._learn(name, cost, envelope.extensions)
            if envelope.errors:
                raise self._graph_error(envelope.errors[0], expected)
            return msgspec.json.decode(envelope.data, type=answer), exchange
        except msgspec.DecodeError as error:
            unreadable = f"Shopify's answer could not be read: {error}"
            raise CallFailed(_unknown(unreadable, "answer", writes), exchange) from error
        except OutcomeUnknown as error:
            raise CallFailed(_unknown(error.reason, error.rule, writes), exchange) from error
        except CrossdockError as error:
            raise CallFailed(error, exchange) from error
        finally:
            self._budget.settle(expected, observed=observed)

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _wait(self, cost: float) -> None:
        # Looked at again after each wait: others may have taken the points meanwhile.
        while (seconds := self._budget.wait_for(cost)) > 0:
            if seconds > LONGEST_WAIT:
                error = RetryLater(
                    "the shop's cost points are used up", after=seconds, rule="THROTTLED", throttled=True
                )
                raise CallFailed(error, None)
            await asyncio.sleep(seconds)
        self._budget.reserve(cost)

    async def _post(self, body: bytes) -> Answer:
        if self._session is None:
            limits = self._config.limits
            self._session = open_session(connections=limits.concurrency, total=limits.timeout)
        headers = {"Content-Type": "application/json", "X-Shopify-Access-Token": self._config.secret("token")}
        return await call(self._session, "POST", self._url, headers=headers, body=body)

    def _learn(self, name: str, guess: float, extensions: _Extensions | None) -> bool:
        cost = extensions.cost if extensions is not None else None
        if cost is None:
            return False
        if cost.requested_query_cost:
            self._ratios[name] = cost.requested_query_cost / guess
        state = cost.throttle_status
        if state is None:
            return False
        self._budget.observe(
            available=state.currently_available, capacity=state.maximum_available, restore_rate=state.restore_rate
        )
        return True

    def _graph_error(self, problem: _GraphError, expected: float) -> CrossdockError:
        code = problem.extensions.code if problem.extensions is not None else ""
        after = self._budget.wait_for(expected) if code == "THROTTLED" else None
        recovery = GRAPHQL_CODES.get(code, UNKNOWN_GRAPHQL)
        return error_for(recovery, detail=problem.message, rule=code or "graphql", after=after)


def _open(reply: Answer) -> _Envelope:
    if reply.status != 200:
        detail = reply.body[:500].decode("utf-8", "replace")
        raise error_of_status(STATUSES, reply.status, detail=detail, after=retry_after(reply.headers, now()))
    return _DECODER.decode(reply.body)


def _address(settings: Mapping[str, Any]) -> str:
    version = settings.get("api_version") or API_VERSION
    url = str(settings.get("url") or "").rstrip("/")
    shop = str(settings.get("shop") or "")
    if not url:
        if not _SHOP.fullmatch(shop):
            raise NeedsConfig(
                "the shop's name is missing or not of the form name.myshopify.com",
                field="settings.shop",
                value=shop,
                fix="write shop: name.myshopify.com in the estate",
            )
        url = f"https://{shop}"
    return f"{url}/admin/api/{version}/graphql.json"


def _unknown(reason: str, rule: str, writes: bool) -> CrossdockError:
    # A query that got no usable answer has had no effect: it is simply asked again.
    return OutcomeUnknown(reason, rule=rule) if writes else RetryLater(reason, rule=rule)
