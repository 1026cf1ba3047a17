# SPDX-License-Identifier: Apache-2.0
"""The Online Retail example through the whole path: `crossdock send`, a running Crossdock, a simulated NetSuite."""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crossdock.journal.books import balance
from examples.online_retail.counts import Comparison
from examples.online_retail.prepare import cut_month
from examples.online_retail.stage import Stage, compared, erp_records, sending, settle, staged
from tests.examples.exports import BROKEN, HEADER, REAL, SCATTERED, SMALL

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("online-retail")]

CASES = (
    "SELECT d.key, c.field, c.reason, c.owner FROM triage_case c JOIN document d ON d.id = c.document_id ORDER BY c.id"
)


@asynccontextmanager
async def running(export: Path, folder: Path):
    """The example on a port range of its own, so that parallel runs do not meet."""
    async with staged(export, folder / "work", port=34_000 + secrets.randbelow(1_000) * 20) as stage:
        yield stage


async def send(stage: Stage, *files: Path) -> list[dict[str, Any]]:
    process = await sending(stage, *files)
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    reports: list[dict[str, Any]] = json.loads(out)
    return reports


async def book_of(stage: Stage) -> dict[str, int]:
    async with stage.pool.acquire() as conn:
        [book] = await balance(conn)
    assert book.balanced
    return {name: getattr(book, name) for name in ("received", "duplicate", "rejected", "settled", "open")}


def disagreements(comparison: Comparison) -> list[Any]:
    return [line for line in comparison.lines if not line.agrees]


def effects(records: dict[str, Any]) -> list[tuple[str, str, int]]:
    """What the ERP holds, without times: a second effect of any kind would change it."""
    return sorted((one["id"], one["externalId"], len(one["item"])) for one in records["sales_orders"])


