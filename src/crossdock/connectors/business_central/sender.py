# SPDX-License-Identifier: Apache-2.0
"""Guaranteed Delivery to a company of Business Central: sales orders, their cancellation, shipments, returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossdock.connectors.business_central.client import CallFailed, RestClient
from crossdock.connectors.business_central.goods_return import CREDIT_MEMO as CREDITS
from crossdock.connectors.business_central.goods_return import ITEM_RECEIPT, OPERATIONS, ReturnsDesk
from crossdock.connectors.business_central.locations import LocationIds
from crossdock.connectors.business_central.mapping import (
    CHARGE_LINE,
    CREDIT_MEMO,
    RETURN_ORDER,
    SALES_ORDER,
    SHIPMENT,
)
from crossdock.connectors.business_central.order import (
    bring_order,
    cancel_order,
    look_for_cancelled,
    look_for_order,
    names_of,
    order_body,
)
from crossdock.connectors.business_central.shipment import find_shipment, ship
from crossdock.errors import AlreadyDone, CrossdockError
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing


class BusinessCentralSender:
    """One company. Names used: `sku`, `location`, `customer`, `currency`, `unit`, `carrier` (canonical → theirs, where
    they differ)."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config)
        self._names = names_of(config)
        self._locations = LocationIds(self._client, self._names.location)
        self._order_key = f"{config.name}/sales_order"
        self._order = config.translate[SALES_ORDER.name]
        self._charge = config.translate[CHARGE_LINE.name]
        self._shipment = config.translate[SHIPMENT.name]
        mappings = {ITEM_RECEIPT: RETURN_ORDER, CREDITS: CREDIT_MEMO}
        self._returns = ReturnsDesk(
            self._client,
            self._names,
            self._order_key,
            str(config.settings.get("scrap_location") or ""),
            {operation: config.translate[mapping.name] for operation, mapping in mappings.items()},
        )

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        """An operation of the manifest, item by item. Outcomes in the order of `batch`."""
        return [await self._send(operation, item) for item in batch]

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """By our reference. Raises a CrossdockError when Business Central cannot tell."""
        try:
            return [await self._find(operation, item) for item in batch]
        except CallFailed as failed:
            raise failed.error from failed

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _send(self, operation: str, item: Outgoing) -> Outcome:
        try:
            if operation == "item_fulfillment":
                return await ship(self._client, item, self._names, self._shipment)
            if operation in OPERATIONS:
                return await self._returns.send(item)
            if operation == "order_cancel":
                return await cancel_order(self._client, item, self._known(item))
            return await bring_order(self._client, item, await self._body(item), self._known(item))
        except AlreadyDone as done:
            return Delivered(reference=done.reference)
        except CallFailed as failed:
            return Failed(error=failed.error, exchange=failed.exchange)
        except CrossdockError as error:
            return Failed(error=error)

    async def _find(self, operation: str, item: Outgoing) -> Delivered | None:
        if operation == "item_fulfillment":
            return await find_shipment(self._client, item)
        if operation in OPERATIONS:
            return await self._returns.find(item)
        if operation == "order_cancel":
            return await look_for_cancelled(self._client, item, self._known(item))
        return await look_for_order(self._client, item, await self._body(item), self._known(item))

    async def _body(self, item: Outgoing) -> dict[str, Any]:
        ids = await self._locations.of(line.location for line in item.document.lines if line.location)
        return order_body(item, self._names, ids, self._order, self._charge)

    def _known(self, item: Outgoing) -> str:
        return item.known.get(self._order_key, "")
