# SPDX-License-Identifier: Apache-2.0
"""What was asked for and what has left, per line of a fulfillment order, as kept in its `lines` column."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec import Struct

from crossdock.canonical.fulfillment import FulfillmentLine, FulfillmentOrder
from crossdock.canonical.quantity import Quantity

_ENCODER = msgspec.json.Encoder(decimal_format="string")


class LineState(Struct, kw_only=True):
    """One line: `ordered` and `shipped` in `unit`, which its goods are kept in; "" = as whoever wrote it counts.

    `of_order`: what of the order's line it is, when the order has another unit.
    """

    sku: str
    ordered: Decimal
    shipped: Decimal = Decimal(0)
    unit: str = ""
    of_order: Quantity | None = None


_DECODER = msgspec.json.Decoder(dict[str, LineState])


def lines_of(order: FulfillmentOrder, of_order: Mapping[str, Quantity]) -> str:
    """The `lines` column of a new fulfillment order, as JSON text. `of_order`: what of the order's lines it is."""
    return dump({line.line: _state(line, of_order[line.line]) for line in order.lines})


def _state(line: FulfillmentLine, of_order: Quantity) -> LineState:
    quantity = line.quantity
    other = of_order if of_order.unit != quantity.unit else None
    return LineState(sku=line.sku, ordered=quantity.value, unit=quantity.unit, of_order=other)


def load(column: str) -> dict[str, LineState]:
    """The lines in the column's JSON text."""
    return _DECODER.decode(column)


def dump(lines: dict[str, LineState]) -> str:
    """The JSON text for the column."""
    return _ENCODER.encode(lines).decode()
