# SPDX-License-Identifier: Apache-2.0
"""Guaranteed Delivery to a sales channel: what it may sell, what that costs, and what has left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crossdock.canonical.fulfillment import Shipment
from crossdock.connectors.channel_rest.client import open_client
from crossdock.connectors.channel_rest.levels import LevelPublisher
from crossdock.connectors.channel_rest.mapping import AVAILABILITY, PRICE, SHIPMENT
from crossdock.connectors.channel_rest.prices import PriceTeller
from crossdock.errors import CrossdockError, OutcomeUnknown, RetryLater
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.json_api import CallFailed
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing


class _Filed(Struct):
    id: str
    reference: str


class _FiledShipments(Struct):
    shipments: list[_Filed]


class ChannelSender:
    """One channel. Names used: `sku`, `carrier` (where they differ)."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = open_client(config)
        self._names = {"carrier": dict(config.names.get("carrier", {}))}
        self._shipment = config.translate[SHIPMENT.name]
        skus = dict(config.names.get("sku", {}))
        self._levels = LevelPublisher(self._client, config.translate[AVAILABILITY.name], skus)
        self._prices = PriceTeller(self._client, config.translate[PRICE.name], skus)

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        """`stock_levels` and `prices` (500 in a call) or `fulfillment` (one by one). Outcomes in the order of
        `batch`."""
        if operation == "stock_levels":
            return await self._levels.send(batch)
        if operation == "prices":
            return await self._prices.send(batch)
        return [await self._file(item) for item in batch]

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """Shipments by our reference, levels by their sequence. Prices are absolute: told again, never looked for.
        Raises a CrossdockError when it cannot tell."""
        if operation == "prices":
            return [None] * len(batch)
        try:
            if operation == "stock_levels":
                return await self._levels.find(batch)
            return [await self._filed(item) for item in batch]
        except CallFailed as failed:
            raise failed.error from failed

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _file(self, item: Outgoing) -> Outcome:
        shipment: Shipment = item.document
        source = {"document": shipment, "known": item.known, "reference": item.reference, "names": self._names}
        try:
            body: Any = self._shipment(source)
            content, exchange = await self._client.request("POST", _path(shipment), body)
        except CallFailed as failed:
            return Failed(error=failed.error, exchange=failed.exchange)
        except CrossdockError as error:
            return Failed(error=error)
        try:
            filed = msgspec.json.decode(content, type=_Filed)
        except msgspec.DecodeError as error:
            unknown = OutcomeUnknown(f"the channel's answer could not be read: {error}", rule="answer")
            return Failed(error=unknown, exchange=exchange)
        return Delivered(reference=filed.id, exchange=exchange)

    async def _filed(self, item: Outgoing) -> Delivered | None:
        try:
            content, _ = await self._client.request("GET", _path(item.document))
            filed = msgspec.json.decode(content, type=_FiledShipments).shipments
        except CallFailed as failed:
            if failed.status == 404:
                return None
            raise
        except msgspec.DecodeError as error:
            raise RetryLater(f"the channel's answer could not be read: {error}", rule="answer") from error
        return next((Delivered(reference=one.id) for one in filed if one.reference == item.reference), None)


def _path(shipment: Shipment) -> str:
    """Where the shipments of an order are; the order's key is "<channel>/<id in the channel>"."""
    return f"/orders/{quote(shipment.order_key.partition('/')[2], safe='')}/shipments"
