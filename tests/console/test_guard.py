# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import aiohttp
import pytest

from crossdock.console.guard import is_same_origin
from tests.console.filling import Filling


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin", "host": "a"}, True),
        ({"sec-fetch-site": "same-site", "host": "a", "origin": "http://a"}, False),
        ({"sec-fetch-site": "cross-site", "host": "a", "origin": "http://a"}, False),
        ({"sec-fetch-site": "none", "host": "a"}, False),
        ({"origin": "http://127.0.0.1:8480", "host": "127.0.0.1:8480"}, True),
        ({"origin": "http://127.0.0.1:8481", "host": "127.0.0.1:8480"}, False),
        ({"origin": "http://evil.example", "host": "127.0.0.1:8480"}, False),
        ({"origin": "null", "host": "127.0.0.1:8480"}, False),
        ({"origin": "", "host": ""}, False),
        ({"host": "127.0.0.1:8480"}, False),
    ],
)
def test_only_our_own_pages_may_change_anything(headers: dict[str, str], ours: bool) -> None:
    assert is_same_origin(headers) is ours


@pytest.mark.parametrize("path", ["", "search", "cases", "systems"])
async def test_pages_allow_no_inline_code_and_no_frames(web: aiohttp.ClientSession, path: str) -> None:
    async with web.get(path or ".") as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert " style=" not in text
    assert " onclick=" not in text


async def test_a_foreign_site_cannot_act(web: aiohttp.ClientSession, filling: Filling) -> None:
    _, case = await filling.unknown_sku(2001)
    form = {"id": str(case), "reason": "because", "back": ""}
    for headers in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        async with web.post("cases/dismiss", data=form, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 403
    assert await filling.conn.fetchval("SELECT state FROM triage_case WHERE id = $1", case) == "open"
