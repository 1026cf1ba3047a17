# SPDX-License-Identifier: Apache-2.0
"""The event stream as any subscriber sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from crossdock.journal.outbox import STREAM, SUBJECTS

# What the stream must hold, in its order: a row of the outbox may be many events.
EVENT_IDS = """
SELECT e.xid::text || '-' || e.id || CASE WHEN e.many THEN '-' || n ELSE '' END AS name
FROM event e
CROSS JOIN LATERAL generate_series(
    1, CASE WHEN e.many THEN json_array_length(convert_from(e.data, 'UTF8')::json) ELSE 1 END
) AS n
ORDER BY e.xid, e.id, n
"""
_ID = "Nats-Msg-Id"


async def stream_size(url: str) -> int:
    """How many messages the stream holds."""
    async with _jetstream(url) as streams:
        return (await streams.stream_info(STREAM)).state.messages


async def stream_ids(url: str) -> list[str]:
    """The message ids in the stream, in its order."""
    async with _jetstream(url) as streams:
        size = (await streams.stream_info(STREAM)).state.messages
        if not size:
            return []
        reader = await streams.pull_subscribe(
            SUBJECTS[0], stream=STREAM, config=ConsumerConfig(ack_policy=AckPolicy.NONE)
        )
        found: list[str] = []
        while len(found) < size:
            messages = await reader.fetch(min(500, size - len(found)), timeout=10)
            found += [(message.headers or {})[_ID] for message in messages]
        return found


@asynccontextmanager
async def _jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(url, max_reconnect_attempts=60, reconnect_time_wait=1, allow_reconnect=True)
    try:
        yield client.jetstream(timeout=10)
    finally:
        await client.close()
