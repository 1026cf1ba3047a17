# SPDX-License-Identifier: Apache-2.0
"""What the simulated systems counted themselves, compared with each other and with Crossdock's books.

Nothing here trusts Crossdock: the store says what was ordered and acknowledged, ERP and warehouse say what they have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from crossdock.app.demo.stage import CHARGES
from crossdock.journal.books import balance
from tests.crash.stack import Stack
from tests.crash.stream import EVENT_IDS, stream_size

MOST_SHOWN = 12
CHANNEL = "shopify-us/"
Goods = dict[str, Decimal]


class Counted(Struct, frozen=True, kw_only=True):
    """What the simulators hold, each by what the others call it."""

    placed: dict[str, dict[str, Any]]
    webhooks: list[dict[str, Any]]
    levels: dict[tuple[str, str], int | None]
    erp: list[dict[str, Any]]
    creations: dict[str, dict[str, list[str]]]
    booked_out: list[dict[str, Any]]
    wanted: list[dict[str, Any]]
    shipments: list[dict[str, Any]]
    stock: dict[tuple[str, str], Decimal]


async def counted(stack: Stack) -> Counted:
    """Ask every simulator."""
    get = stack.control.get
    return Counted(
        placed={str(one["id"]): one for one in (await get("shopify", "orders"))["orders"]},
        webhooks=(await get("shopify", "webhooks"))["webhooks"] + (await get("warehouse", "deliveries"))["deliveries"],
        levels={(r["sku"], r["location"]): r["set_to"] for r in (await get("shopify", "levels"))["levels"]},
        erp=(await get("netsuite", "sales_orders"))["sales_orders"],
        creations=await get("netsuite", "creations"),
        booked_out=(await get("netsuite", "item_fulfillments"))["item_fulfillments"],
        wanted=(await get("warehouse", "fulfillment_orders"))["fulfillment_orders"],
        shipments=(await get("warehouse", "shipments"))["shipments"],
        stock={(r["sku"], r["location"]): Decimal(r["on_hand"]) for r in (await get("warehouse", "stock"))["stock"]},
    )


async def differences(stack: Stack) -> list[str]:
    """Everything that is not as it must be at rest; empty when all is well."""
    seen = await counted(stack)
    return [
        *_in_erp(seen),
        *_in_warehouse(seen),
        *_shipments(seen),
        *_stock(seen),
        *await _journal(stack, seen),
        *await _books(stack, seen),
        *await _bus(stack),
    ]


def _good(seen: Counted) -> dict[str, dict[str, Any]]:
    return {key: order for key, order in seen.placed.items() if not order["broken"]}


def _ordered(order: Mapping[str, Any]) -> Goods:
    return _sum((line["sku"], line["quantity"]) for line in order["lines"])


def _sum(rows: Iterable[tuple[str, object]]) -> Goods:
    goods: defaultdict[str, Decimal] = defaultdict(Decimal)
    for sku, quantity in rows:
        goods[sku] += Decimal(str(quantity))
    return dict(goods)


def _order_of(reference: str) -> str:
    """The store's order id in the reference of a fulfillment order, `shopify-us/<id>#<n>`."""
    return reference.removeprefix(CHANNEL).partition("#")[0]


def _say(what: str, keys: Iterable[object]) -> list[str]:
    found = [str(key) for key in keys]
    return [f"{what}: {len(found)}, e.g. {', '.join(found[:MOST_SHOWN])}"] if found else []


def _in_erp(seen: Counted) -> list[str]:
    """Every good order exactly once, by external id and by order number, with the goods ordered; no other order."""
    good = _good(seen)
    orders = {record["externalId"].removeprefix("shopify-us-"): record for record in seen.erp}
    names = Counter(record["externalId"] for record in seen.erp)
    numbers = Counter(record["otherRefNum"] for record in seen.erp)
    made_again = [name for made in seen.creations.values() for name, records in made.items() if len(records) != 1]
    goods = {
        key: _sum(
            (line["item"]["refName"], line["quantity"])
            for line in record["item"]
            if line["item"]["refName"] not in CHARGES
        )
        for key, record in orders.items()
    }
    live = {key for key, order in good.items() if not order["cancelled_at"]}
    return [
        *_say("orders missing in the ERP", sorted(live - set(orders))),
        *_say("orders in the ERP that nobody placed", sorted(set(orders) - set(good))),
        *_say("external ids doubled in the ERP", [name for name, count in names.items() if count != 1]),
        *_say("order numbers doubled in the ERP", [name for name, count in numbers.items() if count != 1]),
        *_say("orders created more than once in the ERP", made_again),
        *_say(
            "orders with other goods in the ERP",
            [key for key in goods if key in good and goods[key] != _ordered(good[key])],
        ),
        *_say(
            "cancelled orders still open in the ERP",
            [
                key
                for key in set(orders) & (set(good) - live)
                if not all(line.get("isClosed") for line in orders[key]["item"])
            ],
        ),
    ]


