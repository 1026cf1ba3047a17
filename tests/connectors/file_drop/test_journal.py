# SPDX-License-Identifier: Apache-2.0
"""Files into the real journal: every row is kept once, whatever comes again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg

from crossdock.connectors.file_drop.take import FileReport, take_file, take_files
from crossdock.journal.keep import keep
from crossdock.sdk.receiving import Incoming, KeepResult
from tests.connectors.file_drop.feeds import feed

CONTENT = "Order,Sku,Qty\n" + "".join(f"{number // 2},S{number},1\n" for number in range(1400))


async def test_a_file_is_kept_once_and_what_comes_again_is_counted(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async def keep_all(batch: Sequence[Incoming]) -> list[KeepResult]:
        return await keep(pool, batch)

    file = tmp_path / "a.csv"
    file.write_text(CONTENT)
    orders = feed(tmp_path / "drop")
    assert await take_file(file, orders, keep_all) == FileReport(file="a.csv", rows=1400, documents=700)
    orders.folder.mkdir()
    file.rename(orders.folder / "b.csv")
    assert await take_files(orders, keep_all) == [FileReport(file="b.csv", rows=1400, documents=700, duplicates=700)]
    counts = await pool.fetchrow(
        "SELECT (SELECT count(*) FROM message) AS messages, (SELECT sum(items) FROM document) AS lines,"
        " (SELECT count(*) FROM duplicate) AS duplicates"
    )
    assert tuple(counts) == (700, 1400, 700)
    first = await pool.fetchrow("SELECT key, topic, items, note FROM document ORDER BY id LIMIT 1")
    assert tuple(first) == ("order/shop/0", "order", 2, "")
