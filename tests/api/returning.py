# SPDX-License-Identifier: Apache-2.0
"""Returns asked for at a gateway's handler, of orders whose goods have left."""

from __future__ import annotations

import copy
from typing import Any

import asyncpg
import msgspec

from crossdock.api.plain import answering
from crossdock.api.returns import PATH
from crossdock.governance.caller import let_in
from tests.api.ordering import JSON, Desk, an_order
from tests.intake.asgi import Answer, App, call

POLICY = "returns: {window_days: 30, reasons: [damaged, not_wanted]}\n"
RETURN: dict[str, Any] = {
    "reason": "damaged",
    "lines": [{"line": "1", "quantity": "2"}, {"line": "2", "quantity": "1", "reason": "not_wanted"}],
}


def a_return(order: str, **changes: Any) -> dict[str, Any]:
    """RETURN of `order` with other fields."""
    return {**copy.deepcopy(RETURN), "order": order, **changes}


class Counter:
    """A desk whose returns are called."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.app: App = answering(self._let_in)

    async def _let_in(self, scope: Any, receive: Any, send: Any) -> None:
        let_in(scope, self.desk.caller)
        await self.desk.orders.returns(scope, receive, send)

    async def ask(self, body: Any, key: str = "k", **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await call(self.app, PATH, raw, {**JSON, "idempotency-key": key, **headers})

    async def read(self, name: str, **headers: str) -> Answer:
        named = {header.replace("_", "-"): value for header, value in headers.items()}
        return await call(self.app, f"{PATH}/{name}", b"", named, "GET")

    async def shipped_order(self, key: str = "o", **changes: Any) -> str:
        """An order that was decided on and has left; its id."""
        placed = await self.desk.place(key, an_order(**changes))
        assert placed.status == 201, placed.body
        await self.desk.decide()
        await leave(self.desk.pool, placed.json["order_key"])
        one: str = placed.json["id"]
        return one


async def leave(pool: asyncpg.Pool, order_key: str) -> None:
    """All of the order has left just now."""
    rows = await pool.fetch("SELECT reference, lines FROM fulfillment_order WHERE order_key = $1", order_key)
    assert rows
    for row in rows:
        lines = msgspec.json.decode(row["lines"])
        gone = {name: {**line, "shipped": line["ordered"]} for name, line in lines.items()}
        await pool.execute(
            "UPDATE fulfillment_order SET state = 'shipped', lines = $2 WHERE reference = $1",
            row["reference"],
            msgspec.json.encode(gone).decode(),
        )
        await pool.execute(
            "INSERT INTO shipment (shipment_key, order_key, fulfillment_reference, location, carrier, tracking, "
            "shipped_at, document_id) VALUES ($1 || '/s1', $2, $1, 'EAST', 'UPS', '{}', now(), 1)",
            row["reference"],
            order_key,
        )
