# SPDX-License-Identifier: Apache-2.0
"""Records as the REST service shows them: references with links, enumerations with names, sublists as links or
expanded."""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.netsuite.fields import RETURN_STATUS, SALES_ORDER_STATUS, SHIP_STATUS, SUBLISTS
from crossdock.sandbox.netsuite.records import Record

ENUM_NAMES = {"status": SALES_ORDER_STATUS, "shipStatus": SHIP_STATUS}
STATUSES = {
    "returnAuthorization": RETURN_STATUS,
    "itemReceipt": {"Y": "Received"},
    "creditMemo": {"A": "Open", "B": "Fully Applied", "V": "Voided"},
    "invoice": {"A": "Open", "B": "Paid In Full", "V": "Voided"},
    "customerPayment": {"B": "Not Deposited", "C": "Deposited"},
    "customerDeposit": {"A": "Not Deposited", "B": "Deposited", "C": "Fully Applied"},
}
HIDDEN = frozenset({"relieved"})


def show(kind: str, record: Record, base: str, *, expand: bool, fields: frozenset[str] | None) -> dict[str, Any]:
    """The JSON of one record. `base` is the address of the record service; `fields` limits what is shown."""
    address = f"{base}/{kind}/{record['id']}"
    shown: dict[str, Any] = {"links": [{"rel": "self", "href": address}]}
    for name, value in record.items():
        if name in HIDDEN or (fields is not None and name not in fields and name != "id"):
            continue
        if name in SUBLISTS[kind]:
            shown[name] = _sublist(value, f"{address}/{name}", expand=expand)
        elif name in ENUM_NAMES and isinstance(value, str):
            names = STATUSES.get(kind, ENUM_NAMES[name]) if name == "status" else ENUM_NAMES[name]
            shown[name] = {"id": value, "refName": names[value]}
        elif value is not None:
            shown[name] = value
    return shown


def _sublist(lines: list[dict[str, Any]], address: str, *, expand: bool) -> dict[str, Any]:
    links = [{"rel": "self", "href": address}]
    if not expand:
        return {"links": links}
    items = [{"links": [], **{name: value for name, value in line.items() if value is not None}} for line in lines]
    return {
        "links": links,
        "items": items,
        "count": len(items),
        "hasMore": False,
        "offset": 0,
        "totalResults": len(items),
    }
