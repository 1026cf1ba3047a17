# SPDX-License-Identifier: Apache-2.0
"""Share with the other gateways, through PostgreSQL, what of each day's quota is used."""

from __future__ import annotations

import asyncpg

from crossdock.governance.consumers import Consumers
from crossdock.governance.keyring import SQL, KeyRing
from crossdock.governance.meter import Usage


async def share_usage(conn: asyncpg.Connection, consumers: Consumers) -> None:
    """Add what was not told yet, and learn the sums. One statement: when it fails, nothing was added, and all of it is
    told the next time. Should only its answer be lost, these requests count twice: a quota errs on the safe side."""
    usage = [
        one
        for meter in consumers.meters()
        for one in meter.usage()
        # Where there is a quota, what the others used is worth asking for too.
        if one.number or meter.limits.quota is not None
    ]
    if not usage:
        return
    rows = await conn.fetch(
        SQL.add_usage,
        [one.consumer for one in usage],
        [one.plan for one in usage],
        [one.day for one in usage],
        [one.number for one in usage],
    )
    sent: dict[tuple[str, str, int], Usage] = {(one.consumer, one.plan, one.day): one for one in usage}
    for row in rows:
        meter = consumers.meter(row["consumer"], row["plan"])
        if meter is not None:
            meter.told(sent[row["consumer"], row["plan"], row["day"]], row["requests"])


async def note_used(conn: asyncpg.Connection, ring: KeyRing) -> None:
    """Write down when keys were used last."""
    used = ring.used()
    if not used:
        return
    try:
        await conn.execute(SQL.keys_used, list(used), list(used.values()))
    except BaseException:
        ring.used_again(used)
        raise
