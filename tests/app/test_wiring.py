# SPDX-License-Identifier: Apache-2.0
"""An estate and its connectors become what every role works with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from crossdock.app import wiring
from crossdock.app.polling import polled_systems
from crossdock.app.prepare import prepare
from crossdock.app.routing_rules import policy_of
from crossdock.app.wiring import (
    hook_routes,
    rules_of,
    secret_of,
    stock_rules_of,
    systems_of,
    translations_of,
    wire,
)
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsConfig
from crossdock.estate.findings import EstateError
from crossdock.inventory.rules import ChannelRule, Held
from crossdock.routing.policy import LocationFacts
from crossdock.runtime.postgres import connect
from tests.app.estates import idle_estate


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    return idle_estate(tmp_path)


def rewritten(estate: Path, old: str, new: str) -> Path:
    text = estate.read_text("utf-8")
    assert old in text
    estate.write_text(text.replace(old, new), "utf-8")
    return estate


def test_webhooks_come_in_where_the_estate_says(estate: Path) -> None:
    routes = hook_routes(wire(estate))
    assert {place: (route.interface, route.overtakes) for place, route in routes.items()} == {
        ("shopify-us", "orders/create"): ("shopify-us.orders", True),
        ("shopify-us", "orders/updated"): ("shopify-us.orders", True),
        ("shopify-us", "orders/cancelled"): ("shopify-us.orders", True),
        ("warehouse", "stock.movements"): ("warehouse.stock", False),
        ("warehouse", "stock.counted"): ("warehouse.counts", False),
        ("warehouse", "shipment.confirmed"): ("warehouse.shipments", False),
    }
    assert {place[0]: route.max_bytes for place, route in routes.items()} == {
        "shopify-us": 5_000_000,
        "warehouse": 8_000_000,
    }


def test_a_topic_of_a_retired_interface_is_refused_until_another_takes_it(estate: Path) -> None:
    live = "object: stock_count, owner: wh, tier: gold,\n                      version: 1, state: active"
    dated = "deprecated_on: 2027-01-01, sunset: 2027-07-01, replaced_by: warehouse.stock"
    rewritten(estate, live, live.replace("state: active", f"state: retired, {dated}"))
    route = hook_routes(wire(estate))["warehouse", "stock.counted"]
    assert (route.interface, route.retired, route.successor) == ("warehouse.counts", True, "warehouse.stock")
    assert [name for name, _ in route.notices] == [b"deprecation", b"sunset"]
    after = "  warehouse.counts_v2: {system: warehouse, topics: [stock.counted], object: stock_count, owner: wh,"
    after += " tier: gold, version: 2, state: active}\n"
    rewritten(estate, "  warehouse.shipments:", f"{after}  warehouse.shipments:")
    route = hook_routes(wire(estate))["warehouse", "stock.counted"]
    assert (route.interface, route.retired, route.notices) == ("warehouse.counts_v2", False, ())


def test_systems_are_asked_where_the_estate_says(estate: Path) -> None:
    assert polled_systems(wire(estate)) == []
    faces = (
        "  erp.invoices: {system: netsuite, topics: [invoices], object: invoice, owner: erp, tier: gold, version: 1,"
    )
    faces += " state: active, poll: {every: 5m, since: 2026-11-01}}\n  erp.old: {system: netsuite, topics: [payments],"
    faces += " object: payment, owner: erp, tier: gold, version: 1, state: retired}\n"
    rewritten(estate, "  warehouse.shipments:", f"{faces}  warehouse.shipments:")
    wired = wire(estate)
    (system,) = polled_systems(wired)
    assert (system.name, system.config.limits.concurrency) == ("netsuite", 1)
    (topic,) = system.topics
    assert (topic.interface, topic.topic, topic.every, topic.overlap) == (
        "erp.invoices",
        "invoices",
        timedelta(minutes=5),
        timedelta(minutes=5),
    )
    assert topic.since == datetime(2026, 11, 1, tzinfo=UTC)
    assert translations_of(wired, Catalog())["erp.invoices", "invoices"].kind == "invoice"
    assert ("netsuite", "invoices") not in hook_routes(wired)


def test_every_secret_that_is_being_rotated_out_is_accepted(estate: Path) -> None:
    (estate.parent / "old.secret").write_text("former\n", "utf-8")
    rewritten(estate, 'webhook: "file:shop.secret"', 'webhook: "file:shop.secret", webhook_old: "file:old.secret"')
    route = hook_routes(wire(estate))["shopify-us", "orders/create"]
    assert list(route.secrets()) == ["shopify-app-secret", "former"]


def test_a_rotated_secret_is_taken_up_without_a_restart(estate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = secret_of(wire(estate), "shopify-us")
    assert secret("token") == "shpat_sandbox"
    (estate.parent / "shop.token").write_text("new-token", "utf-8")
    assert secret("token") == "shpat_sandbox"
    monkeypatch.setattr(wiring, "SECRET_AGE", 0.0)
    assert secret("token") == "new-token"


def test_a_missing_secret_names_its_place_and_never_its_value(estate: Path) -> None:
    wired = wire(estate)
    with pytest.raises(NeedsConfig) as caught:
        secret_of(wired, "shopify-us")("nonsense")
    assert caught.value.field == "systems.shopify-us.secrets.nonsense"
    (estate.parent / "shop.secret").unlink()
    with pytest.raises(NeedsConfig) as gone:
        hook_routes(wired)["shopify-us", "orders/create"].secrets()
    assert "shop.secret" in gone.value.reason
    assert "shopify-app-secret" not in str(gone.value)


def test_rules_say_whom_to_tell(estate: Path) -> None:
    rules = rules_of(wire(estate), Catalog())
    assert rules.channel_system == {"shopify-us": "shopify-us"}
    assert rules.outgoing["netsuite", "order_cancel"] == "netsuite.orders"
    assert rules.outgoing["warehouse", "fulfillment_cancel"] == "warehouse.orders"
    facts = rules.facts("shopify-us.orders")
    assert (facts.system, facts.owner, facts.settle_within) == ("shopify-us", "web", timedelta(minutes=15))
    assert (rules.facts("gone").system, rules.facts("gone").owner) == ("", "")


def test_the_policy_is_the_estates_and_its_version_tells_rules_apart(estate: Path) -> None:
    policy = policy_of(wire(estate).estate)
    assert policy.locations["DC-WEST"] == LocationFacts(name="DC-WEST", system="warehouse")
    assert (policy.default_location, policy.max_lines, policy.erp_of) == ("DC-EAST", 5000, {"us": "netsuite"})
    rewritten(
        estate,
        "default_location: DC-EAST,",
        "default_location: DC-EAST, rules: [{when: {country: CA}, location: DC-WEST}],",
    )
    changed = policy_of(wire(estate).estate)
    assert [rule.describe() for rule in changed.rules] == ["ships to CA"]
    assert changed.version != policy.version


def test_every_topic_has_its_mapping_and_context(estate: Path) -> None:
    topics = translations_of(wire(estate), Catalog())
    assert {place: topic.kind for place, topic in topics.items()} == {
        ("shopify-us.orders", "orders/create"): "sales_order",
        ("shopify-us.orders", "orders/updated"): "sales_order",
        ("shopify-us.orders", "orders/cancelled"): "sales_order",
        ("warehouse.stock", "stock.movements"): "stock_movements",
        ("warehouse.counts", "stock.counted"): "stock_count",
        ("warehouse.shipments", "shipment.confirmed"): "shipment",
    }
    assert topics["shopify-us.orders", "orders/create"].context["channel"] == "shopify-us"


async def test_systems_have_their_limits_and_what_they_are_told(estate: Path) -> None:
    rewritten(estate, "locations: [DC-EAST, DC-WEST]}", "locations: [DC-EAST, DC-WEST], safety: 4}")
    rewritten(
        estate,
        'secrets: {private_key: "file:key.pem"}',
        'secrets: {private_key: "file:key.pem"}\n    limits: {concurrency: 3}',
    )
    systems = {system.name: system for system in systems_of(wire(estate))}
    try:
        assert sorted(systems) == ["netsuite", "shopify-us", "warehouse"]
        assert systems["netsuite"].limits.concurrency == 3
        assert {name: one.channel for name, one in systems.items()} == {
            "netsuite": None,
            "shopify-us": ChannelRule(
                name="shopify-us", system="shopify-us", locations=("DC-EAST", "DC-WEST"), held=Held(safety=4)
            ),
            "warehouse": None,
        }
        assert systems["shopify-us"].operations["stock_levels"].batch == 250
    finally:
        for system in systems.values():
            await system.sender.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [("connector: shopify", "connector: nonsense"), ("owner: erp", "owner: nobody"), ("erp: netsuite", "erp: sap")],
)
def test_a_wrong_estate_is_said_so_before_anything_starts(estate: Path, old: str, new: str) -> None:
    with pytest.raises(EstateError) as caught:
        wire(rewritten(estate, old, new))
    assert new.split()[-1] in str(caught.value)


async def test_a_database_is_prepared_again_and_again(estate: Path, database: str, pool: asyncpg.Pool) -> None:
    wired = wire(estate)
    await prepare(database, wired)
    first = await pool.fetch("SELECT sku, changed_at FROM product ORDER BY sku")
    await pool.execute("UPDATE interface SET owner = 'somebody'")
    await prepare(database, wired)
    assert await pool.fetch("SELECT sku, changed_at FROM product ORDER BY sku") == first
    assert len(first) == 40
    owners = await pool.fetch("SELECT DISTINCT owner FROM interface ORDER BY owner")
    assert [row["owner"] for row in owners] == ["erp", "web", "wh"]
    catalog = Catalog()
    async with pool.acquire() as conn:
        assert await catalog.refresh(conn)
        assert not await catalog.refresh(conn)
    assert catalog.customers == {"WEB-STORE": CustomerFacts()}


async def test_a_system_that_is_told_no_stock_any_more_is_shown_no_longer(estate: Path, database: str) -> None:
    wired = wire(estate)
    await prepare(database, wired)
    told = sorted(one.system for one in stock_rules_of(wired.estate).channels.values() if one.publish)
    assert told
    conn = await connect(database)
    try:
        await conn.executemany("INSERT INTO publication (system) VALUES ($1)", [(name,) for name in (*told, "gone")])
        await prepare(database, wired)
        assert [row["system"] for row in await conn.fetch("SELECT system FROM publication ORDER BY system")] == told
    finally:
        await conn.close()