def _in_warehouse(seen: Counted) -> list[str]:
    """Every live order's goods exactly once over its fulfillment orders; nothing of cancelled or broken ones."""
    references = Counter(order["reference"] for order in seen.wanted)
    asked: defaultdict[str, list[tuple[str, object]]] = defaultdict(list)
    for order in seen.wanted:
        if order["status"] != "cancelled":
            lines = [(line["sku"], line["quantity"]) for line in order["lines"]]
            asked[_order_of(order["reference"])].extend(lines)
    good = _good(seen)
    live = {key: order for key, order in good.items() if not order["cancelled_at"]}
    return [
        *_say("references doubled in the warehouse", [name for name, count in references.items() if count != 1]),
        *_say("orders missing in the warehouse", sorted(set(live) - set(asked))),
        *_say("orders in the warehouse that should not be", sorted(set(asked) - set(live))),
        *_say(
            "orders with other goods in the warehouse",
            [key for key in live if key in asked and _sum(asked[key]) != _ordered(live[key])],
        ),
    ]


def _shipments(seen: Counted) -> list[str]:
    """Every shipment told to the store and booked out in the ERP exactly once, with the goods that left."""
    told: Counter[tuple[str, str]] = Counter()
    left: defaultdict[str, list[tuple[str, object]]] = defaultdict(list)
    made = Counter[str]()
    for shipment in seen.shipments:
        key = _order_of(shipment["fulfillment_order_reference"])
        made[key] += 1
        for package in shipment["packages"]:
            told[key, package["tracking_number"]] += 1
            left[key].extend((line["sku"], line["quantity"]) for line in package["lines"])
    shown: Counter[tuple[str, str]] = Counter()
    fulfilled: dict[str, Goods] = {}
    for key, order in seen.placed.items():
        shown.update((key, info["number"]) for one in order["fulfillments"] for info in one["tracking"])
        lines = [
            (order["lines"][n["line"]]["sku"], n["quantity"]) for one in order["fulfillments"] for n in one["lines"]
        ]
        if lines:
            fulfilled[key] = _sum(lines)
    booked: defaultdict[str, list[tuple[str, object]]] = defaultdict(list)
    key_of = {record["id"]: record["externalId"].removeprefix("shopify-us-") for record in seen.erp}
    for record in seen.booked_out:
        lines = [(line["item"]["refName"], line["quantity"]) for line in record["item"]]
        booked[key_of[record["createdFrom"]["id"]]].extend(lines)
    entries = Counter(key_of[record["createdFrom"]["id"]] for record in seen.booked_out)
    return [
        *_say("packages not told to the store exactly once", sorted({*(told - shown), *(shown - told)})),
        *_say("orders of which the store shows other goods as fulfilled", _unlike(fulfilled, left)),
        *_say("orders with too few or many item fulfillments", sorted({*(made - entries), *(entries - made)})),
        *_say("orders of which the ERP booked other goods out", _unlike({k: _sum(v) for k, v in booked.items()}, left)),
    ]


def _unlike(there: Mapping[str, Goods], left: Mapping[str, list[tuple[str, object]]]) -> list[str]:
    return sorted(key for key in {*there, *left} if there.get(key, {}) != _sum(left.get(key, ())))


def _stock(seen: Counted) -> list[str]:
    """The store shows, per SKU and location, what the warehouse has."""
    return _say(
        "levels that the store shows otherwise",
        [
            f"{key} {seen.levels.get(key)} instead of {level}"
            for key, level in sorted(seen.stock.items())
            if seen.levels.get(key) != max(level, Decimal(0))
        ],
    )


async def _journal(stack: Stack, seen: Counted) -> list[str]:
    """Every acknowledged webhook is one message with one document, and every receipt is counted."""
    rows = await stack.fetch("SELECT m.dedup_key, d.id FROM message m LEFT JOIN document d ON d.message_id = m.id")
    kept = Counter(row["dedup_key"] for row in rows if row["id"] is not None)
    theirs = {hook["id"]: hook for hook in seen.webhooks}
    doubled = (await stack.fetch("SELECT count(*) AS n FROM duplicate"))[0]["n"]
    acknowledged = sum(hook["acknowledged"] for hook in seen.webhooks)
    receipts = len(rows) + doubled
    return [
        *_say("webhooks never acknowledged", [hook["id"] for hook in seen.webhooks if not hook["acknowledged"]]),
        *_say("acknowledged webhooks lost", sorted(set(theirs) - set(kept))),
        *_say("messages that nobody sent", sorted(set(kept) - set(theirs))),
        *_say("messages without exactly one document", [name for name, count in kept.items() if count != 1]),
        *([f"{receipts} receipts counted, {acknowledged} were acknowledged"] if receipts < acknowledged else []),
    ]


async def _books(stack: Stack, seen: Counted) -> list[str]:
    """Books balanced; open is what waits for a person, and that is the broken orders and nothing else."""
    async with (await stack.pool()).acquire() as conn:
        books = await balance(conn)
    broken = {f"order/{CHANNEL}{key}" for key, order in seen.placed.items() if order["broken"]}
    cases = await stack.fetch("SELECT key, reason FROM triage_case WHERE state = 'open'")
    still_open = await stack.fetch("SELECT key, state, note FROM document WHERE state IN ('delivering', 'case')")
    return [
        *_say("interfaces out of balance", [book for book in books if not book.balanced]),
        *_say("cases nobody asked for", [f"{c['key']}: {c['reason']}" for c in cases if c["key"] not in broken]),
        *_say("broken orders without a case", sorted(broken - {case["key"] for case in cases})),
        *_say("documents open without need", [dict(d).values() for d in still_open if d["key"] not in broken]),
    ]


async def _bus(stack: Stack) -> list[str]:
    """The stream holds every event once."""
    written = len(await stack.fetch(EVENT_IDS))
    published = await stream_size(stack.endpoints.nats_url)
    return [] if written == published else [f"{written} events written, {published} on the bus"]
