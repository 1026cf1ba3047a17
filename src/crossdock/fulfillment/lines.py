# SPDX-License-Identifier: Apache-2.0
"""What was asked for and what has left, per line of a fulfillment order, as kept in its `lines` column."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

from crossdock.canonical.fulfillment import FulfillmentOrder

_ENCODER = msgspec.json.Encoder(decimal_format="string")


class LineState(Struct, kw_only=True):
    """One line: `ordered` and `shipped` in the line's unit."""

    sku: str
    ordered: Decimal
    shipped: Decimal = Decimal(0)


_DECODER = msgspec.json.Decoder(dict[str, LineState])


def lines_of(order: FulfillmentOrder) -> str:
    """The `lines` column of a new fulfillment order, as JSON text."""
    return dump({line.line: LineState(sku=line.sku, ordered=line.quantity.value) for line in order.lines})


def load(column: str) -> dict[str, LineState]:
    """The lines in the column's JSON text."""
    return _DECODER.decode(column)


def dump(lines: dict[str, LineState]) -> str:
    """The JSON text for the column."""
    return _ENCODER.encode(lines).decode()
