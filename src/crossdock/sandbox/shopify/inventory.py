# SPDX-License-Identifier: Apache-2.0
"""`inventorySetQuantities`, with the rules that its schema does not show."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
from graphql import GraphQLError, GraphQLResolveInfo, get_directive_values

from crossdock.sandbox.shopify.store import Store, gid, stamp
from crossdock.sandbox.shopify.views import Views

MAX_INPUT = 250
BOUND = 1_000_000_000
KEY_LIFETIME = 24 * 3600.0
REASONS = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_canceled",
        "movement_created",
        "movement_received",
        "movement_updated",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)
DOCUMENT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+\Z")
GID_DOCUMENT = re.compile(r"gid://[^/\s]+/[^/\s]+/\S+\Z")

UserError = dict[str, Any]


def user_error(code: str, message: str, *field: str) -> UserError:
    """A user error of the input; `field` is the path below `input`."""
    return {"code": code, "field": ["input", *field], "message": message}


def key_of(info: GraphQLResolveInfo[Any]) -> str:
    """The key of the @idempotent directive, which is required. GraphQLError without one."""
    directive = info.schema.get_directive("idempotent")
    given = None if directive is None else get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if not given:
        raise GraphQLError(
            "The @idempotent directive is required for this mutation.", extensions={"code": "BAD_REQUEST"}
        )
    key = str(given["key"])
    if not key.strip():
        raise GraphQLError("The idempotency key cannot be blank.", extensions={"code": "BAD_REQUEST"})
    return key


class InventorySetter:
    """Idempotent Receiver of absolute quantities."""

    def __init__(self, store: Store, views: Views, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._views = views
        self._seconds = seconds
        self._clock = clock
        self._running: set[str] = set()
        self.keys: dict[str, dict[str, Any]] = store.books.table("idempotency")

    async def set_quantities(
        self, _root: Any, info: GraphQLResolveInfo[Any], *, input: dict[str, Any]
    ) -> dict[str, Any]:
        key = key_of(info)
        quantities = input["quantities"]
        if len(quantities) > MAX_INPUT:
            raise GraphQLError(
                f"The input array size of {len(quantities)} is greater than the maximum allowed of {MAX_INPUT}.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        for place, entry in enumerate(quantities):
            if "changeFromQuantity" not in entry:
                raise GraphQLError(
                    f"changeFromQuantity must be given for input.quantities.{place}; pass null to skip the check.",
                    extensions={"code": "BAD_REQUEST"},
                )
        print_of = hashlib.sha256(msgspec.json.encode(input, order="sorted")).hexdigest()
        earlier = self._earlier(key, print_of)
        if earlier is not None:
            return earlier
        self._running.add(key)
        try:
            if self._seconds:
                await asyncio.sleep(self._seconds)
            return self._do(key, print_of, input)
        finally:
            self._running.discard(key)

    def _earlier(self, key: str, print_of: str) -> dict[str, Any] | None:
        held = self.keys.get(key)
        if key in self._running:
            return _refused(
                [
                    user_error(
                        "IDEMPOTENCY_CONCURRENT_REQUEST", "This request is currently in progress, please try again."
                    )
                ]
            )
        if held is None or self._clock() - held["at"] > KEY_LIFETIME:
            return None
        if held["print"] != print_of:
            message = "The same idempotency key cannot be used with different operation parameters."
            return _refused([user_error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", message)])
        if held["group"] is None:
            message = "A previous request with this idempotency key failed. Retry with a new idempotency key."
            return _refused([user_error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", message)])
        self._store.books.bump("inventory.replays")
        return {"inventoryAdjustmentGroup": self._views.adjustment(held["group"]), "userErrors": []}

    def _do(self, key: str, print_of: str, wanted: dict[str, Any]) -> dict[str, Any]:
        errors = self._check(wanted)
        group = None if errors else self._apply(wanted)
        self._store.books.put("idempotency", key, {"print": print_of, "at": self._clock(), "group": group})
        if group is None:
            self._store.books.bump("inventory.refused")
            return _refused(errors)
        return {"inventoryAdjustmentGroup": self._views.adjustment(group), "userErrors": []}

    def _check(self, wanted: dict[str, Any]) -> list[UserError]:
        errors: list[UserError] = []
        if wanted["name"] not in ("available", "on_hand"):
            errors.append(
                user_error("INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'.", "name")
            )
        if wanted["reason"] not in REASONS:
            errors.append(user_error("INVALID_REASON", "The specified reason is invalid.", "reason"))
        document = wanted.get("referenceDocumentUri")
        if document is not None and not (GID_DOCUMENT if document.startswith("gid:") else DOCUMENT).match(document):
            errors.append(
                user_error(
                    "INVALID_REFERENCE_DOCUMENT", "The specified reference document is invalid.", "referenceDocumentUri"
                )
            )
        seen: set[tuple[str, str]] = set()
        for place, entry in enumerate(wanted["quantities"]):
            errors += self._check_entry(wanted["name"], entry, str(place))
            pair = (entry["inventoryItemId"], entry["locationId"])
            if pair in seen:
                message = "The combination of inventoryItemId and locationId must be unique."
                errors.append(
                    user_error("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", message, "quantities", str(place))
                )
            seen.add(pair)
        return errors

    def _check_entry(self, name: str, entry: dict[str, Any], place: str) -> list[UserError]:
        where = ("quantities", place)
        quantity = entry["quantity"]
        errors: list[UserError] = []
        if quantity > BOUND:
            errors.append(
                user_error(
                    "INVALID_QUANTITY_TOO_HIGH", f"The quantity can't be higher than {BOUND}.", *where, "quantity"
                )
            )
        elif quantity < -BOUND:
            errors.append(
                user_error(
                    "INVALID_QUANTITY_TOO_LOW", f"The quantity can't be lower than -{BOUND}.", *where, "quantity"
                )
            )
        elif quantity < 0:
            errors.append(
                user_error("INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.", *where, "quantity")
            )
        product = self._store.by_item.get(self._store.find(entry["inventoryItemId"], "InventoryItem") or 0)
        location = self._store.by_location.get(self._store.find(entry["locationId"], "Location") or 0)
        if product is None:
            message = "The specified inventory item could not be found."
            errors.append(user_error("INVALID_INVENTORY_ITEM", message, *where, "inventoryItemId"))
        if location is None:
            errors.append(
                user_error("INVALID_LOCATION", "The specified location could not be found.", *where, "locationId")
            )
        expected = entry["changeFromQuantity"]
        if product is not None and location is not None and expected is not None and not errors:
            level = self._store.levels[self._store.level_key(product, location)]
            held = level["available"] + (level["committed"] if name == "on_hand" else 0)
            if held != expected:
                message = "The changeFromQuantity value does not match persisted value."
                errors.append(user_error("CHANGE_FROM_QUANTITY_STALE", message, *where, "changeFromQuantity"))
        return errors

    def _apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        changes = []
        for entry in wanted["quantities"]:
            product = self._store.by_item[self._store.find(entry["inventoryItemId"], "InventoryItem") or 0]
            location = self._store.by_location[self._store.find(entry["locationId"], "Location") or 0]
            level = self._store.levels[self._store.level_key(product, location)]
            target = entry["quantity"] - (level["committed"] if wanted["name"] == "on_hand" else 0)
            delta = target - level["available"]
            self._store.set_available(product, location, target)
            if delta:
                names = ("available", "on_hand")
                changes += [
                    {"name": name, "delta": delta, "sku": product.sku, "place": location.code} for name in names
                ]
        number = self._store.books.bump("inventory.sets")
        self._store.books.bump("inventory.quantities", len(wanted["quantities"]))
        return {
            "id": gid("InventoryAdjustmentGroup", 9_000_000_000_000_000_001 + number),
            "createdAt": stamp(),
            "reason": wanted["reason"],
            "referenceDocumentUri": wanted.get("referenceDocumentUri"),
            "changes": changes,
        }


def _refused(errors: list[UserError]) -> dict[str, Any]:
    return {"inventoryAdjustmentGroup": None, "userErrors": errors}
