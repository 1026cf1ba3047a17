# SPDX-License-Identifier: Apache-2.0
"""The idempotency key of a stock call."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from crossdock.canonical.stock import StockLevel
from crossdock.connectors.shopify.stock import batch_key
from crossdock.sdk.sending import Outgoing


def _item(sequence: int, key: str = "k") -> Outgoing:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    level = StockLevel(sku="A", location="L", on_hand=Decimal(5), sequence=sequence, as_of=moment)
    return Outgoing(
        delivery_id=sequence, operation="stock_levels", reference="r", idempotency_key=key, document=level, known={}
    )


def _line(quantity: int) -> dict[str, object]:
    return {"inventoryItemId": "i", "locationId": "l", "quantity": quantity}


def test_same_call_has_the_same_key() -> None:
    assert batch_key([_item(1)], [_line(5)]) == batch_key([_item(1)], [_line(5)])
    assert UUID(batch_key([_item(1)], [_line(5)])).version == 5


def test_any_other_call_has_another_key() -> None:
    base = batch_key([_item(1)], [_line(5)])
    others = [
        batch_key([_item(2)], [_line(5)]),
        batch_key([_item(1, "other")], [_line(5)]),
        batch_key([_item(1)], [_line(6)]),
        batch_key([_item(1)], [_line(5)], salt="after try 1"),
        batch_key([_item(1), _item(2)], [_line(5), _line(5)]),
    ]
    assert len({base, *others}) == 6
