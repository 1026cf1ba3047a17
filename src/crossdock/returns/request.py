# SPDX-License-Identifier: Apache-2.0
"""A return as a caller of the API asks for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from crossdock.canonical.goods_return import Resolution
from crossdock.canonical.party import Text
from crossdock.canonical.quantity import Unit
from crossdock.canonical.sales_order import Key


class ReturnLineRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How much of `line` (the order's line id) is to come back. `unit` left out: the order's; `reason` left out: the
    return's."""

    line: Key
    quantity: Decimal
    unit: Unit | None = None
    reason: Text = ""
    note: Text = ""


class ReturnRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Goods of `order` (the id it was answered with, or its order key) that are to come back.

    `resolution`: the money goes back the way it came (refund), or is credited to the account. `number` left out: the
    return's id.
    """

    order: Key
    lines: Annotated[tuple[ReturnLineRequest, ...], Meta(min_length=1)]
    reason: Text = ""
    resolution: Resolution = "refund"
    number: Annotated[str, Meta(max_length=200)] = ""
    note: Annotated[str, Meta(max_length=5000)] = ""
