# SPDX-License-Identifier: Apache-2.0
"""What is to come back, what has, and what was given back for it, per line, as kept in a return's `lines` column."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

_ENCODER = msgspec.json.Encoder(decimal_format="string")
ZERO = Decimal(0)


class LineState(Struct, kw_only=True):
    """One order line of a return, in `unit`, which its goods are kept in.

    received = restocked + quarantined + scrapped, and never more than `approved`. `gross`: given back for what was
    received, before the `fee` that was kept of it; `fee_percent` as it was when the return was approved.
    """

    sku: str
    unit: str
    requested: Decimal
    approved: Decimal = ZERO
    received: Decimal = ZERO
    restocked: Decimal = ZERO
    quarantined: Decimal = ZERO
    scrapped: Decimal = ZERO
    reason: str = ""
    fee_percent: Decimal = ZERO
    gross: Decimal = ZERO
    fee: Decimal = ZERO

    @property
    def due(self) -> Decimal:
        """What is still to come back."""
        return self.approved - self.received


_DECODER = msgspec.json.Decoder(dict[str, LineState])


def load(column: str) -> dict[str, LineState]:
    """The lines in the column's JSON text, by order line."""
    return _DECODER.decode(column)


def dump(lines: dict[str, LineState]) -> str:
    """The JSON text for the column."""
    return _ENCODER.encode(lines).decode()
