# SPDX-License-Identifier: Apache-2.0
"""Held orders on the running path: released by a person, by a rule, or gone by themselves; in the ERP once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from crossdock.runtime.nats import Bus
from crossdock.triage.act import act
from crossdock.triage.release import release
from tests.flow.staging import Stage, staged

HOLDING = """\
orders: {look_again: 1s, release: [{rule: order.fraud_above, channel: shopify-us, reason: we know our store}]}
checks: {shopify-us: {customer: true, fraud: {above: 0.01}}}
"""


async def _account(stage: Stage, status: str) -> None:
    await stage.pool.execute("UPDATE customer SET status = $1", status)
    await stage.pool.execute("UPDATE catalog_version SET value = value + 1")


async def _held(stage: Stage, order: dict[str, Any]) -> dict[str, Any]:
    """The case of an order that comes in now."""
    await stage.hook(order)
    await stage.until(lambda: stage.cases())
    (case,) = await stage.cases()
    return case


async def test_a_blocked_accounts_orders_go_on_when_a_person_says_so_or_it_is_unblocked(
    pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path
) -> None:
    async with staged(pool, database, nats_url, tmp_path, lambda text: text + HOLDING) as stage:
        await _account(stage, "blocked")
        first, second = stage.order(), stage.order()
        case = await _held(stage, first)
        assert (case["rule"], case["hold"]) == ("order.customer_blocked", "credit")
        # It is looked at again and again, and nothing has changed.
        await stage.until(lambda: pool.fetchval("SELECT looked_at > opened_at FROM triage_case"))
        assert stage.in_erp() == {}
        async with pool.acquire() as conn:
            assert await act(conn, lambda c: release(c, [case["id"]], by="jo", origin="cli", reason="known")) == 1
        await stage.until(lambda: list(stage.in_erp()) == [stage.key(first)])
        await _held(stage, second)
        await _account(stage, "active")
        await stage.until(lambda: len(stage.in_erp()) == 2)
        await stage.rest()
        assert sorted(stage.in_erp()) == sorted([stage.key(first), stage.key(second)])
        assert await stage.cases() == []
        told = await pool.fetch("SELECT type, data FROM event WHERE type ~ 'held|released' ORDER BY id")
        assert [row["type"] for row in told] == ["sales_order.held", "sales_order.released"] * 2
        ways = [{one["rule"]: one["how"] for one in msgspec.json.decode(row["data"])["holds"]} for row in told[1::2]]
        assert ways == [
            {"order.customer_blocked": "person", "order.fraud_above": "rule"},
            {"order.customer_blocked": "itself", "order.fraud_above": "rule"},
        ]
        assert await stage.balanced()
