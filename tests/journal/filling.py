# SPDX-License-Identifier: Apache-2.0
"""Rows of a journal, written one at a time so that a test says just what it needs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORDERS, STOCK, ERP = "shopify-us.orders", "warehouse.stock", "netsuite.orders"


def canonical_order(order_id: str = "5001", sku: str = "CD-1001", total: str = "41.50") -> bytes:
    """A sales order of one line in canonical form."""
    money = {"amount": total, "currency": "USD"}
    line = {"line": "1", "sku": sku, "quantity": {"value": "1", "unit": "EA"}, "unit_price": money, "total": money}
    order = {
        "order_key": f"shopify-us/{order_id}",
        "number": "#1001",
        "channel": "shopify-us",
        "placed_at": "2026-11-23T12:00:00Z",
        "currency": "USD",
        "customer": {"id": "C-204"},
        "lines": [line],
        "total": money,
    }
    return json.dumps(order).encode()


class Filling:
    """Writes rows through `conn`; every method returns the new row's id."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self._number = 0

    async def interfaces(self) -> None:
        """Two interfaces in, one out, as an estate would declare them."""
        for name, system, direction, object_, minutes in (
            (ORDERS, "shopify-us", "in", "sales_order", 15),
            (STOCK, "warehouse", "in", "stock_movements", 240),
            (ERP, "netsuite", "out", "sales_order", 15),
        ):
            await self.conn.execute(
                """INSERT INTO interface (name, system, direction, object, owner, tier, settle_within, version, state)
                   VALUES ($1, $2, $3, $4, $5, 'gold', $6, 1, 'active')""",
                name, system, direction, object_, f"{system}-team", timedelta(minutes=minutes),
            )  # fmt: skip

    async def message(self, interface: str = ORDERS, body: bytes = b"{}", dedup_key: str = "") -> int:
        """A message without a document."""
        self._number += 1
        return await self.conn.fetchval(
            "INSERT INTO message (interface, topic, dedup_key, body, headers) VALUES ($1, 'orders/create', $2, $3, $4) "
            "RETURNING id",
            interface, dedup_key or f"m-{self._number}", body, b'{"x-topic": "orders/create", "x-hmac": "s3cret"}',
        )  # fmt: skip

    async def document(
        self,
        key: str = "order/shopify-us/5001",
        state: str = "received",
        step: str = "translate",
        *,
        interface: str = ORDERS,
        body: bytes = b'{"id": 5001}',
        dedup_key: str = "",
        **columns: Any,
    ) -> int:
        """A document with its message; `columns` are any others of the document table."""
        message_id = columns.pop("message_id", None) or await self.message(interface, body, dedup_key)
        values = {
            "message_id": message_id,
            "interface": interface,
            "topic": "orders/create",
            "key": key,
            "state": state,
            "step": step,
            "digest": 1,
            **columns,
        }
        return await self._insert("document", values)

    async def version(self, document_id: int, body: bytes, number: int = 1, stage: str = "canonical") -> None:
        """A form of a document."""
        await self.conn.execute(
            "INSERT INTO document_version (document_id, number, stage, body, made_by) "
            "VALUES ($1, $2, $3, $4, 'test/1')",
            document_id, number, stage, body,
        )  # fmt: skip

    async def delivery(self, document_id: int, state: str = "due", **columns: Any) -> int:
        """An obligation to NetSuite for a document; "sending" = due, and in a worker's claim."""
        sending, state = state == "sending", "due" if state == "sending" else state
        values = {
            "document_id": document_id,
            "interface": ERP,
            "system": "netsuite",
            "operation": "sales_order",
            "object": "sales_order",
            "key": "order/shopify-us/5001",
            "reference": "shopify-us/5001",
            "state": state,
            **columns,
        }
        made = await self._insert("delivery", values)
        if sending:
            await self._insert("delivery_claim", {"system": values["system"], "fence": 1, "delivery_ids": [made]})
        return made

    async def attempt(self, delivery_id: int, number: int, outcome: str, *, status: int = 500, error: str = "") -> int:
        """A try with its exchange; returns the exchange's id."""
        exchange = await self._insert(
            "exchange",
            {
                "system": "netsuite",
                "method": "PUT",
                "url": "https://erp/orders",
                "request": b'{"sent": 1}',
                "status": status,
                "response": b'{"answered": 1}',
            },
        )
        await self.conn.execute(
            "INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at, outcome, error, exchange_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            delivery_id, number, NOON + timedelta(seconds=number), NOON + timedelta(seconds=number, milliseconds=250),
            outcome, error, exchange,
        )  # fmt: skip
        return exchange

    async def case(self, document_id: int, delivery_id: int | None = None, **columns: Any) -> int:
        """An open case."""
        values = {
            "document_id": document_id,
            "delivery_id": delivery_id,
            "interface": ORDERS,
            "key": "order/shopify-us/5001",
            "step": "translate" if delivery_id is None else "deliver",
            "class": "needs_edit",
            "reason": "SKU XX-1 is not known",
            "money": Decimal("41.50"),
            "currency": "USD",
            **columns,
        }
        return await self._insert("triage_case", values)

    async def order(self, document_id: int, order_id: str = "5001", number: str = "#1001", **columns: Any) -> None:
        """An order as kept."""
        values = {
            "order_key": f"shopify-us/{order_id}",
            "number": number,
            "channel": "shopify-us",
            "entity": "us",
            "customer_id": "C-204",
            "po_number": f"PO-{order_id}",
            "status": "open",
            "version": 1,
            "currency": "USD",
            "total": Decimal("41.50"),
            "document_id": document_id,
            "placed_at": NOON,
            "content": 1,
            "erp": "netsuite",
            "decision": b'{"entity": "us", "why": ["channel shopify-us belongs to us"]}',
            **columns,
        }
        await self._insert("sales_order", values, returning="order_key")

    async def _insert(self, table: str, values: dict[str, Any], returning: str = "id") -> Any:
        columns = ", ".join(values)
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING {returning}"
        return await self.conn.fetchval(statement, *values.values())

    async def state(self, document_id: int) -> tuple[str, str, int]:
        """State, step and open deliveries of a document."""
        row = await self.conn.fetchrow("SELECT state, step, open_deliveries FROM document WHERE id = $1", document_id)
        return row["state"], row["step"], row["open_deliveries"]
