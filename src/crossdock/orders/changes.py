# SPDX-License-Identifier: Apache-2.0
"""What a new version of an order means beside the one we have: nothing, a change, or a cancellation."""

from __future__ import annotations

from enum import Enum

import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.sdk.receiving import digest_of


class Known(Struct, frozen=True, kw_only=True):
    """The order as we have it."""

    version: int
    status: str
    content: int
    erp: str
    document_id: int


class Meaning(Enum):
    """What a version of an order means."""

    NEW = "new"
    NEW_CANCELLED = "cancelled before we had it"
    STALE = "older than what we have, or the same"
    TOUCHED = "newer, but nothing that ERP or warehouse must know has changed"
    CHANGED = "lines, address or totals have changed"
    CANCELLED = "cancelled now"
    REVIVED = "open again after it was cancelled"


MOVES_GOODS = frozenset({Meaning.NEW, Meaning.CHANGED, Meaning.CANCELLED, Meaning.REVIVED})
"""What changes what is promised to an order or asked of a warehouse."""


def content_of(order: SalesOrder) -> int:
    """A digest of what ERP and warehouse must know; equal where only times, note or reservation differ."""
    plain = msgspec.structs.replace(order, version=0, updated_at=None, note="", reservation="", status="open")
    return digest_of(encode(plain))


def meaning_of(order: SalesOrder, content: int, known: Known | None) -> Meaning:
    """What `order` means beside `known` (None = we have none). Decided by version, never by the order of arrival."""
    if known is None:
        return Meaning.NEW if order.status == "open" else Meaning.NEW_CANCELLED
    if order.version <= known.version:
        return Meaning.STALE
    if order.status != known.status:
        return Meaning.CANCELLED if order.status == "cancelled" else Meaning.REVIVED
    return Meaning.TOUCHED if content == known.content or order.status == "cancelled" else Meaning.CHANGED
