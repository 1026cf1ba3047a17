# SPDX-License-Identifier: Apache-2.0
"""Buyers of the portal send goods back: asked for by the API as a portal would, received by the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from crossdock.app.demo.control import Control
from crossdock.errors import EngineAway
from crossdock.runtime.http import call, open_session

CHANNEL = "portal"
# Every so many orders that were shipped come back.
EVERY = 10
MOST = 20
_PAGE = 200


class ReturnCounts(Struct, frozen=True, kw_only=True):
    """Returns that were asked for and came in whole, what we gave back for them, and what the ERP credited."""

    asked: int
    received: int
    refunded: Decimal
    credited: Decimal


async def ask_back(gateway: str) -> list[str]:
    """Ask for the return of every tenth shipped order of the portal, at least one if there is any; the returns' ids."""
    session = open_session(total=30)
    try:
        orders = await _shipped(session, gateway)
        chosen = orders[:: max(EVERY, len(orders) // MOST)]
        return [await _ask(session, gateway, order) for order in chosen]
    finally:
        await session.close()


async def _shipped(session: Any, gateway: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = await _json(session, "GET", f"{gateway}/v1/orders?state=shipped&limit={_PAGE}&cursor={cursor}")
        found += [one["order_key"] for one in page["items"] if one["channel"] == CHANNEL]
        cursor = page.get("next", "")
        if not cursor:
            return sorted(found)


async def _ask(session: Any, gateway: str, order: str) -> str:
    placed = await _json(session, "GET", f"{gateway}/v1/orders/{order.replace('/', '%2F')}")
    lines = [{"line": line["line"], "quantity": line["quantity"]["value"]} for line in placed["lines"]]
    body = {"order": order, "reason": "not_wanted", "lines": lines}
    made = await _json(session, "POST", f"{gateway}/v1/returns", body, key=f"return-{order}")
    return str(made["id"])


async def _json(session: Any, method: str, url: str, body: Any = None, key: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    data = None if body is None else msgspec.json.encode(body)
    answer = await call(session, method, url, headers=headers, body=data)
    if not answer.ok:
        raise EngineAway(f"{method} {url} answered {answer.status}: {answer.body[:300]!r}")
    return msgspec.json.decode(answer.body)


async def come_back(control: Control) -> None:
    """Have the warehouse receive all that it expects; what it says of it is told twice now and then."""
    for number, expected in enumerate((await control.get("warehouse", "returns"))["returns"]):
        if expected["status"] == "expected":
            disposition = ("restock", "quarantine", "scrap")[number % 3]
            wanted = {"reference": expected["reference"], "disposition": disposition, "tell": 1 + number % 2}
            await control.post("warehouse", "receive", wanted)


async def credited(control: Control) -> Decimal:
    """What the ERPs have credited."""
    memos = (await control.get("netsuite", "credit_memos"))["credit_memos"]
    total = sum((Decimal(str(memo["total"])) for memo in memos), Decimal(0))
    if "business_central" in control.systems:
        for memo in (await control.get("business_central", "credit_memos"))["credit_memos"]:
            total += _lines(memo["lines"])
    return total


def _lines(lines: Sequence[dict[str, Any]]) -> Decimal:
    amounts = (Decimal(str(line["quantity"])) * Decimal(str(line["unitPrice"])) for line in lines)
    return sum(amounts, Decimal(0)).quantize(Decimal("0.01"))
