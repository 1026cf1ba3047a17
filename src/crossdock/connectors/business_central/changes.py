# SPDX-License-Identifier: Apache-2.0
"""What has to be changed on a sales order so that it says what ours says; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct

from crossdock.connectors.business_central.stored import StoredLine, StoredOrder

_ITEM: Final = "Item"
# Set when the order is made, never after.
_ONCE: Final = frozenset({"externalDocumentNumber", "orderDate", "salesOrderLines"})
# Business Central keeps these in capitals.
_CODES: Final = frozenset({"customerNumber", "currencyCode", "shipToCountry", "shipToPostCode", "locationId"})
# A change of one of these makes Business Central work out the others anew: they are said together, in its order.
_PRICED: Final = ("locationId", "quantity", "unitPrice", "discountAmount")
_STORED: Final = {
    "description": "description",
    "locationId": "location_id",
    "quantity": "quantity",
    "unitPrice": "unit_price",
    "discountAmount": "discount_amount",
}


class Change(Struct, frozen=True):
    """One call. `etag` is what it is matched with."""

    method: Literal["POST", "PATCH", "DELETE"]
    path: str
    body: dict[str, Any] | None = None
    etag: str = ""

    @property
    def said(self) -> tuple[str, str, dict[str, Any] | None]:
        """The call without what it is matched with."""
        return self.method, self.path, self.body


def header_changes(stored: StoredOrder, wanted: Mapping[str, Any]) -> list[Change]:
    """The call that makes the order itself say what `wanted`, the body of the whole order, says; none when it does."""
    differs = {
        name: value
        for name, value in wanted.items()
        if name not in _ONCE and not _same(name, stored.header.get(name), value)
    }
    return [Change("PATCH", stored.path, differs, stored.etag)] if differs else []


def line_changes(stored: StoredOrder, wanted: Mapping[str, Any]) -> list[Change]:
    """The calls that make the order's item lines those of `wanted`; none when they are. Others are left alone."""
    pairs, surplus = _pair(stored.lines, wanted["salesOrderLines"])
    plan = [_take_off(stored, line) for line in surplus if line.open or not line.shipped_quantity]
    for line, one in pairs:
        if line is None:
            plan.append(Change("POST", f"{stored.path}/salesOrderLines", dict(one)))
        elif differs := {name for name in _STORED if name in one and not _same(name, _value(line, name), one[name])}:
            told = differs.union(_PRICED) if differs.intersection(_PRICED) else differs
            body = {name: value for name, value in one.items() if name in told}
            plan.append(Change("PATCH", _path(stored, line), body, line.etag))
    return plan


def withdrawal(stored: StoredOrder) -> list[Change]:
    """The calls that take off what has not been shipped: the whole order, or what is left of its lines."""
    if not any(line.shipped_quantity for line in stored.lines):
        return [Change("DELETE", stored.path, None, stored.etag)]
    return [_take_off(stored, line) for line in stored.lines if line.open and line.line_type == _ITEM]


def _pair(
    lines: Sequence[StoredLine], wanted: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[StoredLine | None, Mapping[str, Any]]], list[StoredLine]]:
    """Every wanted line with the one that stands for it (None = there is none), and the item lines nobody wants."""
    free = [line for line in lines if line.line_type == _ITEM]
    found: dict[int, StoredLine] = {}
    for alike in (_equal, _same_goods):
        for place, one in enumerate(wanted):
            line = next((line for line in free if alike(line, one)), None) if place not in found else None
            if line is not None:
                found[place] = line
                free.remove(line)
    return [(found.get(place), one) for place, one in enumerate(wanted)], free


def _same_goods(line: StoredLine, wanted: Mapping[str, Any]) -> bool:
    unit = wanted.get("unitOfMeasureCode", "")
    same_unit = not unit or not line.unit_of_measure_code or code(line.unit_of_measure_code) == code(unit)
    return same_unit and code(line.line_object_number) == code(wanted["lineObjectNumber"])


def _equal(line: StoredLine, wanted: Mapping[str, Any]) -> bool:
    return _same_goods(line, wanted) and all(
        _same(name, _value(line, name), wanted[name]) for name in _PRICED if name in wanted
    )


def _take_off(stored: StoredOrder, line: StoredLine) -> Change:
    if not line.shipped_quantity:
        return Change("DELETE", _path(stored, line), None, line.etag)
    return Change("PATCH", _path(stored, line), {"quantity": line.shipped_quantity}, line.etag)


def _path(stored: StoredOrder, line: StoredLine) -> str:
    return f"{stored.path}/salesOrderLines({line.id})"


def _value(line: StoredLine, name: str) -> Any:
    return getattr(line, _STORED[name])


def _same(name: str, theirs: Any, ours: Any) -> bool:
    if name == "currencyCode" and not theirs:
        # The company's own currency has no code in some answers.
        return True
    if isinstance(ours, bool):
        return bool(theirs) == ours
    if isinstance(ours, int | float | Decimal):
        return Decimal(str(theirs or 0)) == Decimal(str(ours))
    if name in _CODES:
        return code(str(theirs or "")) == code(str(ours))
    return str(theirs or "") == str(ours)


def code(value: str) -> str:
    """`value` as Business Central keeps a code: capitals, no space at its ends."""
    return value.strip().upper()
