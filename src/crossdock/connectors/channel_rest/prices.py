# SPDX-License-Identifier: Apache-2.0
"""Tell the channel what its SKUs cost: absolute prices, 500 a call, an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from crossdock.connectors.channel_rest.errors import PRICE_STATUSES
from crossdock.connectors.channel_rest.told import telling
from crossdock.sdk.json_api import JsonApi, send_batch
from crossdock.sdk.sending import Outcome, Outgoing

_SET: Final = telling("/prices", PRICE_STATUSES)


class PriceTeller:
    """Sets the prices the channel shows. `skus`: our SKU → the channel's where they differ."""

    def __init__(self, client: JsonApi, translate: Callable[[Any], Any], skus: Mapping[str, str]) -> None:
        self._client = client
        self._translate = translate
        self._skus = skus

    async def send(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Set every price of `batch` (ChannelPrice documents) in one call; outcomes in the same order."""
        return await send_batch(self._client, _SET, batch, self._item)

    def _item(self, item: Outgoing) -> dict[str, Any]:
        names = {"sku": self._skus}
        source = {"document": item.document, "known": item.known, "reference": item.reference, "names": names}
        made: dict[str, Any] = self._translate(source)
        return made
