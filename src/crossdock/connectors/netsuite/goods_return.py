# SPDX-License-Identifier: Apache-2.0
"""Tell NetSuite what comes back: a return authorization for the order, item receipts of it, credit memos; each once.

All three are transforms, which are not idempotent: each is looked for by our reference before it is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from crossdock.canonical.goods_return import GoodsReturn, Refund, ReturnedLine, ReturnReceipt
from crossdock.connectors.netsuite.client import RestClient, sql_list, sql_text
from crossdock.connectors.netsuite.fulfillment import skus_of
from crossdock.connectors.netsuite.order import OrderLine, OrderNames, external_id, order_id, read_stored
from crossdock.errors import AlreadyDone, NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Outgoing

RETURN_AUTHORIZATION: Final = "return_authorization"
ITEM_RECEIPT: Final = "item_receipt"
CREDIT_MEMO: Final = "credit_memo"
RETURN_CANCEL: Final = "return_cancel"
OPERATIONS: Final = frozenset({RETURN_AUTHORIZATION, ITEM_RECEIPT, CREDIT_MEMO, RETURN_CANCEL})
_TYPES: Final = {RETURN_AUTHORIZATION: "RtnAuth", ITEM_RECEIPT: "ItemRcpt", CREDIT_MEMO: "CustCred"}
_SCRAPPED: Final = "/scrapped"
_ZERO: Final = Decimal(0)


class ReturnLine(OrderLine, rename="camel"):
    """A line of a return authorization as NetSuite has it."""

    quantity_received: float = 0
    quantity_billed: float = 0


class _Lines(Struct):
    items: list[ReturnLine] = field(default_factory=list)


class StoredReturn(Struct):
    """A return authorization as NetSuite has it, with its lines."""

    id: str = ""
    item: _Lines = field(default_factory=_Lines)


class ReturnsDesk:
    """Returns in one account. `translate`: what NetSuite takes, by operation."""

    def __init__(self, client: RestClient, names: OrderNames, translate: Mapping[str, Callable[[Any], Any]]) -> None:
        self._client = client
        self._names = names
        self._translate = translate

    async def send(self, item: Outgoing) -> Delivered:
        """One of OPERATIONS. Raises CallFailed, NeedsEdit, or AlreadyDone."""
        if item.operation == RETURN_CANCEL:
            return await self._cancel(item)
        if item.attempt > 1:
            found = (await self.find(item.operation, [item]))[0]
            if found is not None:
                return found
        if item.operation == RETURN_AUTHORIZATION:
            return await self._authorize(item)
        if item.operation == ITEM_RECEIPT:
            return await self._receive(item)
        return await self._credit(item)

    async def find(self, operation: str, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """By our reference; of a cancellation, whether every line is closed. Raises CallFailed."""
        if operation == RETURN_CANCEL:
            return [await self._cancelled(item) for item in batch]
        wanted = [_references(item) for item in batch]
        found = await self._found(operation, [name for names in wanted for name in names])
        return [
            Delivered(reference=",".join(found[name] for name in names)) if set(names) <= found.keys() else None
            for names in wanted
        ]

    async def _found(self, operation: str, references: Sequence[str]) -> dict[str, str]:
        """Internal ids by our reference, of those that NetSuite has."""
        names = {external_id(reference): reference for reference in references}
        kind = sql_text(_TYPES[operation])
        wanted = sql_list(list(names))
        query = f"SELECT id, externalid FROM transaction WHERE type = {kind} AND externalid IN {wanted}"  # noqa: S608
        return {names[row.externalid]: row.id for row in await self._client.suiteql(query) if row.externalid in names}

    async def _authorize(self, item: Outgoing) -> Delivered:
        asked: GoodsReturn = item.document
        internal_id = await order_id(self._client, asked.order_key)
        stored = await read_stored(self._client, internal_id) if internal_id else None
        if stored is None:
            raise _unknown("sales order", "order_key", asked.order_key)
        wanted: dict[str, Decimal] = defaultdict(Decimal)
        for line in asked.lines:
            wanted[self._names.sku.get(line.sku, line.sku)] += line.quantity.value
        left = {line.line: Decimal(str(line.quantity_fulfilled)) for line in stored.item.items}
        lines = await self._matched(stored.item.items, wanted, left)
        return await self._transform(item, f"salesOrder/{internal_id}", "returnAuthorization", lines)

    async def _receive(self, item: Outgoing) -> Delivered:
        """One receipt of what goes on the shelf, another of what was scrapped, which goes to a location of its own:
        NetSuite takes a line once a receipt, and knows no receipt without stock."""
        receipt: ReturnReceipt = item.document
        made: list[Delivered] = []
        for suffix, came in _parts(receipt).items():
            part = replace(item, reference=item.reference + suffix)
            found = await self._found(ITEM_RECEIPT, [part.reference]) if item.attempt > 1 else {}
            if part.reference in found:
                made.append(Delivered(reference=found[part.reference]))
                continue
            stored = await self._stored(receipt.return_key)
            left = {line.line: _left(line, line.quantity_received) for line in stored.item.items}
            wanted: dict[str, Decimal] = defaultdict(Decimal)
            for one in came:
                wanted[self._names.sku.get(one.sku, one.sku)] += one.quantity.value
            taken = await self._matched(stored.item.items, wanted, left)
            named = {line["orderLine"] for line in taken}
            place = {"location": {"id": self._names.scrap_location}} if suffix and self._names.scrap_location else {}
            lines = [{**line, "itemReceive": True, **place} for line in taken]
            lines += [
                {"orderLine": one.line, "itemReceive": False} for one in stored.item.items if one.line not in named
            ]
            made.append(await self._transform(part, f"returnAuthorization/{stored.id}", "itemReceipt", lines))
        return Delivered(reference=",".join(one.reference for one in made), exchange=made[-1].exchange)

    async def _credit(self, item: Outgoing) -> Delivered:
        refund: Refund = item.document
        stored = await self._stored(refund.return_key)
        left = {line.line: _left(line, line.quantity_billed) for line in stored.item.items}
        lines: list[dict[str, Any]] = []
        for given in refund.lines:
            sku = self._names.sku.get(given.sku, given.sku)
            taken = await self._matched(stored.item.items, {sku: given.quantity.value}, left)
            for place, line in enumerate(taken):
                amount = given.amount.amount if place == 0 else _ZERO
                lines.append({**line, "amount": _number(amount)})
        if refund.fee is not None:
            lines.append(self._fee(refund.fee.amount))
        return await self._transform(item, f"returnAuthorization/{stored.id}", "creditMemo", lines)

    def _fee(self, amount: Decimal) -> dict[str, Any]:
        code = self._names.charge_items.get("restocking_fee") or self._names.charge_items.get("fee")
        if code is None:
            raise NeedsEdit(
                "no NetSuite item stands for a restocking fee",
                field="fee",
                rule="netsuite.charge_item",
                value="restocking_fee",
                fix="add charge_items: {restocking_fee: <external id of an item>} to the settings, then retry",
            )
        return {"item": {"externalId": code}, "quantity": 1, "rate": _number(-amount), "amount": _number(-amount)}

    async def _transform(self, item: Outgoing, source: str, target: str, lines: list[dict[str, Any]]) -> Delivered:
        document: Any = item.document
        body = self._translate[item.operation](
            {
                "document": document,
                "known": item.known,
                "reference": external_id(item.reference),
                "names": {"location": self._names.location},
                "lines": lines,
            }
        )
        # Only the lines we name: without it NetSuite takes the others whole.
        query = "replace=item" if target != "itemReceipt" else ""
        reply = await self._client.record("POST", f"{source}/!transform/{target}", query=query, body=body)
        if reply is None or not reply.record_id:
            raise OutcomeUnknown(f"NetSuite named no record for the {target}", rule="netsuite.location")
        return Delivered(reference=reply.record_id, exchange=reply.exchange)

    async def _matched(
        self, lines: Sequence[OrderLine], wanted: Mapping[str, Decimal], left: dict[int, Decimal]
    ) -> list[dict[str, Any]]:
        """How much of each line is meant, by SKU; `left`: how much of it can be, which is lowered."""
        item_of = await skus_of(self._client, lines, wanted)
        found: list[dict[str, Any]] = []
        missing = dict(wanted)
        for line in lines:
            sku = item_of.get(line.line, "")
            taken = min(missing.get(sku, _ZERO), max(left.get(line.line, _ZERO), _ZERO))
            if taken > 0:
                missing[sku] -= taken
                left[line.line] -= taken
                found.append({"orderLine": line.line, "quantity": _number(taken)})
        short = {sku: str(quantity) for sku, quantity in missing.items() if quantity > 0}
        if short:
            raise NeedsEdit(
                f"NetSuite has less that can come back than what does: {short}",
                field="lines",
                rule="netsuite.remaining",
                value=short,
                fix="compare the record in NetSuite with the return, then mend the one that is wrong",
            )
        return found

    async def _stored(self, return_key: str) -> StoredReturn:
        stored = await self._look(return_key)
        if stored is None:
            raise _unknown("return authorization", "return_key", return_key)
        return stored

    async def _look(self, return_key: str) -> StoredReturn | None:
        wanted = sql_text(external_id(return_key))
        query = f"SELECT id FROM transaction WHERE type = 'RtnAuth' AND externalid = {wanted}"  # noqa: S608
        rows = await self._client.suiteql(query)
        if not rows:
            return None
        path = f"returnAuthorization/{rows[0].id}"
        reply = await self._client.record("GET", path, query="expandSubResources=true", missing_is_none=True)
        return msgspec.json.decode(reply.body, type=StoredReturn) if reply is not None else None

    async def _cancel(self, item: Outgoing) -> Delivered:
        stored = await self._look(item.reference)
        if stored is None:
            raise AlreadyDone("NetSuite has no return authorization to close", reference="none")
        if all(line.is_closed for line in stored.item.items):
            raise AlreadyDone("every line of the return authorization is closed", reference=stored.id)
        lines = [{"line": line.line, "isClosed": True} for line in stored.item.items]
        path = f"returnAuthorization/{stored.id}"
        reply = await self._client.record("PATCH", path, body={"item": {"items": lines}})
        return Delivered(reference=stored.id, exchange=reply.exchange if reply is not None else None)

    async def _cancelled(self, item: Outgoing) -> Delivered | None:
        stored = await self._look(item.reference)
        if stored is None:
            return Delivered(reference="none")
        return Delivered(reference=stored.id) if all(line.is_closed for line in stored.item.items) else None


def _parts(receipt: ReturnReceipt) -> dict[str, list[ReturnedLine]]:
    """What goes on the shelf ("") and what was scrapped, by what their receipts' references end with."""
    parts: dict[str, list[ReturnedLine]] = {}
    for line in receipt.lines:
        parts.setdefault(_SCRAPPED if line.disposition == "scrap" else "", []).append(line)
    return parts


def _references(item: Outgoing) -> list[str]:
    if item.operation != ITEM_RECEIPT:
        return [item.reference]
    return [item.reference + suffix for suffix in _parts(item.document)]


def _left(line: ReturnLine, done: float) -> Decimal:
    return Decimal(str(line.quantity)) - Decimal(str(done))


def _number(value: Decimal) -> int | float:
    """A JSON number: NetSuite refuses one in quotes."""
    return int(value) if value == value.to_integral_value() else float(value)


def _unknown(what: str, where: str, key: str) -> NeedsEdit:
    return NeedsEdit(
        f"NetSuite has no {what} for this return",
        field=where,
        rule="netsuite.return_known",
        value=key,
        fix=f"find out why the {what} did not reach NetSuite, then retry",
    )
