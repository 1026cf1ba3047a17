# SPDX-License-Identifier: Apache-2.0
"""Guaranteed Delivery to a Shopify store: fulfillments, refunds, stock levels and prices."""

from __future__ import annotations

from collections.abc import Sequence

from crossdock.canonical.fulfillment import Shipment
from crossdock.connectors.shopify.client import AdminClient, CallFailed
from crossdock.connectors.shopify.fulfill import find_fulfillment, send_fulfillment
from crossdock.connectors.shopify.mapping import FULFILLMENT, PRICE, REFUND, STOCK_LEVEL
from crossdock.connectors.shopify.prices import PriceTeller
from crossdock.connectors.shopify.refund import find_refund, send_refund
from crossdock.connectors.shopify.stock import StockPublisher
from crossdock.errors import CrossdockError
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing


class ShopifySender:
    """One store. Names used: `location` (our code → the store's location id), `sku`, `carrier` (where they differ)."""

    def __init__(self, config: SystemConfig) -> None:
        self._config = config
        self._client = AdminClient(config)
        self._locations = config.names.get("location", {})
        self._carriers = config.names.get("carrier", {})
        self._fulfillment = config.translate[FULFILLMENT.name]
        self._refund = config.translate[REFUND.name]
        skus = config.names.get("sku", {})
        self._stock = StockPublisher(self._client, config.translate[STOCK_LEVEL.name], self._locations, skus)
        self._prices = PriceTeller(self._client, config.translate[PRICE.name], skus)

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        """`fulfillment`, `refund` (one at a time), `stock_levels` (up to 250) or `prices` (up to 50). Outcomes in the
        order of `batch`."""
        try:
            if operation == "stock_levels":
                return await self._stock.send(batch)
            if operation == "prices":
                return await self._prices.send(batch)
            give = self._give_back if operation == "refund" else self._fulfill
            return [await give(item) for item in batch]
        except CallFailed as failed:
            return [Failed(error=failed.error, exchange=failed.exchange) for _ in batch]

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """Fulfillments by tracking number, refunds by their note. Stock levels and prices are absolute: sent again,
        never looked for."""
        if operation in ("stock_levels", "prices"):
            return [None] * len(batch)
        try:
            look = find_refund if operation == "refund" else find_fulfillment
            return [await look(self._client, item) for item in batch]
        except CallFailed as failed:
            raise failed.error from failed

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _fulfill(self, item: Outgoing) -> Outcome:
        shipment: Shipment = item.document
        names = {
            "carrier": self._carriers.get(shipment.carrier, shipment.carrier) or None,
            "notify_customer": bool(self._config.settings.get("notify_customer", False)),
        }
        try:
            return await send_fulfillment(self._client, item, self._fulfillment, names, self._locations)
        except CallFailed as failed:
            return Failed(error=failed.error, exchange=failed.exchange)
        except CrossdockError as error:
            return Failed(error=error)

    async def _give_back(self, item: Outgoing) -> Outcome:
        names = {"notify_customer": bool(self._config.settings.get("notify_customer", False))}
        try:
            return await send_refund(self._client, item, self._refund, names)
        except CallFailed as failed:
            return Failed(error=failed.error, exchange=failed.exchange)
        except CrossdockError as error:
            return Failed(error=error)
