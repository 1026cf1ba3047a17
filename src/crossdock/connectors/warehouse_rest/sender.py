# SPDX-License-Identifier: Apache-2.0
"""Guaranteed Delivery to the warehouse: fulfillment orders in batches, their cancellation, and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from crossdock.connectors.warehouse_rest.client import open_client
from crossdock.connectors.warehouse_rest.errors import CONFLICT, REFUSED, SHIPPED, STATUSES
from crossdock.connectors.warehouse_rest.expect import EXPECTED_RETURN, RETURN_CANCEL, ReturnsDesk
from crossdock.connectors.warehouse_rest.mapping import EXPECTED_RETURN as EXPECTED_RETURN_MAPPING
from crossdock.connectors.warehouse_rest.mapping import FULFILLMENT_ORDER
from crossdock.errors import CrossdockError, OutcomeUnknown, RetryLater
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.http_status import error_for, error_of_status
from crossdock.sdk.json_api import BatchCall, CallFailed, FieldError, send_batch, told_by
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome, Outgoing

_SERVICES: Final = {name: name for name in ("standard", "express", "economy")}
# Contract: 200 references a look-up; fewer, so that the address stays below the 8 KB that web servers take.
_REFERENCES_A_CALL: Final = 50


class _Result(Struct):
    reference: str
    status: int
    id: str | None = None
    errors: list[FieldError] = field(default_factory=list)


class _Results(Struct):
    results: list[_Result]


class _Stored(Struct):
    id: str
    reference: str
    status: str = ""


class _StoredOrders(Struct):
    fulfillment_orders: list[_Stored]


class WarehouseSender:
    """One warehouse. Names used: `location`, `sku`, `service` (canonical → theirs)."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = open_client(config)
        self._known = f"{config.name}/fulfillment_order/"
        self._translate = config.translate[FULFILLMENT_ORDER.name]
        self._names = {
            "location": dict(config.names.get("location", {})),
            "sku": dict(config.names.get("sku", {})),
            "service": {**_SERVICES, **{name.lower(): ours for name, ours in config.names.get("service", {}).items()}},
        }

        expected = config.translate[EXPECTED_RETURN_MAPPING.name]
        self._returns = ReturnsDesk(self._client, lambda item: expected(self._source(item)))

    async def send(self, operation: str, batch: Sequence[Outgoing]) -> list[Outcome]:
        """`fulfillment_order` (200 in a call), `fulfillment_cancel`, `expected_return` or `return_cancel` (one by one).
        Outcomes in the batch's order."""
        if operation in (EXPECTED_RETURN, RETURN_CANCEL):
            return [await self._returns.send(operation, item) for item in batch]
        if operation == "fulfillment_cancel":
            return [await self._cancel(item) for item in batch]
        return await send_batch(self._client, _CREATE, batch, self._body)

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """By our reference; of a cancellation, whether it is cancelled. Raises a CrossdockError when it cannot tell."""
        if operation in (EXPECTED_RETURN, RETURN_CANCEL):
            return await self._returns.find(operation, batch)
        stored = await self._look_up([item.reference for item in batch])
        found: list[Delivered | None] = []
        for item in batch:
            order = stored.get(item.reference)
            if operation == "fulfillment_cancel":
                gone = order is None or order.status in ("cancelled", "rejected")
                found.append(Delivered(reference=order.id if order is not None else "none") if gone else None)
            else:
                found.append(Delivered(reference=order.id) if order is not None else None)
        return found

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    def _source(self, item: Outgoing) -> Any:
        return {"document": item.document, "known": item.known, "reference": item.reference, "names": self._names}

    def _body(self, item: Outgoing) -> Any:
        return self._translate(self._source(item))

    async def _cancel(self, item: Outgoing) -> Outcome:
        try:
            identity = item.known.get(self._known + item.reference, "")
            if not identity:
                stored = (await self._look_up([item.reference])).get(item.reference)
                if stored is None:
                    return Delivered(reference="none")
                identity = stored.id
            path = f"/fulfillment-orders/{quote(identity, safe='')}/cancel"
            _, exchange = await self._client.request("POST", path, {"reason": "the order was cancelled"})
            return Delivered(reference=identity, exchange=exchange)
        except CallFailed as failed:
            if failed.status == 404:
                return Delivered(reference="none", exchange=failed.exchange)
            error = failed.error
            if failed.status == 409:
                error = error_for(SHIPPED, field="reference", rule="warehouse.cancel", value=item.reference)
            return Failed(error=error, exchange=failed.exchange)
        except CrossdockError as error:
            return Failed(error=error)

    async def _look_up(self, references: Sequence[str]) -> Mapping[str, _Stored]:
        found: dict[str, _Stored] = {}
        for start in range(0, len(references), _REFERENCES_A_CALL):
            wanted = ",".join(quote(reference, safe="") for reference in references[start : start + _REFERENCES_A_CALL])
            try:
                content, _ = await self._client.request("GET", f"/fulfillment-orders?reference={wanted}")
                stored = msgspec.json.decode(content, type=_StoredOrders).fulfillment_orders
            except CallFailed as failed:
                raise failed.error from failed
            except msgspec.DecodeError as error:
                raise RetryLater(f"the warehouse's answer could not be read: {error}", rule="answer") from error
            found.update((order.reference, order) for order in stored)
        return found


def _outcome(result: _Result | None, sent: Mapping[str, Any], exchange: Exchange) -> Outcome:
    if result is None or result.reference != sent["reference"]:
        unknown = OutcomeUnknown("the warehouse's answer leaves this fulfillment order out", rule="answer")
        return Failed(error=unknown, exchange=exchange)
    if result.status in (200, 201) and result.id:
        return Delivered(reference=result.id, exchange=exchange)
    first = result.errors[0] if result.errors else FieldError()
    detail = told_by(result.errors)
    if result.status in (409, 422):
        recovery = CONFLICT if result.status == 409 else REFUSED
        error = error_for(recovery, detail=detail, field=first.field, rule=first.code)
        return Failed(error=error, exchange=exchange)
    return Failed(error=error_of_status(STATUSES, result.status, detail=detail, field=first.field), exchange=exchange)


def _results(content: bytes) -> list[_Result]:
    return msgspec.json.decode(content, type=_Results).results


_CREATE: Final = BatchCall("POST", "/fulfillment-orders:batch", "fulfillment_orders", _results, _outcome)