async def test_every_kind_of_line_once_and_again(tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_text(SMALL + SCATTERED, encoding="utf-8")
    async with running(export, tmp_path) as stage:
        [report] = await send(stage, export)
        assert (report["rows"], report["documents"], report["duplicates"], report["bad_rows"]) == (18, 12, 0, 0)
        await settle(stage)
        comparison = await compared(stage, export)
        assert disagreements(comparison) == []
        assert comparison.agrees
        assert {(line.month, line.kind): line.file.documents for line in comparison.lines if line.file.documents} == {
            ("2010-06", "orders"): 4,
            ("2010-06", "cancellations"): 1,
            ("2010-06", "triage: accounting_adjustment"): 1,
            ("2010-06", "triage: country_unclear"): 1,
            ("2010-06", "triage: free_of_charge"): 1,
            ("2010-06", "triage: stock_correction"): 1,
            ("2010-06", "triage: stock_write_off"): 1,
            ("2010-12", "orders"): 2,
        }
        assert await book_of(stage) == {"received": 12, "duplicate": 0, "rejected": 0, "settled": 7, "open": 5}
        before = effects(await erp_records(stage))

        everything = await _sent_again(stage, export, tmp_path)
        assert effects(await erp_records(stage)) == before
        assert (await compared(stage, everything)).agrees

        await _broken(stage, tmp_path)
        assert effects(await erp_records(stage)) == before


async def _sent_again(stage: Stage, export: Path, folder: Path) -> Path:
    """The same file, its content under another name, and one of its invoices in a file with something new; all of it
    in one file."""
    renamed, packed, grown = folder / "renamed.csv", folder / "packed.csv.gz", folder / "grown.csv"
    renamed.write_bytes(export.read_bytes())
    packed.write_bytes(gzip.compress(export.read_bytes()))
    first = "".join(line for line in SMALL.splitlines(keepends=True) if line.startswith("600001"))
    new = "C600099,10001,RED LANTERN,-1,2010-07-01 10:00:00,2.55,20001.0,France\n"
    grown.write_text(HEADER + first + new)
    reports = await send(stage, export, renamed, packed)
    assert [(one["documents"], one["duplicates"]) for one in reports] == [(12, 12)] * 3
    [report] = await send(stage, grown)
    assert (report["documents"], report["duplicates"]) == (2, 0)
    await settle(stage)
    assert await book_of(stage) == {"received": 50, "duplicate": 37, "rejected": 0, "settled": 8, "open": 5}
    [note] = await stage.pool.fetch("SELECT note FROM document WHERE state = 'duplicate'")
    assert note["note"].startswith("possible duplicate: the same bytes came before under another id")
    everything = folder / "everything.csv"
    everything.write_text(export.read_text() + new)
    return everything


async def _broken(stage: Stage, folder: Path) -> None:
    """Rows that nobody should send: a case each that says what is wrong, and nothing is lost."""
    broken = folder / "broken.csv"
    broken.write_bytes(HEADER.encode() + b"".join(row + b"\n" for row, _ in BROKEN))
    before = {row["key"] for row in await stage.pool.fetch(CASES)}
    [report] = await send(stage, broken)
    assert (report["rows"], report["documents"]) == (len(BROKEN), len(BROKEN))
    await settle(stage)
    cases = [row for row in await stage.pool.fetch(CASES) if row["key"] not in before]
    assert [row["reason"] for row in cases] == [reason for _, reason in BROKEN]
    assert {row["owner"] for row in cases} == {"sales-ops"}
    await book_of(stage)


async def test_killed_in_the_middle_and_sent_again(tmp_path: Path) -> None:
    count = 5000
    export = tmp_path / "export.csv"
    rows = [f"{800000 + n},10001,RED LANTERN,2,2011-03-01 10:00:00,2.55,20001.0,France\n" for n in range(300)]
    rows += [f"C{n:06},10001,RED LANTERN,-1,2011-03-02 10:00:00,2.55,20001.0,France\n" for n in range(count - 300)]
    export.write_text(HEADER + "".join(rows), encoding="utf-8")
    async with running(export, tmp_path) as stage:
        process = await sending(stage, export)
        async with asyncio.timeout(60):
            while not await stage.pool.fetchval("SELECT EXISTS (SELECT FROM message)"):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        process.kill()
        assert await process.wait() == -9
        kept = await stage.pool.fetchval("SELECT count(*) FROM message")
        assert 0 < kept < count
        [report] = await send(stage, export)
        assert report["documents"] == count
        # The batch under way when it was killed may have been committed after we looked.
        assert kept <= report["duplicates"] < count
        await settle(stage)
        comparison = await compared(stage, export)
        assert disagreements(comparison) == []
        assert comparison.agrees
        known = report["duplicates"]
        settled = {"received": count + known, "duplicate": known, "rejected": 0, "settled": count, "open": 0}
        assert await book_of(stage) == settled


async def test_a_real_month_by_three_counts(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip("../shared/data/online_retail.csv.gz is not there")
    month = tmp_path / "online-retail-2011-04.csv"
    cut_month(REAL, "2011-04", month)
    async with running(month, tmp_path) as stage:
        [report] = await send(stage, month)
        assert (report["rows"], report["documents"], report["bad_rows"]) == (29_916, 1_744, 0)
        await settle(stage)
        comparison = await compared(stage, month)
        assert disagreements(comparison) == []
        assert comparison.agrees
        found = {line.kind: line.crossdock for line in comparison.lines}
        assert (found["orders"].documents, str(found["orders"].total)) == (1_244, "537318.12")
        assert (found["cancellations"].documents, str(found["cancellations"].total)) == (240, "44601.50")
        assert await book_of(stage) == {"received": 1744, "duplicate": 0, "rejected": 0, "settled": 1484, "open": 260}
        reasons = {row["reason"] for row in await stage.pool.fetch(CASES) if row["field"] == "rows[0].Country"}
        assert reasons == {"'Unspecified' is not one country", "'European Community' is not one country"}
