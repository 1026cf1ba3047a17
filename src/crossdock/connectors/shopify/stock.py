# SPDX-License-Identifier: Apache-2.0
"""Tell the store how many there are to sell: absolute quantities, 250 a call, a bad one never spoils the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec import Struct, field

from crossdock.canonical.stock import StockLevel
from crossdock.connectors.shopify.client import AdminClient, CallFailed
from crossdock.connectors.shopify.errors import INVENTORY_CODES, UNKNOWN_INVENTORY
from crossdock.connectors.shopify.inventory_items import inventory_items
from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.sdk.http_status import error_for
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome, Outgoing

# A call that names a bad item does nothing at all: it is taken out and the rest sent again, at most so often.
_MAX_ROUNDS: Final = 4
_KEYS: Final = UUID("5d7a0c0e-63f1-5d0b-9f0e-3f0f8a2b7c11")
_REASON: Final = "correction"
_PREVIOUS_FAILED: Final = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"


class _UserError(Struct):
    message: str
    code: str | None = None
    field: list[str] | None = None


class _Group(Struct):
    id: str


class _Set(Struct, rename="camel"):
    inventory_adjustment_group: _Group | None = None
    user_errors: list[_UserError] = field(default_factory=list)


class _SetAnswer(Struct, rename="camel"):
    inventory_set_quantities: _Set | None


class _Quantity(Struct, frozen=True):
    """One line of the call and the item of the batch it stands for."""

    index: int
    item: Outgoing
    input: dict[str, Any]


class StockPublisher:
    """Sets what is available to sell at the store's locations."""

    def __init__(
        self,
        client: AdminClient,
        translate: Callable[[Any], Any],
        locations: Mapping[str, str],
        skus: Mapping[str, str],
    ) -> None:
        """`locations`: our location → the store's; `skus`: our SKU → the store's where they differ."""
        self._client = client
        self._translate = translate
        self._locations = locations
        self._skus = skus
        self._items = inventory_items(client)

    async def send(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Set every level of `batch` (StockLevel documents); outcomes in the same order. Raises CallFailed at first."""
        outcomes: dict[int, Outcome] = {}
        lines = await self._prepare(batch, outcomes)
        for _ in range(_MAX_ROUNDS):
            if not lines:
                break
            lines = await self._set(lines, outcomes)
        for line in lines:
            outcomes[line.index] = Failed(error=RetryLater("others of its batch were refused", rule="shopify.batch"))
        return [outcomes[index] for index in range(len(batch))]

    async def _prepare(self, batch: Sequence[Outgoing], outcomes: dict[int, Outcome]) -> list[_Quantity]:
        ids = await self._items.resolve(self._skus.get(item.document.sku, item.document.sku) for item in batch)
        newest: dict[tuple[str, str], _Quantity] = {}
        for index, item in enumerate(batch):
            try:
                line = _Quantity(index, item, self._line(item, ids))
            except NeedsEdit as error:
                outcomes[index] = Failed(error=error)
                continue
            level: StockLevel = item.document
            key = (level.sku, level.location)
            rival = newest.get(key)
            if rival is None or rival.item.document.sequence <= level.sequence:
                newest[key] = line
            older = rival if newest[key] is line else line
            if older is not None:
                outcomes[older.index] = Delivered(reference="overtaken by a newer level in the same call")
        return [*newest.values()]

    def _line(self, item: Outgoing, ids: Mapping[str, str | NeedsEdit]) -> dict[str, Any]:
        level: StockLevel = item.document
        found = ids[self._skus.get(level.sku, level.sku)]
        if isinstance(found, NeedsEdit):
            raise found
        location = self._locations.get(level.location)
        if location is None:
            raise NeedsEdit(
                f"location {level.location!r} has no code for this store",
                field="location",
                rule="shopify.location",
                value=level.location,
                fix=f"add the store's location id under locations.{level.location}.codes in the estate",
            )
        names = {"inventory_item": found, "location": location}
        line: dict[str, Any] = self._translate(
            {"document": level, "known": item.known, "reference": item.reference, "names": names}
        )
        # Null skips the store's compare-and-set, and has to be said since 2026-04: we are the source of truth.
        line["changeFromQuantity"] = None
        return line

    async def _set(self, lines: list[_Quantity], outcomes: dict[int, Outcome]) -> list[_Quantity]:
        """One call; returns the lines that have to be sent again without the bad ones."""
        try:
            answer, exchange = await self._call(lines)
            if _failed_before(answer):
                attempts = max(line.item.attempt for line in lines)
                answer, exchange = await self._call(lines, salt=f"after try {attempts}")
        except CallFailed as failed:
            for line in lines:
                outcomes[line.index] = Failed(error=failed.error, exchange=failed.exchange)
            return []
        done = answer.inventory_set_quantities
        errors = done.user_errors if done is not None else [_UserError("no answer")]
        if not errors:
            group = done.inventory_adjustment_group if done is not None else None
            # No group means that nothing changed: every quantity was right already.
            reference = group.id if group is not None else "unchanged"
            for line in lines:
                outcomes[line.index] = Delivered(reference=reference, exchange=exchange)
            return []
        bad = {position: error for error in errors if (position := _position(error)) is not None}
        if not bad:
            for line in lines:
                outcomes[line.index] = Failed(error=_error(errors[0]), exchange=exchange)
            return []
        for position, error in bad.items():
            if position < len(lines):
                self._refuse(lines[position], error, outcomes)
        return [line for position, line in enumerate(lines) if position not in bad]

    def _refuse(self, line: _Quantity, error: _UserError, outcomes: dict[int, Outcome]) -> None:
        level: StockLevel = line.item.document
        if error.code == "INVALID_INVENTORY_ITEM":
            self._items.forget(self._skus.get(level.sku, level.sku))
        outcomes[line.index] = Failed(error=_error(error))

    async def _call(self, lines: list[_Quantity], salt: str = "") -> tuple[_SetAnswer, Exchange]:
        quantities = [line.input for line in lines]
        variables = {
            "input": {"name": "available", "reason": _REASON, "quantities": quantities},
            "key": batch_key([line.item for line in lines], quantities, salt),
        }
        return await self._client.run("SetQuantities", variables, _SetAnswer, cost=10)


def batch_key(items: Sequence[Outgoing], quantities: Sequence[Mapping[str, Any]], salt: str = "") -> str:
    """The idempotency key of a call: a UUID of what is sent and of the obligations it meets.

    The same call repeated has the same key. A quantity that comes back to an earlier value has another sequence and so
    another key: Shopify would take the old one for a repetition and do nothing (it keeps keys for 24 hours).
    `salt`: makes a new key after Shopify has said that the call under the first one failed for good.
    """
    parts = [
        f"{item.idempotency_key}|{item.document.sequence}|{line['inventoryItemId']}|{line['locationId']}|{line['quantity']}"
        for item, line in zip(items, quantities, strict=True)
    ]
    return str(uuid5(_KEYS, "\n".join([*parts, salt])))


def _failed_before(answer: _SetAnswer) -> bool:
    done = answer.inventory_set_quantities
    return done is not None and any(error.code == _PREVIOUS_FAILED for error in done.user_errors)


def _position(error: _UserError) -> int | None:
    """Which quantity an error speaks of: field is ["input", "quantities", "3", …]."""
    path = error.field or []
    if len(path) >= 3 and path[1] == "quantities" and path[2].isascii() and path[2].isdigit():
        return int(path[2])
    return None


def _error(error: _UserError) -> CrossdockError:
    recovery = INVENTORY_CODES.get(error.code or "", UNKNOWN_INVENTORY)
    return error_for(recovery, detail=error.message, field="sku", rule=error.code or "shopify.inventory")
