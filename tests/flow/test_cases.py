# SPDX-License-Identifier: Apache-2.0
"""What needs a person becomes a case, is mended, and goes on from where it stopped."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from crossdock.sandbox.shopify.breaking import BREAKERS
from crossdock.triage.act import act
from crossdock.triage.edit import edit, editable
from crossdock.triage.retry import retry
from tests.flow.staging import Stage


def with_unknown_sku(order: dict[str, Any]) -> dict[str, Any]:
    lines = [{**order["line_items"][0], "sku": "NO-SUCH"}, *order["line_items"][1:]]
    return {**order, "line_items": lines}


async def mend(stage: Stage, body: bytes, by: str = "jo") -> None:
    """Replace what the one open case is about with `body`."""
    (case,) = await stage.cases()
    async with stage.pool.acquire() as conn:
        await act(conn, lambda c: edit(c, case["id"], body, by=by, origin="cli"))


async def test_an_unknown_sku_is_mended_and_the_order_goes_on(stage: Stage) -> None:
    order = stage.order()
    await stage.hook(with_unknown_sku(order))
    await stage.rest()
    (case,) = await stage.cases()
    assert (case["step"], case["class"], case["rule"], case["field"], case["value"]) == (
        "translate", "needs_edit", "shopify.order/1: lines.sku", "line_items[0].sku", "NO-SUCH",
    )  # fmt: skip
    assert stage.in_erp() == {}
    async with stage.pool.acquire() as conn:
        form = await editable(conn, case["id"])
    await mend(stage, form.body.replace(b"NO-SUCH", order["line_items"][0]["sku"].encode()))
    await stage.rest()
    assert list(stage.in_erp()) == [stage.key(order)]
    assert len(stage.in_warehouse()) == 1
    assert await stage.cases() == []
    (closed,) = await stage.cases("resolved")
    assert closed["close_reason"] == "the document went on"
    stages = await stage.pool.fetch("SELECT number, stage, author FROM document_version ORDER BY number")
    assert [tuple(row) for row in stages] == [(1, "source", "jo"), (2, "canonical", "")]
    assert (await stage.pool.fetchval("SELECT made_by FROM document")).startswith("sales_order/1 shopify.order/")
    assert await stage.balanced()


async def test_a_good_version_closes_the_case_by_itself(stage: Stage) -> None:
    order = stage.order()
    await stage.hook(with_unknown_sku(order))
    await stage.rest()
    assert len(await stage.cases()) == 1
    await stage.hook(stage.later(order), "orders/updated")
    await stage.rest()
    assert await stage.cases() == []
    (closed,) = await stage.cases("resolved")
    assert closed["close_reason"].startswith("superseded by document")
    assert await stage.documents(order) == [("orders/create", "duplicate"), ("orders/updated", "settled")]
    assert list(stage.in_erp()) == [stage.key(order)]
    assert await stage.balanced()


async def test_an_unreadable_order_is_mended_and_its_shipment_finds_it(stage: Stage) -> None:
    """The receiver could not say which order it was; once mended it is that order like any other."""
    order = stage.order()
    whole = msgspec.json.encode(order)
    assert await stage.hook(whole[: len(whole) // 2]) == 200
    await stage.rest()
    (case,) = await stage.cases()
    assert (case["step"], case["rule"]) == ("translate", "readable")
    assert "unreadable" in case["key"]
    await mend(stage, whole)
    await stage.rest()
    assert list(stage.in_erp()) == [stage.key(order)]
    assert await stage.documents(order) == [("orders/create", "settled")]
    stage.ship()
    await stage.rest()
    assert await stage.documents(order) == [("orders/create", "settled"), ("shipment.confirmed", "settled")]
    assert len(stage.erp.account.all("itemFulfillment")) == 1
    assert await stage.cases() == []


@pytest.mark.parametrize("kind", sorted(set(BREAKERS) - {"huge", "unknown_sku"}))
async def test_a_broken_order_is_a_case_with_reason_and_fix_and_stops_no_other(stage: Stage, kind: str) -> None:
    broken, good = stage.order(), stage.order()
    assert await stage.hook(BREAKERS[kind](broken)) == 200
    assert await stage.hook(good) == 200
    await stage.rest()
    (case,) = await stage.cases()
    assert case["reason"]
    assert case["fix"]
    assert case["owner"] == "web"
    assert case["deadline"] is not None
    assert list(stage.in_erp()) == [stage.key(good)]
    assert await stage.balanced()


HOSTILE: dict[str, dict[str, Any]] = {
    "nul in the number": {"name": "#1\x00"},
    "nul in the note": {"note": "a\x00b"},
    "markup": {"note": "<script>alert(1)</script>"},
    "long note": {"note": "x" * 100_000},
    "lines are a number": {"line_items": 7},
    "lines hold null": {"line_items": [None]},
    "price beyond reason": {"total_price": "1e999999"},
    "price infinite": {"total_price": "Infinity"},
    "price not a number": {"total_price": "NaN"},
    "id beyond 64 bits": {"id": 10**60, "admin_graphql_api_id": None},
    "customer is text": {"customer": "me"},
    "address is a list": {"shipping_address": []},
    "times are nonsense": {"created_at": "yesterday", "updated_at": "0000-00-00"},
    "currency is null": {"currency": None},
}


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_order_is_taken_or_a_case_and_never_lost(stage: Stage, changes: dict[str, Any]) -> None:
    order, good = {**stage.order(), **changes}, stage.order()
    assert await stage.hook(order) == 200
    assert await stage.hook(good) == 200
    await stage.rest()
    states = [row["state"] for row in await stage.pool.fetch("SELECT state FROM document ORDER BY id")]
    assert states in (["settled", "settled"], ["case", "settled"])
    cases = await stage.cases()
    assert len(cases) == states.count("case")
    assert all(case["rule"] not in ("unexpected", "") for case in cases), cases
    assert stage.key(good) in stage.in_erp()
    assert await stage.balanced()


async def test_what_the_erp_refuses_is_a_case_of_that_delivery_only(stage: Stage) -> None:
    """The warehouse has its order; the ERP's case is mended by a person there, and a retry settles it."""
    order, good = stage.order(), stage.order()
    customer = stage.erp.account.find("customer", "eid:WEB-STORE")
    assert customer is not None
    stage.erp.account.remove("customer", customer)
    await stage.hook(order)
    await stage.rest()
    (case,) = await stage.cases()
    assert (case["step"], case["system"], case["interface"]) == ("deliver", "netsuite", "netsuite.orders")
    assert stage.in_warehouse() == {f"{stage.key(order)}#1": "open"}
    stage.erp.reset()
    async with stage.pool.acquire() as conn:
        assert await act(conn, lambda c: retry(c, [case["id"]], by="jo", origin="cli")) == 1
    await stage.hook(good)
    await stage.rest()
    assert set(stage.in_erp()) == {stage.key(order), stage.key(good)}
    assert await stage.cases() == []
    assert await stage.documents(order) == [("orders/create", "settled")]
    assert await stage.balanced()


async def test_documents_of_an_interface_the_estate_no_longer_has_are_cases_and_stop_nobody(stage: Stage) -> None:
    order = stage.order()
    message = await stage.pool.fetchval(
        "INSERT INTO message (interface, topic, dedup_key, body)"
        " VALUES ('old.orders', 'orders/create', 'w', '{}') RETURNING id"
    )
    await stage.pool.execute(
        "INSERT INTO document (message_id, interface, topic, key, digest)"
        " VALUES ($1, 'old.orders', 'orders/create', 'order/old/1', 1)",
        message,
    )
    await stage.hook(order)
    await stage.rest()
    (case,) = await stage.cases()
    assert (case["interface"], case["rule"], case["owner"]) == ("old.orders", "mapping_known", "")
    assert list(stage.in_erp()) == [stage.key(order)]
