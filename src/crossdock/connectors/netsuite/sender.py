# SPDX-License-Identifier: Apache-2.0
"""Guaranteed Delivery to a NetSuite account: sales orders, their cancellation, item fulfillments, returns."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crossdock.connectors.netsuite.client import CallFailed, RestClient
from crossdock.connectors.netsuite.fulfillment import find_fulfillments, fulfill
from crossdock.connectors.netsuite.goods_return import OPERATIONS, ReturnsDesk
from crossdock.connectors.netsuite.mapping import (
    CHARGE_LINE,
    CREDIT_MEMO,
    ITEM_FULFILLMENT,
    ITEM_RECEIPT,
    RETURN_AUTHORIZATION,
    SALES_ORDER,
)
from crossdock.connectors.netsuite.order import (
    cancel_order,
    is_closed,
    names_of,
    order_body,
    order_id,
    read_stored,
    upsert_order,
)
from crossdock.errors import AlreadyDone, CrossdockError, OutcomeUnknown, RetryLater
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing

SALE = "intercompany_sale"


class NetSuiteSender:
    """One account. Names used: `sku`, `location`, `customer`, `currency` (canonical → theirs, where they differ)."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config)
        self._names = names_of(config)
        self._order_key = f"{config.name}/sales_order"
        self._order = config.translate[SALES_ORDER.name]
        self._charge = config.translate[CHARGE_LINE.name]
        self._fulfillment = config.translate[ITEM_FULFILLMENT.name]
        returns = {
            one.name.rpartition(".")[2]: config.translate[one.name]
            for one in (RETURN_AUTHORIZATION, ITEM_RECEIPT, CREDIT_MEMO)
        }
        self._returns = ReturnsDesk(self._client, self._names, returns)

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        """`sales_order`, `order_cancel`, `intercompany_sale`, `item_fulfillment` or one of `goods_return.OPERATIONS`,
        one by one. Outcomes in the order of `batch`."""
        return [await self._send(operation, item) for item in batch]

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """By external id. Orders are upserted whole: sent again, never looked for, because one that is there may be as
        it was before its change. Raises a CrossdockError when NetSuite cannot tell."""
        if operation in ("sales_order", SALE):
            return [None] * len(batch)
        try:
            if operation == "item_fulfillment":
                return await find_fulfillments(self._client, batch)
            if operation in OPERATIONS:
                return await self._returns.find(operation, batch)
            return [await self._find_cancelled(item) for item in batch]
        except CallFailed as failed:
            raise failed.error from failed
        except msgspec.DecodeError as error:
            raise RetryLater(f"NetSuite's answer could not be read: {error}", rule="answer") from error

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _send(self, operation: str, item: Outgoing) -> Outcome:
        try:
            if operation == "item_fulfillment":
                names = {"sku": self._names.sku, "location": self._names.location}
                return await fulfill(self._client, item, self._internal_id(item), names, self._fulfillment)
            if operation in OPERATIONS:
                return await self._returns.send(item)
            if operation == "order_cancel" or (operation == SALE and item.document.status == "cancelled"):
                internal_id = self._internal_id(item) or await order_id(self._client, item.reference)
                return await cancel_order(self._client, item, internal_id)
            return await upsert_order(self._client, item, order_body(item, self._names, self._order, self._charge))
        except AlreadyDone as done:
            return Delivered(reference=done.reference)
        except CallFailed as failed:
            return Failed(error=failed.error, exchange=failed.exchange)
        except msgspec.DecodeError as error:
            return Failed(error=OutcomeUnknown(f"NetSuite's answer could not be read: {error}", rule="answer"))
        except CrossdockError as error:
            return Failed(error=error)

    def _internal_id(self, item: Outgoing) -> str:
        return item.known.get(self._order_key, "")

    async def _find_cancelled(self, item: Outgoing) -> Delivered | None:
        internal_id = self._internal_id(item) or await order_id(self._client, item.reference)
        stored = await read_stored(self._client, internal_id) if internal_id else None
        if stored is None:
            return Delivered(reference="none")
        return Delivered(reference=internal_id) if is_closed(stored) else None
