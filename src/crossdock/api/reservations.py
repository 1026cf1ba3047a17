# SPDX-License-Identifier: Apache-2.0
"""Reservations: `POST /v1/reservations`, and `GET`, `DELETE`, `:extend` and `:commit` of one.

A plain ASGI handler. Calls that arrive together share one commit and are answered after it; what was answered can be
read at once.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from crossdock.api.idempotency import idempotency_key
from crossdock.api.plain import (
    MOST_SMALL_BODY,
    HeaderList,
    NotAllowed,
    Receive,
    Scope,
    Send,
    answer,
    not_found,
    read_json,
    read_json_if_any,
)
from crossdock.api.reservation_body import MOST_BODY, longer_of, ordered_of, request_of
from crossdock.errors import CrossdockError, Refused
from crossdock.governance.caller import Caller, caller_of
from crossdock.inventory.again import rows
from crossdock.inventory.commit import Commitment, commit
from crossdock.inventory.extend import Extension, extend
from crossdock.inventory.release import release
from crossdock.inventory.request import is_name
from crossdock.inventory.reservation import SQL, Answered, Asked, as_it_stands, asked, no_such
from crossdock.inventory.reserve import Reserving
from crossdock.inventory.rules import StockRules
from crossdock.runtime.groupcommit import GroupCommit

PATH = "/v1/reservations"
BATCH = 200
# Beyond this many lines a request goes a lane of its own, where it holds up no short ones.
LONG = 50
MOST_WAITING_LINES = 50_000
MOST_WAITING = 10_000
_ONE = re.compile(r"/v1/reservations/(rsv_[0-9a-f]{28})(:[a-z]+)?$")
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")
_REPLAYED = (b"idempotency-replayed", b"true")

Outcomes = list[Answered | Refused]
Wish = TypeVar("Wish")


class ReservationsHandler:
    """Takes reservations by `rules` and answers calls about them. `counted` is told (verb, outcome) of each."""

    def __init__(
        self, reserving: Reserving, pool: asyncpg.Pool, rules: StockRules, counted: Callable[[str, str], None]
    ) -> None:
        self._pool = pool
        self._counted = counted
        # One commit at a time: two would wait for each other's levels, and make each other's batches smaller.
        self._short, self._long = (
            GroupCommit(reserving.reserve, max_batch=BATCH, parallel=1, max_waiting=MOST_WAITING_LINES, weigh=_lines)
            for _ in range(2)
        )

        async def released(ids: list[str]) -> Outcomes:
            return await release(pool, ids)

        async def extended(wishes: list[Extension]) -> Outcomes:
            return await extend(pool, wishes, rules.longest_hold)

        async def committed(wishes: list[Commitment]) -> Outcomes:
            return await commit(pool, wishes)

        self._release = _grouped(released)
        self._extend = _grouped(extended)
        self._commit = _grouped(committed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are raised, see `api.plain.answering`."""
        if scope["path"] == PATH:
            if scope["method"] != "POST":
                raise NotAllowed(scope["method"], "POST")
            await self._count("reserve", self._reserve(scope, receive, send))
            return
        if not scope["path"].startswith(f"{PATH}/"):
            raise not_found(scope)
        one, verb, method = _parsed(scope)
        await self._own(one, caller_of(scope))
        if verb == "extend":
            longer = longer_of(await read_json(scope, receive, MOST_SMALL_BODY))
            await self._count(verb, _tell(send, self._extend.submit(Extension(one, longer.ttl_seconds))))
        elif verb == "commit":
            ordered = ordered_of(await read_json_if_any(scope, receive))
            if not is_name(ordered.order_key, empty=True):
                raise Refused(
                    "an order key has at most 200 characters, all printable",
                    field="order_key",
                    rule="reservation.name",
                    fix="put the order's key as CHANNEL/ID",
                )
            await self._count(verb, _tell(send, self._commit.submit(Commitment(one, ordered.order_key))))
        elif method == "DELETE":
            await self._count("release", _tell(send, self._release.submit(one)))
        else:
            await self._count("read", _tell(send, self._read(one)))

    async def close(self) -> None:
        """Take nothing more, and return when what was taken is committed."""
        for group in (self._short, self._long, self._release, self._extend, self._commit):
            await group.close()

    async def _reserve(self, scope: Scope, receive: Receive, send: Send) -> str:
        key = idempotency_key(scope)
        one = asked(key, request_of(await read_json(scope, receive, MOST_BODY)))
        if not caller_of(scope).sees_channel(one.request.channel):
            raise _foreign(one.request.channel)
        group = self._long if len(one.request.lines) > LONG else self._short
        outcome = await group.submit(one)
        if isinstance(outcome, Refused):
            raise outcome
        location = (b"location", f"{PATH}/{outcome.id}".encode())
        headers: HeaderList = [_JSON, _NO_STORE, location]
        await answer(send, 201, outcome.body, [*headers, _REPLAYED] if outcome.repeated else headers)
        return "repeated" if outcome.repeated else "done"

    async def _own(self, one: str, caller: Caller) -> None:
        """Refuse what is of a channel that the caller does not see, as if it were not there."""
        if caller.channels is not None:
            found = await rows(self._pool, SQL.reservations, [one])
            if not found or not caller.sees_channel(found[0]["channel"]):
                raise no_such(one)

    async def _read(self, one: str) -> Answered | Refused:
        found = await rows(self._pool, SQL.reservations, [one])
        return Answered(id=one, body=as_it_stands(found[0])) if found else no_such(one)

    async def _count(self, verb: str, work: Awaitable[str]) -> None:
        try:
            self._counted(verb, await work)
        except Refused as error:
            self._counted(verb, "short" if error.rule == "stock.not_enough" else "refused")
            raise
        except CrossdockError:
            self._counted(verb, "away")
            raise


async def _tell(send: Send, work: Awaitable[Answered | Refused]) -> str:
    outcome = await work
    if isinstance(outcome, Refused):
        raise outcome
    await answer(send, 200, outcome.body, [_JSON, _NO_STORE])
    return "done"


def _foreign(channel: str) -> Refused:
    return Refused(
        f"stock is not sold on channel {channel[:80]!r}",
        status=404,
        field="channel",
        rule="reservation.channel",
        fix="put a channel of yours",
    )


def _grouped(flush: Callable[[list[Wish]], Awaitable[Outcomes]]) -> GroupCommit[Wish, Answered | Refused]:
    return GroupCommit(flush, max_batch=BATCH, parallel=1, max_waiting=MOST_WAITING)


def _lines(one: Asked) -> int:
    return len(one.request.lines)


def _parsed(scope: Scope) -> tuple[str, str, str]:
    """The id, the verb of an action or "", and the method of a request about one reservation."""
    one, _, verb = scope["path"][len(PATH) + 1 :].partition(":")
    allowed = {"": "GET, DELETE", "extend": "POST", "commit": "POST"}.get(verb)
    if allowed is None or "/" in one:
        raise not_found(scope)
    method: str = scope["method"]
    if method not in allowed.split(", "):
        raise NotAllowed(method, allowed)
    if _ONE.match(scope["path"]) is None:
        raise no_such(one)
    return one, verb, method
