# SPDX-License-Identifier: Apache-2.0
"""Feeds, and a journal that keeps in memory what the real one keeps in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from crossdock.connectors.file_drop.feed import DropFeed
from crossdock.estate.feeds import Feed
from crossdock.sdk.receiving import Incoming, KeepResult

ORDERS: dict[str, Any] = {
    "folder": "drop",
    "settle_seconds": 0,
    "columns": ["Order", "Sku", "Qty"],
    "group_by": ["Order"],
    "topics": [
        {
            "topic": "cancellation",
            "when": [{"column": "Order", "prefix": "C"}],
            "key": "cancellation/shop/{Order}",
            "mapping": "c.yaml",
        },
        {
            "topic": "odd",
            "when": [{"column": "Qty", "rows": "any", "below": "0"}],
            "key": "odd/{Order}",
            "problem": "{Qty} of {Sku} ({Note|no note})",
            "fix": "Correct it.",
        },
        {"topic": "order", "key": "order/shop/{Order}", "mapping": "o.yaml"},
    ],
}


def feed(folder: Path, **changes: Any) -> DropFeed:
    """A feed of orders in `folder`, with `changes` to its declaration."""
    return DropFeed(interface="shop.orders", folder=folder, declared=msgspec.convert({**ORDERS, **changes}, Feed))


class Journal:
    """Keeps messages once each; `fail_after` batches it is away."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.kept: dict[tuple[str, str], Incoming] = {}
        self.batches: list[int] = []
        self.fail_after = fail_after

    async def keep(self, batch: Sequence[Incoming]) -> list[KeepResult]:
        if self.fail_after is not None and len(self.batches) >= self.fail_after:
            raise ConnectionError("the journal is away")
        self.batches.append(len(batch))
        results = []
        for item in batch:
            name = (item.interface, item.dedup_key)
            duplicate = name in self.kept
            self.kept.setdefault(name, item)
            results.append(KeepResult(document_id=None if duplicate else len(self.kept), duplicate=duplicate))
        return results

    def rows(self) -> dict[str, list[dict[str, str]]]:
        """The rows of every document by its key."""
        return {item.key: msgspec.json.decode(item.body)["rows"] for item in self.kept.values()}

    def one(self, key: str) -> Incoming:
        """The one message with `key`."""
        (found,) = [item for item in self.kept.values() if item.key == key]
        return found
