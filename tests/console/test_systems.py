# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from crossdock.console.standing import health, per_minute
from crossdock.observe.overview import SystemFigures
from tests.console.filling import Filling

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
CALM: dict[str, Any] = {
    "system": "netsuite", "due": 0, "sending": 0, "in_case": 0, "oldest_at": None, "last_success": None,
    "breaker": "closed", "breaker_until": None, "breaker_reason": "", "paused": False, "paused_by": "",
    "pause_reason": "", "driven": True, "seen_at": None, "stock_waiting": 0, "stock_since": None, "stock_lag": None,
    "stock_problems": 0, "delivered": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "tone", "word"),
    [
        ({}, "good", "answers"),
        ({"driven": False}, "idle", "quiet"),
        ({"driven": False, "due": 3}, "bad", "no worker"),
        ({"driven": False, "stock_waiting": 3}, "bad", "no worker"),
        ({"breaker": "open", "breaker_until": AT + timedelta(seconds=9)}, "bad", "not answering"),
        ({"breaker": "half_open"}, "warn", "probing"),
        ({"paused": True, "breaker": "open"}, "warn", "paused"),
        ({"stock_problems": 2}, "warn", "stock refused"),
        ({"stock_waiting": 2, "stock_reason": "429"}, "warn", "stock waits"),
        ({"stock_waiting": 0, "stock_reason": "429"}, "good", "answers"),
    ],
)
def test_the_worst_thing_decides(change: dict[str, Any], tone: str, word: str) -> None:
    state = health(SystemFigures(**{**CALM, **change}), AT)
    assert (state.tone, state.word) == (tone, word)


def test_the_running_minute_does_not_count() -> None:
    assert per_minute([0, 0, 10, 10, 10, 10, 10, 3]) == 10


async def test_accounts_of_operations(web: aiohttp.ClientSession, filling: Filling) -> None:
    await filling.settled_order(1001)
    async with web.get("systems") as answer:
        text = await answer.text()
    assert '<th>netsuite</th><td>sales order</td><td class="num">1</td><td class="num">1</td>' in text
    assert '<th>warehouse</th><td>fulfillment order</td><td class="num">2</td><td class="num">2</td>' in text
