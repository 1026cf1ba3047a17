# SPDX-License-Identifier: Apache-2.0
"""Shipping and moving goods in the simulated warehouse, with the events that tell of it."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.sandbox.catalog import gs1_check_digit, sscc
from crossdock.sandbox.host import ControlError
from crossdock.sandbox.warehouse.records import SIGNS, Warehouse, now_text

CARRIERS = (("UPS", "ground"), ("FEDEX", "home"), ("USPS", "priority"), ("DHL", "parcel"))
LINES_PER_PACKAGE = 4


class ShipRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Ship at most `max` of the open fulfillment orders, each with the chance `fraction`; with the chance `partial`
    only a part of
    it; with the chance `reject` refuse it instead."""

    max: int = 1_000
    fraction: float = 1.0
    partial: float = 0.0
    reject: float = 0.0
    references: list[str] | None = None


class MovementsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`count` movements over the first `skus` products, `batch` to an event, `rate` movements a second (None: as fast
    as it goes). Of the SKUs in `wanted` nothing is taken away: they come in, come back, and leave with orders only."""

    count: int = 100
    wanted: list[str] = msgspec.field(default_factory=list)
    skus: int | None = None
    seed: int = 1
    batch: int = 100
    rate: float | None = None


class MoveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One movement of `quantity` (signed, in EA). `tell` says how many times it is told of: 0 = it is lost, and a
    second time under another id, as a source does that counts twice."""

    type: str
    sku: str
    location: str
    quantity: int
    reference: str | None = None
    tell: int = 1


def move_once(warehouse: Warehouse, request: MoveRequest) -> dict[str, Any]:
    """Make the movement and tell of it; the movement. Raises ControlError when it cannot be."""
    if request.type not in SIGNS or request.sku not in warehouse.grams or not 0 <= request.tell <= 10:
        raise ControlError(f"type is one of {', '.join(SIGNS)}, sku one of the catalog, tell 0 to 10")
    quantity = Decimal(request.quantity)
    made = warehouse.move(request.type, request.sku, request.location, quantity, request.reference)
    for again in range(request.tell):
        warehouse.tell_movements([made if again == 0 else {**made, "id": f"{made['id']}-{again}"}])
    return made


def ship_open(warehouse: Warehouse, request: ShipRequest, rng: random.Random) -> dict[str, int]:
    """Ship what is open; return how many were shipped whole, in part, and rejected."""
    done = {"shipped": 0, "partially_shipped": 0, "rejected": 0}
    wanted = None if request.references is None else set(request.references)
    for order in list(warehouse.orders.values()):
        if sum(done.values()) >= request.max:
            break
        if order["status"] not in ("open", "partially_shipped") or (
            wanted is not None and order["reference"] not in wanted
        ):
            continue
        if request.fraction < 1 and rng.random() >= request.fraction:
            continue
        if request.reject and order["status"] == "open" and rng.random() < request.reject:
            reject(warehouse, order)
            done["rejected"] += 1
        else:
            done[ship(warehouse, order, rng, partial=rng.random() < request.partial)] += 1
    return done


def ship(warehouse: Warehouse, order: dict[str, Any], rng: random.Random, *, partial: bool = False) -> str:
    """Ship what remains of a fulfillment order, or a part of it: pick, then ship movements, then the confirmation."""
    content = order["content"]
    going = _going(order, rng, partial)
    place, reference = content["location"], order["reference"]
    picks = [warehouse.move("pick", line["sku"], place, -quantity, reference) for line, quantity in going]
    warehouse.tell_movements(picks)
    ships = [warehouse.move("ship", line["sku"], place, -quantity, reference) for line, quantity in going]
    for line, quantity in going:
        key = str(line["line"])
        order["shipped"][key] = format(Decimal(order["shipped"][key]) + quantity, "f")
    final = all(Decimal(order["shipped"][str(line["line"])]) == Decimal(line["quantity"]) for line in content["lines"])
    status = "shipped" if final else "partially_shipped"
    warehouse.set_status(order, status)
    shipment = _shipment(warehouse, order, going, rng, final)
    warehouse.books.put("shipments", shipment["id"], shipment)
    warehouse.tell("shipment.confirmed", {"shipment": shipment}, reference)
    warehouse.tell_movements(ships)
    return status


