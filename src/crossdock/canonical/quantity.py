# SPDX-License-Identifier: Apache-2.0
"""Quantity: a decimal and its unit of measure (UN/ECE Recommendation 20 code)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

Unit = Annotated[str, Meta(pattern="^[A-Z0-9]{2,3}$", description="UN/ECE Recommendation 20 code, EA = each")]

EACH = "EA"
# Units that are counted, never measured: a fraction of one does not exist.
WHOLE_UNITS = frozenset({"EA", "C62", "CS", "BX", "PK", "PR", "SET", "DZN"})


class Quantity(Struct, frozen=True):
    """How many of a unit. Raises ValueError for NaN, infinities and fractions of a counted unit."""

    value: Decimal
    unit: Unit = EACH

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError(f"quantity must be a finite decimal, got {self.value}")
        if self.unit in WHOLE_UNITS and self.value != self.value.to_integral_value():
            raise ValueError(f"quantity in {self.unit} must be whole, got {self.value}")
