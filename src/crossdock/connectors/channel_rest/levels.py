# SPDX-License-Identifier: Apache-2.0
"""Tell the channel how many there are to sell: absolute numbers per SKU, 500 a call, an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crossdock.canonical.stock import StockLevel
from crossdock.connectors.channel_rest.errors import LEVEL_STATUSES
from crossdock.connectors.channel_rest.told import telling
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.sdk.json_api import JsonApi, send_batch
from crossdock.sdk.sending import Delivered, Outcome, Outgoing

# Contract: 200 SKUs a look-up; fewer, so that the address stays below the 8 KB that web servers take.
_SKUS_A_CALL: Final = 50
_SET: Final = telling("/availability", LEVEL_STATUSES)


class _Shown(Struct):
    sku: str
    sequence: int | None = None


class _ShownLevels(Struct):
    availability: list[_Shown]


class LevelPublisher:
    """Sets what the channel shows. `skus`: our SKU → the channel's where they differ."""

    def __init__(self, client: JsonApi, translate: Callable[[Any], Any], skus: Mapping[str, str]) -> None:
        self._client = client
        self._translate = translate
        self._skus = skus

    async def send(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Set every level of `batch` (StockLevel documents) in one call; outcomes in the same order."""
        return await send_batch(self._client, _SET, batch, self._item)

    async def find(self, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """Which levels the channel was told already, or newer ones of their SKUs. Raises CallFailed, RetryLater."""
        names = [self._skus.get(item.document.sku, item.document.sku) for item in batch]
        told: dict[str, int] = {}
        unique = list(dict.fromkeys(names))
        for start in range(0, len(unique), _SKUS_A_CALL):
            wanted = ",".join(quote(sku, safe="") for sku in unique[start : start + _SKUS_A_CALL])
            content, _ = await self._client.request("GET", f"/availability?sku={wanted}")
            try:
                shown = msgspec.json.decode(content, type=_ShownLevels).availability
            except msgspec.DecodeError as error:
                raise RetryLater(f"the channel's answer could not be read: {error}", rule="answer") from error
            told.update((level.sku, level.sequence) for level in shown if level.sequence is not None)
        return [
            Delivered(reference=f"sequence {told[name]}")
            if told.get(name, -1) >= item.document.sequence and not item.document.location
            else None
            for name, item in zip(names, batch, strict=True)
        ]

    def _item(self, item: Outgoing) -> dict[str, Any]:
        level: StockLevel = item.document
        if level.location:
            raise NeedsEdit(
                f"the channel shows one number per SKU, and this is the level of location {level.location!r} alone",
                field="location",
                rule="channel_rest.location",
                value=level.location,
                fix="write summed: true for this channel under inventory.channels in the estate",
            )
        source = {"document": level, "known": item.known, "reference": item.reference, "names": {"sku": self._skus}}
        made: dict[str, Any] = self._translate(source)
        return made
