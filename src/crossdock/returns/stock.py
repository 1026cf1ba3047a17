# SPDX-License-Identifier: Apache-2.0
"""Goods that came back as movements of stock: for sale again, blocked, or in and thrown away at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from crossdock.canonical.goods_return import ReturnedLine, ReturnReceipt
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockMovement, StockMovements
from crossdock.returns.sold import Products


class Back(Struct, frozen=True):
    """So much of an order line came back with one line of a receipt, in `unit`, which its goods are kept in."""

    line: str
    said: ReturnedLine
    quantity: Decimal
    unit: str


def movements_of(receipt: ReturnReceipt, backs: Sequence[Back], products: Products) -> StockMovements | None:
    """What the receipt brings into stock; None when nothing of it has stock. Its movements are named by the receipt, so
    that they enter the ledger once."""
    movements = [
        movement
        for number, back in enumerate(backs, 1)
        for sku, quantity in _parts(back, products)
        for movement in _movements(receipt, back, f"return/{receipt.receipt_id}/{number}/{sku}", sku, quantity)
    ]
    return StockMovements(source=receipt.source, movements=tuple(movements)) if movements else None


def pairs_of_receipts(receipts: Iterable[ReturnReceipt], products: Products) -> set[tuple[str, str]]:
    """The levels (SKU, location) that these receipts may move."""
    return {
        (sku, receipt.location)
        for receipt in receipts
        for line in receipt.lines
        for sku in _stocked(line.sku, products)
        if sku in products
    }


def _stocked(sku: str, products: Products) -> Iterable[str]:
    product = products.get(sku)
    if product is None or not product.stocked:
        return ()
    return product.components or (sku,)


def _parts(back: Back, products: Products) -> Iterator[tuple[str, Quantity]]:
    """What came back as it is kept: a bundle as what it is made of."""
    product = products.get(back.said.sku)
    if product is None or not product.stocked:
        return
    if not product.components:
        yield back.said.sku, Quantity(back.quantity, back.unit)
    for sku, each in product.components.items():
        if sku in products:
            yield sku, Quantity(back.quantity * each, products[sku].unit)


def _movements(receipt: ReturnReceipt, back: Back, name: str, sku: str, quantity: Quantity) -> Iterator[StockMovement]:
    blocked = back.said.disposition != "restock"
    came = StockMovement(
        movement_id=name,
        kind="return",
        sku=sku,
        location=receipt.location,
        quantity=quantity,
        occurred_at=receipt.received_at,
        reference=receipt.return_key,
        status="quarantined" if blocked else "sellable",
    )
    yield came
    if back.said.disposition == "scrap":
        # Never for sale, not for a moment: it comes blocked and leaves blocked.
        yield StockMovement(
            movement_id=f"{name}/scrapped",
            kind="adjustment",
            sku=sku,
            location=receipt.location,
            quantity=Quantity(-quantity.value, quantity.unit),
            occurred_at=receipt.received_at,
            reference=receipt.return_key,
            status="quarantined",
        )
