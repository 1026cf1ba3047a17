# SPDX-License-Identifier: Apache-2.0
"""Held orders in the journal: told once, released by a person or a rule, or gone by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from crossdock.canonical.master_data import Customer
from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.accept import accept_customers
from crossdock.decide_orders import InterfaceFacts, Rules
from crossdock.errors import Refused
from crossdock.flow import work
from crossdock.journal.keep import keep
from crossdock.orders.checks import Checks
from crossdock.orders.holds import ReleaseRule
from crossdock.sdk.receiving import Incoming, digest_of
from crossdock.translate import Topic
from crossdock.triage.look_again import look_again
from crossdock.triage.release import release
from crossdock.triage.retry import retry
from tests.inventory.deciding import fill_catalog, rules
from tests.orders.making import NOON, line, order, usd

TRANSLATIONS = {("shop.orders", "orders"): Topic(translator=None, kind="sales_order")}
FACTS = InterfaceFacts(name="shop.orders", system="shop", owner="web", settle_within=timedelta(minutes=15))


class Desk:
    """An estate whose shop checks credit and terms; C-1 may owe 100.00."""

    def __init__(self, pool: asyncpg.Pool, **changes: Any) -> None:
        self.pool = pool
        made = rules(governed=False)
        self.rules: Rules = replace(
            made,
            interfaces={"shop.orders": FACTS},
            checks={"shop": Checks(credit=timedelta(days=3650), terms=True, product=True)},
            **changes,
        )

    async def open(self, limit: str = "100.00") -> Desk:
        async with self.pool.acquire() as conn:
            await fill_catalog(conn)
        await self.account(limit)
        return self

    async def account(self, limit: str, **changes: Any) -> None:
        customer = Customer(customer_id="C-1", terms="NET30", credit_limit=usd(limit), **changes)
        async with self.pool.acquire() as conn:
            await accept_customers(conn, [(None, customer)])

    async def take(self, *orders: SalesOrder) -> list[tuple[str, str]]:
        """Keep and decide; state and note of every document of the orders' keys."""
        batch = []
        for one in orders:
            body = encode(one)
            key = f"order/{one.order_key}"
            named = f"{one.order_key}/{one.version}"
            batch.append(
                Incoming(
                    interface="shop.orders", topic="orders", dedup_key=named, key=key, version=one.version, body=body,
                    digest=digest_of(body), overtakes=True,
                )
            )  # fmt: skip
        await keep(self.pool, batch)
        return await self.work()

    async def work(self) -> list[tuple[str, str]]:
        await work(self.pool, self.rules, TRANSLATIONS, 100)
        rows = await self.pool.fetch("SELECT state, note FROM document ORDER BY id")
        return [(row["state"], row["note"]) for row in rows]

    async def states(self) -> list[str]:
        return [state for state, _ in await self.work()]

    async def case(self) -> asyncpg.Record:
        (row,) = await self.pool.fetch("SELECT * FROM triage_case WHERE state = 'open'")
        return row

    async def release(self, *cases: int, reason: str = "paid by phone") -> int:
        async with self.pool.acquire() as conn, conn.transaction():
            return await release(conn, cases, by="jo", origin="cli", reason=reason)

    async def events(self) -> list[tuple[str, Any]]:
        """Type and data of events about holds, and only the type of others."""
        rows = await self.pool.fetch("SELECT type, data FROM event ORDER BY id")
        return [
            (kind, msgspec.json.decode(row["data"]) if kind.endswith(("held", "released")) else None)
            for row in rows
            for kind in [row["type"].removeprefix("sales_order.")]
        ]