def _going(order: dict[str, Any], rng: random.Random, partial: bool) -> list[tuple[dict[str, Any], Decimal]]:
    remaining = [
        (line, Decimal(line["quantity"]) - Decimal(order["shipped"][str(line["line"])]))
        for line in order["content"]["lines"]
    ]
    remaining = [(line, quantity) for line, quantity in remaining if quantity > 0]
    if not partial:
        return remaining
    if len(remaining) > 1:
        return remaining[: rng.randrange(1, len(remaining))]
    line, quantity = remaining[0]
    return [(line, Decimal(rng.randrange(1, int(quantity))) if quantity >= 2 else quantity)]


def _shipment(
    warehouse: Warehouse,
    order: dict[str, Any],
    going: list[tuple[dict[str, Any], Decimal]],
    rng: random.Random,
    final: bool,
) -> dict[str, Any]:
    carrier, service = rng.choice(CARRIERS)
    packages = []
    for start in range(0, len(going), LINES_PER_PACKAGE):
        inside = going[start : start + LINES_PER_PACKAGE]
        serial = warehouse.books.bump("packages")
        weight = sum((Decimal(warehouse.grams[line["sku"]]) * quantity for line, quantity in inside), Decimal(0)) / 1000
        packages.append(
            {
                "sscc": sscc(serial),
                "tracking_number": tracking_number(serial),
                "weight": {"value": format(weight, "f"), "unit": "KGM"},
                "lines": [
                    {"line": line["line"], "sku": line["sku"], "quantity": format(quantity, "f"), "unit": line["unit"]}
                    for line, quantity in inside
                ],
            }
        )
    return {
        "id": f"shp_{warehouse.books.bump('shipments'):08d}",
        "fulfillment_order_reference": order["reference"],
        "order_reference": order["content"]["order_reference"],
        "location": order["content"]["location"],
        "carrier": carrier,
        "service": service,
        "shipped_at": now_text(),
        "final": final,
        "packages": packages,
    }


def tracking_number(serial: int) -> str:
    """Unique for the serial and recognisably invented."""
    digits = f"999AA1{serial:010d}"
    return f"1Z{digits}{gs1_check_digit(f'{serial:010d}')}"


def reject(warehouse: Warehouse, order: dict[str, Any], reason: str = "no_stock") -> None:
    """Refuse an open fulfillment order and tell of it."""
    warehouse.set_status(order, "rejected")
    content = order["content"]
    lines = [{"line": line["line"], "sku": line["sku"], "quantity": line["quantity"]} for line in content["lines"]]
    warehouse.tell(
        "fulfillment_order.rejected",
        {
            "id": order["id"],
            "reference": order["reference"],
            "order_reference": content["order_reference"],
            "location": content["location"],
            "reason": reason,
            "detail": "the shelf was empty",
            "lines": lines,
        },
        order["reference"],
    )


def random_movements(
    warehouse: Warehouse, rng: random.Random, skus: int, room: int, wanted: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """One movement by chance, or, where there is `room` for two, both ends of a transfer. Stock never goes below
    zero. Of the SKUs in `wanted` a few come in or come back, and none are taken away."""
    product = warehouse.catalog.products[rng.randrange(skus)]
    place = rng.choice(warehouse.catalog.locations).code
    kind = rng.choice(("receipt", "receipt", "return", "adjustment", "count", "transfer_out"))
    if product.sku in wanted:
        kind = "return" if kind == "return" else "receipt"
        return [warehouse.move(kind, product.sku, place, Decimal(rng.randint(1, 3)), f"ASN-{rng.randrange(1, 10_000)}")]
    held = int(Decimal(warehouse.stock.get(f"{product.sku}@{place}", {"on_hand": "0"})["on_hand"]))
    others = [entry.code for entry in warehouse.catalog.locations if entry.code != place]
    if kind == "transfer_out" and held > 0 and others and room > 1:
        quantity = Decimal(rng.randint(1, min(held, 50)))
        reference = f"TR-{warehouse.books.bump('transfers'):06d}"
        return [
            warehouse.move("transfer_out", product.sku, place, -quantity, reference),
            warehouse.move("transfer_in", product.sku, rng.choice(others), quantity, reference),
        ]
    if SIGNS[kind] == 0:
        change = rng.randint(-min(held, 20), 20) or 1
        return [warehouse.move(kind, product.sku, place, Decimal(change), None)]
    kind = "receipt" if kind == "transfer_out" else kind
    return [warehouse.move(kind, product.sku, place, Decimal(rng.randint(1, 100)), f"ASN-{rng.randrange(1, 10_000)}")]
