# SPDX-License-Identifier: Apache-2.0
"""A morning at a distributor, as rows: what pages are shown and tested with."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from tests.console.samples import BUSY, DECISION, INTERFACES, canonical_order, webhook

# How long ago, and what happened.
Happening = tuple[float, Callable[[float], Awaitable[object]]]


class Filling:
    """Puts rows into a migrated database; times are relative to now."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self.conn = conn
        self.now = datetime.now(UTC)

    def ago(self, seconds: float) -> datetime:
        """The moment `seconds` before this filling began."""
        return self.now - timedelta(seconds=seconds)

    async def interfaces(self) -> None:
        """The interfaces and systems of the estate."""
        await self.conn.executemany(
            "INSERT INTO interface (name, system, direction, object, owner, tier, settle_within, version, state) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 'active')",
            INTERFACES,
        )
        await self.conn.executemany(
            "INSERT INTO system_lease (system, worker, expires_at, seen_at) VALUES ($1, 'worker-1', $2, $3)",
            [(name, self.now + timedelta(seconds=20), self.ago(1)) for name in ("shopify-us", "netsuite", "warehouse")],
        )

    async def document(  # CD003: columns of a row, by name
        self,
        number: int | str,
        *,
        interface: str = "shopify-us.orders",
        topic: str = "orders/create",
        kind: str = "sales_order",
        key: str = "",
        body: bytes | None = None,
        canonical: dict[str, Any] | None = None,
        state: str = "settled",
        step: str = "done",
        age: float = 600,
        took: float = 0.8,
        open_deliveries: int = 0,
        note: str = "",
    ) -> int:
        """A message and its document; `age`: seconds since it came, `took`: seconds until it was settled."""
        content = webhook(int(number)) if body is None else body
        message = await self.conn.fetchval(
            "INSERT INTO message (interface, topic, dedup_key, received_at, body) "
            "VALUES ($1, $2, $3, $4, $5) RETURNING id",
            interface,
            topic,
            f"{topic}:{number}",
            self.ago(age),
            content,
        )
        decided = step in ("deliver", "done")
        document: int = await self.conn.fetchval(
            "INSERT INTO document (message_id, interface, topic, kind, key, version, digest, state, step, attempts, "
            "open_deliveries, received_at, decided_at, settled_at, made_by, note) "
            "VALUES ($1, $2, $3, $4, $5, 1, hashtextextended($5, 0), $6, $7, 1, $8, $9, $10, $11, $12, $13) "
            "RETURNING id",
            message,
            interface,
            topic,
            kind,
            key or f"order/shopify-us/{number}",
            state,
            step,
            open_deliveries,
            self.ago(age),
            self.ago(age - 0.05) if decided else None,
            self.ago(age - took) if state == "settled" else None,
            f"{kind}/1 shopify.order/1 estate/7f3a91" if decided else "",
            note,
        )
        if canonical is not None:
            await self.conn.execute(
                "INSERT INTO document_version (document_id, number, stage, body, made_by, created_at) "
                "VALUES ($1, 1, 'canonical', $2, 'sales_order/1 shopify.order/1', $3)",
                document,
                json.dumps(canonical).encode(),
                self.ago(age - 0.04),
            )
        return document

    async def order(self, number: int, document: int, age: float = 600) -> None:
        """The order that `document` made."""
        await self.conn.execute(
            "INSERT INTO sales_order (order_key, number, channel, entity, customer_id, po_number, status, version, "
            "currency, total, document_id, content, erp, placed_at, decision) "
            "VALUES ($1, $2, 'shopify-us', 'us', 'C-204', $3, 'open', 1, 'USD', 184.50, $4, 1, 'netsuite', $5, $6)",
            f"shopify-us/{number}",
            f"#{number}",
            f"PO-{number}",
            document,
            self.ago(age),
            json.dumps(DECISION).encode(),
        )

    async def delivery(  # CD003: columns of a row, by name
        self,
        document: int,
        number: int,
        *,
        system: str = "netsuite",
        operation: str = "sales_order",
        reference: str = "",
        body: bytes | None = None,
        state: str = "delivered",
        age: float = 599,
        took: float = 0.4,
        their_reference: str = "4711",
        error: str = "",
        attempts: int = 1,
    ) -> int:
        """An obligation to `system` with its attempts; a failing one is due again in 40 s."""
        delivery: int = await self.conn.fetchval(
            "INSERT INTO delivery (document_id, interface, system, operation, object, key, reference, body, state, "
            "attempts, "
            "next_at, created_at, settled_at, their_reference, last_error) "
            "VALUES ($1, 'shopify-us.orders', $2, $3, 'sales_order', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
            "RETURNING id",
            document,
            system,
            operation,
            f"order/shopify-us/{number}",
            reference or f"shopify-us/{number}",
            body,
            state,
            attempts,
            self.now + timedelta(seconds=40),
            self.ago(age),
            self.ago(age - took * attempts) if state == "delivered" else None,
            their_reference if state == "delivered" else "",
            error,
        )
        for attempt in range(1, attempts + 1):
            begun = age - took * (attempt - 1)
            last = attempt == attempts and state == "delivered"
            url = f"https://{system}.example/record/v1/{operation}/eid:shopify-us-{number}"
            exchange = await self._exchange(system, url, number, last, begun)
            await self.conn.execute(
                "INSERT INTO delivery_attempt "
                "(delivery_id, number, started_at, finished_at, outcome, error, exchange_id) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                delivery,
                attempt,
                self.ago(begun),
                self.ago(begun - took),
                "delivered" if last else "retry",
                "" if last else (error or "netsuite answered 429: too many concurrent requests"),
                exchange,
            )
        return delivery

    async def _exchange(self, system: str, url: str, number: int, good: bool, age: float) -> int:
        sent = {"externalId": f"shopify-us-{number}", "otherRefNum": f"PO-{number}", "total": 184.5}
        exchange: int = await self.conn.fetchval(
            "INSERT INTO exchange (system, at, method, url, request, status, response) "
            "VALUES ($1, $2, 'PUT', $3, $4, $5, $6) RETURNING id",
            system,
            self.ago(age),
            url,
            json.dumps(sent).encode(),
            204 if good else 429,
            b"" if good else BUSY,
        )
        return exchange

    async def case(  # CD003: columns of a row, by name
        self,
        document: int,
        number: int | str,
        *,
        delivery: int | None = None,
        step: str = "decide",
        rule: str = "sku_known",
        field: str = "lines[0].sku",
        value: str = "XX-404",
        reason: str = "SKU 'XX-404' is neither in the catalog nor in the crosswalk of shopify-us",
        fix: str = "Correct the SKU, or add it to the crosswalk 'sku' and retry",
        system: str = "",
        age: float = 300,
        money: float | None = 184.5,
        interface: str = "shopify-us.orders",
        due: float = 600,
        key: str = "",
    ) -> int:
        """An open case for `document`; `due`: seconds until its deadline."""
        case: int = await self.conn.fetchval(
            "INSERT INTO triage_case (document_id, delivery_id, interface, system, key, step, class, rule, field, "
            "value, reason, fix, owner, deadline, money, currency, opened_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, 'needs_edit', $7, $8, $9, $10, $11, 'web-team', $12, "
            "$13::float8::numeric, $14, $15) RETURNING id",
            document,
            delivery,
            interface,
            system,
            key or f"order/shopify-us/{number}",
            step,
            rule,
            field,
            value,
            reason,
            fix,
            self.now + timedelta(seconds=due),
            money,
            "USD" if money is not None else "",
            self.ago(age),
        )
        return case

    async def unknown_sku(self, number: int, age: float = 300, **case: Any) -> tuple[int, int]:
        """An order whose SKU nobody knows, parked before delivery: its document and case."""
        document = await self.document(
            number,
            body=webhook(number, "XX-404"),
            canonical=canonical_order(number, "XX-404"),
            state="case",
            step="decide",
            age=age,
        )
        return document, await self.case(document, number, age=age, **case)

    async def settled_order(self, number: int, age: float = 600, attempts: int = 1) -> int:
        """An order that is in the ERP and in both warehouses."""
        document = await self.document(number, canonical=canonical_order(number), age=age, took=0.4 * attempts + 0.5)
        await self.order(number, document, age)
        await self.delivery(document, number, age=age - 0.1, attempts=attempts, their_reference=str(number + 3000))
        for place in (1, 2):
            await self.delivery(
                document,
                number,
                system="warehouse",
                operation="fulfillment_order",
                reference=f"shopify-us/{number}#{place}",
                age=age - 0.12,
                took=0.2,
                their_reference=f"FO-{number}-{place}",
            )
        return document

    async def morning(self, orders: int = 60) -> None:
        """Settled orders over the last hour, stock, shipments, a few cases, one system in trouble; the oldest first."""
        events: list[Happening] = []
        for index in range(orders):
            tries = 3 if index % 17 == 3 else 1
            events.append((30 + index * 3500 / orders, partial(self._order, 1001 + index, tries)))
        events += [(40 + index * 6900 / orders, partial(self._stock, index)) for index in range(orders // 2)]
        events += [
            (20 + index * 4000 / orders, partial(self._shipment, 1000 + orders - index)) for index in range(orders // 3)
        ]
        events += self._troubles()
        for age, happens in sorted(events, key=lambda event: -event[0]):
            await happens(age)
        await self._levels_to_tell()

    def _troubles(self) -> list[Happening]:
        return [
            (420, partial(self._unknown_sku, 2001)),
            (180, partial(self._unknown_sku, 2002)),
            (2400, self._no_lines),
            (1300, self.refused_by_erp),
            *((90 - index, partial(self._waits_for_warehouse, 2010 + index)) for index in range(6)),
        ]

    async def morning_after(self) -> None:
        """Only what is left open of a morning: four cases, six documents that wait for the warehouse."""
        for age, happens in sorted(self._troubles(), key=lambda event: -event[0]):
            await happens(age)

    async def _order(self, number: int, attempts: int, age: float) -> None:
        await self.settled_order(number, age=age, attempts=attempts)

    async def _stock(self, index: int, age: float) -> None:
        key = f"stock/warehouse/{index:016x}"
        body = b'{"movements": []}'
        await self.document(
            f"m{index}", interface="warehouse.stock", topic="stock.movements", kind="stock_movements", key=key,
            body=body, age=age, took=0.15,
        )  # fmt: skip

    async def _shipment(self, number: int, age: float) -> None:
        body = b'{"shipment": "S-1", "tracking": "1Z999AA10123456784"}'
        await self.document(
            f"s{number}", interface="warehouse.shipments", topic="shipment.confirmed", kind="shipment",
            key=f"order/shopify-us/{number}", body=body, age=age, took=2.4,
        )  # fmt: skip

    async def _unknown_sku(self, number: int, age: float) -> None:
        await self.unknown_sku(number, age=age, due=900 - age)

    async def _no_lines(self, age: float) -> None:
        body = b'{"id": 2003, "currency": "EUR"}'
        document = await self.document(2003, body=body, state="case", step="translate", age=age)
        await self.case(
            document, 2003, step="translate", rule="missing", field="line_items", value="", due=900 - age, age=age,
            money=None, reason="the order has no line items", fix="Add line_items, or dismiss when it is a test order",
        )  # fmt: skip

    async def refused_by_erp(self, age: float = 1300) -> None:
        """An order that the ERP refuses, parked at its delivery."""
        reason = "netsuite: Invalid entity reference key C-204 for subsidiary 1"
        form = canonical_order(2004)
        document = await self.document(
            2004, canonical=form, state="case", step="deliver", age=age, open_deliveries=1
        )  # fmt: skip
        await self.order(2004, document, age)
        delivery = await self.delivery(document, 2004, state="case", age=age - 1, attempts=2, error=reason)
        await self.case(
            document, 2004, delivery=delivery, step="deliver", rule="netsuite.invalid_key", field="customer.id",
            value="C-204", system="netsuite", due=900 - age, age=age - 10, reason=reason,
            fix="Add the customer to subsidiary 1 in NetSuite, then retry",
        )  # fmt: skip

    async def _waits_for_warehouse(self, number: int, age: float) -> None:
        form = canonical_order(number)
        document = await self.document(
            number, canonical=form, state="delivering", step="deliver", age=age, open_deliveries=1
        )
        await self.order(number, document, age)
        await self.delivery(
            document, number, system="warehouse", operation="fulfillment_order", state="due", age=age - 1, took=5,
            attempts=3, error="warehouse answered 503: maintenance", reference=f"shopify-us/{number}#1",
        )  # fmt: skip

    async def _levels_to_tell(self) -> None:
        await self.conn.execute(
            "UPDATE system_lease SET breaker = 'open', breaker_until = now() + interval '25 seconds', "
            "breaker_reason = 'warehouse answered 503: maintenance (5 times in a row)' WHERE system = 'warehouse'"
        )
        await self.conn.executemany(
            "INSERT INTO channel_stock (system, sku, location, told, told_sequence, told_at) "
            "VALUES ('shopify-us', $1, 'WH-EAST', 9, 2, $2)",
            [(f"CD-{1000 + n}", self.ago(n + 3)) for n in range(40)],
        )
        await self.conn.execute(
            "INSERT INTO publication (system, channel, waiting, waiting_since, lag_p50, lag_p95, lag_p99) "
            "VALUES ('shopify-us', 'shopify-us', 10, $1, 0.8, 1.4, 1.9)",
            self.ago(36),
        )
