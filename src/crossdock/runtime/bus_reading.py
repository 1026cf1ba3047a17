# SPDX-License-Identifier: Apache-2.0
"""Read a stream in its order from a place on, without leaving anything behind at the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from crossdock.errors import EngineAway
from crossdock.runtime.bus_messages import Received, away

_ANSWER_WITHIN = 1.5
# A reader that was forgotten (its process was killed) is removed by the server after so many seconds.
_FORGOTTEN_AFTER = 60.0
_NO_MORE = "404"


class Reading:
    """A place in a stream. `fetch` moves it; whoever wants to continue later remembers `Received.sequence`."""

    def __init__(self, client: Client, streams: JetStreamContext, stream: str) -> None:
        self._client = client
        self._streams = streams
        self._stream = stream
        self._consumer = ""
        self._inbox = client.new_inbox()
        self._came: list[Msg] = []
        self._wanted = 0
        self._refused = ""
        self._done = asyncio.Event()
        self._next = 1

    async def open(self, subjects: Sequence[str], after: int, since: datetime | None) -> None:
        """Begin behind message `after`, or at the first one stored at `since` or later."""
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if since is None else DeliverPolicy.BY_START_TIME,
            opt_start_seq=after + 1 if since is None else None,
            opt_start_time=since,
            filter_subjects=list(subjects),
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_FORGOTTEN_AFTER,
            mem_storage=True,
            num_replicas=1,
        )
        self._subscription = await self._client.subscribe(self._inbox, cb=self._take)
        try:
            self._consumer = str((await self._streams.add_consumer(self._stream, config=config)).name)
        except BaseException:
            # Nobody else can end what nobody was given.
            with contextlib.suppress(Error, OSError):
                await self._subscription.unsubscribe()
            raise

    async def fetch(self, limit: int = 500) -> list[Received]:
        """Up to `limit` messages that are there now; fewer, or none, when there are no more just now.

        Raises EngineAway when NATS is away or a message of the order is missing: read on from what was remembered.
        """
        if not self._client.is_connected:
            raise EngineAway("NATS is away")
        self._came, self._wanted = [], limit
        self._done.clear()
        ask = msgspec.json.encode({"batch": limit, "no_wait": True})
        with away():
            await self._client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}", ask, reply=self._inbox
            )
            async with asyncio.timeout(_ANSWER_WITHIN):
                await self._done.wait()
        if self._refused:
            raise EngineAway(f"stream {self._stream} is not read on: {self._refused}")
        found = [Received(message) for message in self._came]
        for message in found:
            if message.number != self._next:
                raise EngineAway(f"a message of stream {self._stream} got lost on its way")
            self._next += 1
        return found

    async def close(self) -> None:
        """Stop reading, and leave nothing behind."""
        with contextlib.suppress(Error, OSError):
            await self._subscription.unsubscribe()
            if self._client.is_connected:
                async with asyncio.timeout(_ANSWER_WITHIN):
                    await self._streams.delete_consumer(self._stream, self._consumer)

    async def _take(self, message: Msg) -> None:
        # The server says with a status of its own that there is nothing more, or nothing at all.
        if message.headers and "Status" in message.headers:
            self._refused = "" if message.headers["Status"] == _NO_MORE else str(message.headers)
            self._done.set()
            return
        self._came.append(message)
        if len(self._came) >= self._wanted:
            self._done.set()