async def test_an_order_held_by_credit_is_told_once_released_and_goes_on(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    big = order("1", line(1, "CD-1", "11", "10.00"))
    assert [state for state, _ in await desk.take(big)] == ["case"]
    case = await desk.case()
    assert (case["hold"], case["rule"], case["value"]) == ("credit", "order.credit_limit", "110.00")
    async with pool.acquire() as conn, conn.transaction():
        await retry(conn, [case["id"]], by="jo", origin="cli")
    assert await desk.states() == ["case"]
    (held,) = await desk.events()
    deadline = await pool.fetchval("SELECT received_at + interval '15 minutes' FROM document")
    assert held == (
        "held",
        {
            "order_key": "shop/1",
            "number": "#1",
            "channel": "shop",
            "version": 1,
            "total": {"amount": "110.00", "currency": "USD"},
            "kinds": ["credit"],
            "holds": [{"kind": "credit", "rule": "order.credit_limit", "field": "total", "value": "110.00"}],
            "deadline": deadline.isoformat().replace("+00:00", "Z"),
        },
    )
    assert await desk.release(case["id"]) == 1
    ((state, note),) = await desk.work()
    assert (state, note) == ("delivering", "order.credit_limit released by jo: paid by phone")
    assert await pool.fetchval("SELECT state FROM triage_case") == "resolved"
    _, accepted, (kind, data) = await desk.events()
    assert (accepted[0], kind) == ("accepted", "released")
    assert data["holds"] == [
        {
            "kind": "credit", "rule": "order.credit_limit", "field": "total", "value": "110.00",
            "how": "person", "by": "jo", "reason": "paid by phone",
        }
    ]  # fmt: skip
    row = await pool.fetchrow("SELECT order_key, rule, field, value, by, origin, reason FROM order_release")
    assert tuple(row) == ("shop/1", "order.credit_limit", "total", "110.00", "jo", "cli", "paid by phone")
    audit = await pool.fetchrow("SELECT action, what, key, after FROM audit ORDER BY id DESC LIMIT 1")
    assert tuple(audit)[:3] == ("case.release", f"case/{case['id']}", "order/shop/1")
    assert msgspec.json.decode(audit["after"])["released"] == [["order.credit_limit", "total", "110.00"]]


async def test_a_later_version_is_held_anew_by_what_it_asks_for_more(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    await desk.take(order("1", line(1, "CD-1", "11", "10.00")))
    await desk.release((await desk.case())["id"])
    assert await desk.states() == ["delivering"]
    # Another line of the same sum is the same total for the same account.
    same = order("1", line(1, "CD-2", "11", "10.00"), version=2)
    assert (await desk.take(same))[1] == (
        "delivering",
        "lines, address or totals have changed; order.credit_limit released by jo: paid by phone",
    )
    assert [kind for kind, _ in await desk.events()] == ["held", "accepted", "released", "changed"]
    more = order("1", line(1, "CD-2", "12", "10.00"), version=3)
    assert [state for state, _ in await desk.take(more)] == ["delivering", "delivering", "case"]
    assert (await desk.case())["value"] == "120.00"


async def test_what_must_be_mended_refuses_the_release_and_says_which(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    await desk.take(
        order("1", line(1, "CD-1", "11", "10.00"), line(2, "NO-SUCH")), order("2", line(1, "CD-1", "11", "10.00"))
    )
    first, second = await pool.fetch("SELECT * FROM triage_case ORDER BY key")
    assert (first["hold"], second["hold"]) == ("", "credit")
    with pytest.raises(Refused) as refused:
        await desk.release(first["id"], second["id"])
    assert (refused.value.status, refused.value.rule, refused.value.field) == (409, "not_releasable", "lines[1].sku")
    assert refused.value.reason.startswith(f"case {first['id']} cannot be released: lines[1].sku: ")
    assert refused.value.fix.startswith("mend it first: ")
    assert await desk.states() == ["case", "case"]
    assert await pool.fetchval("SELECT count(*) FROM order_release") == 0
    with pytest.raises(Refused, match="needs a reason"):
        await desk.release(second["id"], reason=" ")


async def test_an_order_goes_on_by_itself_when_what_held_it_is_gone(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    await desk.take(order("1", line(1, "CD-1", "11", "10.00")))
    case = await desk.case()
    await desk.account("200.00")
    async with pool.acquire() as conn, conn.transaction():
        await retry(conn, [case["id"]], by="jo", origin="cli")
    assert await desk.states() == ["delivering"]
    kind, data = (await desk.events())[-1]
    assert (kind, [(one["rule"], one["how"], one["by"]) for one in data["holds"]]) == (
        "released",
        [("order.credit_limit", "itself", "")],
    )


async def test_a_standing_rule_lets_through_notes_it_and_tells(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool, releases=(ReleaseRule(number=1, rule="order.terms", reason="agreed for the fair"),)).open()
    both = order("1", line(1, "CD-1", "11", "10.00"), terms="COD")
    assert [state for state, _ in await desk.take(both, order("2", terms="COD"))] == ["case", "delivering"]
    assert (await desk.case())["hold"] == "credit"
    row = await pool.fetchrow("SELECT note, made_by FROM document WHERE key = 'order/shop/2'")
    assert row["note"] == "order.terms released by rule 1: agreed for the fair"
    assert row["made_by"].endswith(" r/1 release/1")
    told = {data["order_key"]: data["holds"] for kind, data in await desk.events() if kind == "released"}
    assert {key: [(one["how"], one["by"]) for one in holds] for key, holds in told.items()} == {
        "shop/2": [("rule", "rule 1")]
    }


async def test_an_edit_that_leaves_another_hold_is_told_again(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    await desk.take(order("1", line(1, "CD-1", "11", "10.00"), placed_at=NOON))
    await desk.account("100.00", status="blocked")
    await pool.execute("UPDATE document SET state = 'received', next_at = now()")
    desk.rules = replace(desk.rules, checks={"shop": replace(desk.rules.checks["shop"], customer=True)})
    assert await desk.states() == ["case"]
    assert [data["kinds"] for _, data in await desk.events()] == [["credit"], ["credit"]]
    assert [len(data["holds"]) for _, data in await desk.events()] == [1, 2]


async def looked_at(pool: asyncpg.Pool, seconds: int) -> None:
    """As if every held order was last looked at so long ago."""
    await pool.execute("UPDATE triage_case SET looked_at = now() - make_interval(secs => $1)", seconds)


async def test_held_orders_are_looked_at_again_the_longest_held_first(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    await desk.take(*(order(str(n), line(1, "CD-1", "11", "10.00")) for n in (1, 2, 3)), order("4", line(1, "NO-SUCH")))
    every = timedelta(minutes=15)
    assert await look_again(pool, every) == 0
    await looked_at(pool, 901)
    await pool.execute("UPDATE triage_case SET looked_at = now() - interval '2 hours' WHERE key = 'order/shop/2'")
    assert await look_again(pool, every, limit=1) == 1
    due = await pool.fetch("SELECT key FROM document WHERE state = 'received'")
    assert [row["key"] for row in due] == ["order/shop/2"]
    # What must be mended waits for a person.
    assert await look_again(pool, every) == 2
    assert await look_again(pool, every) == 0


async def test_looking_again_uses_up_no_tries_and_tells_nothing_until_the_order_goes_on(pool: asyncpg.Pool) -> None:
    desk = await Desk(pool).open()
    await desk.take(order("1", line(1, "CD-1", "11", "10.00")))
    for _ in range(12):
        await looked_at(pool, 901)
        assert await look_again(pool, timedelta(minutes=15)) == 1
        assert await desk.states() == ["case"]
    assert await pool.fetchval("SELECT attempts FROM document") == 2
    assert [kind for kind, _ in await desk.events()] == ["held"]
    assert await pool.fetchval("SELECT count(*) FROM audit") == 0
    await desk.account("110.00")
    await looked_at(pool, 901)
    assert await look_again(pool, timedelta(minutes=15)) == 1
    assert await desk.states() == ["delivering"]
    assert [kind for kind, _ in await desk.events()] == ["held", "accepted", "released"]
    assert await pool.fetchval("SELECT state FROM triage_case") == "resolved"
