# SPDX-License-Identifier: Apache-2.0
"""When a stack is at rest: every webhook is acknowledged, and nothing that follows from them is under way."""

from __future__ import annotations

import asyncio

from crossdock.app.demo.figures import publishers
from tests.crash.stack import Stack, emitters_idle

LOOK_SECONDS = 0.1
# What is open waits for a person, or behind something that does; `events`: not yet on the bus; `unbegun`: of a
# channel that nobody has begun to tell stock nobody knows what waits for it.
UNDER_WAY = """
SELECT
    (SELECT count(*) FROM document d WHERE d.state IN ('received', 'retry') AND NOT EXISTS (
        SELECT FROM document e WHERE e.key = d.key AND e.id < d.id AND e.state = 'case' AND e.step <> 'deliver'
    )) AS documents,
    (SELECT count(*) FROM delivery d WHERE d.state IN ('due', 'sending') AND NOT EXISTS (
        SELECT FROM delivery e WHERE e.key = d.key AND e.system = d.system AND e.id < d.id AND e.state = 'case'
    )) AS deliveries,
    (SELECT count(*) FROM unnest($1::text[]) s WHERE s NOT IN (SELECT system FROM publication)) AS unbegun,
    (SELECT coalesce(sum(waiting), 0) FROM publication) + (SELECT count(*) FROM publication_call) AS levels,
    (SELECT count(*) FROM publication p JOIN event e ON (e.xid, e.id) > (p.followed_xid, p.followed_id)
     WHERE e.type = 'inventory.level.changed') AS unseen,
    (SELECT count(*) FROM event e, outbox_cursor c WHERE c.name = 'nats' AND (e.xid, e.id) > (c.xid, c.id)) AS events
"""


async def at_rest(stack: Stack, *, within: float = 60.0) -> None:
    """Return when the stack is at rest. AssertionError, with what is still under way, after `within` seconds.

    The emitters are asked first: once they have nothing left nothing new comes in, so that one look at the database,
    in one snapshot, tells.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    told = publishers(stack.stage.estate)
    while True:
        idle = await emitters_idle(stack.control)
        under_way = dict((await stack.fetch(UNDER_WAY, told))[0])
        if idle and not any(under_way.values()):
            return
        assert loop.time() < until, f"not at rest: webhooks idle {idle}, {under_way}\n{stack.tail()}"
        await asyncio.sleep(LOOK_SECONDS)
