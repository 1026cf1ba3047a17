# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import fcntl
import gzip
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.connectors.file_drop.document import row_ranges
from crossdock.connectors.file_drop.records import Record
from crossdock.connectors.file_drop.take import FileReport, read_documents, take_file, take_files
from crossdock.errors import Refused, RetryLater
from crossdock.sdk.receiving import digest_of
from tests.connectors.file_drop.feeds import Journal, feed

GOOD = "Order,Sku,Qty\n1,A,2\n1,B,3\nC2,A,1\n3,C,4\n"


def drop(folder: Path, name: str = "a.csv", content: str | bytes = GOOD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


async def test_a_file_becomes_documents_and_is_archived(tmp_path):
    drop(tmp_path)
    journal = Journal()
    assert await take_files(feed(tmp_path), journal.keep) == [FileReport(file="a.csv", rows=4, documents=3)]
    assert journal.rows() == {
        "order/shop/1": [{"Order": "1", "Sku": "A", "Qty": "2"}, {"Order": "1", "Sku": "B", "Qty": "3"}],
        "cancellation/shop/C2": [{"Order": "C2", "Sku": "A", "Qty": "1"}],
        "order/shop/3": [{"Order": "3", "Sku": "C", "Qty": "4"}],
    }
    first = journal.one("order/shop/1")
    assert (first.interface, first.topic, first.items, first.problem) == ("shop.orders", "order", 2, "")
    assert first.digest == digest_of(first.body)
    assert msgspec.json.decode(first.headers)["rows"] == [[2, 3]]
    assert names(tmp_path) == []
    assert names(tmp_path / "processing") == []
    (archived,) = names(tmp_path / "done")
    assert archived.endswith("-a.csv")


async def test_the_same_file_under_another_name_makes_no_second_effect(tmp_path):
    journal = Journal()
    drop(tmp_path)
    await take_files(feed(tmp_path), journal.keep)
    drop(tmp_path, "b.csv")
    assert await take_files(feed(tmp_path), journal.keep) == [FileReport(file="b.csv", same_as="a.csv")]
    assert len(journal.batches) == 1
    note = next(name for name in names(tmp_path / "done") if name.endswith("-b.csv.note.txt"))
    assert "taken on 20" in (tmp_path / "done" / note).read_text()
    assert " as a.csv: nothing was done." in (tmp_path / "done" / note).read_text()


async def test_a_sent_file_stays_and_is_recognised_document_by_document(tmp_path):
    file = drop(tmp_path / "elsewhere")
    journal = Journal()
    assert await take_file(file, feed(tmp_path), journal.keep) == FileReport(file="a.csv", rows=4, documents=3)
    assert await take_file(file, feed(tmp_path), journal.keep) == FileReport(
        file="a.csv", rows=4, documents=3, duplicates=3
    )
    assert file.exists()


async def test_the_same_invoice_in_another_file_has_the_same_digest(tmp_path):
    journal = Journal()
    drop(tmp_path, "a.csv", "Order,Sku,Qty\n1,A,2\n")
    drop(tmp_path, "b.csv", "Order,Sku,Qty\n9,A,2\n1,A,2\n")
    await take_files(feed(tmp_path), journal.keep)
    digests = [item.digest for item in journal.kept.values() if item.key == "order/shop/1"]
    assert len(digests) == 2
    assert digests[0] == digests[1]


async def test_gzip_is_the_same_content(tmp_path):
    journal = Journal()
    drop(tmp_path, "a.csv")
    await take_files(feed(tmp_path, pattern="*.csv*"), journal.keep)
    drop(tmp_path, "a.csv.gz", gzip.compress(GOOD.encode()))
    (report,) = await take_files(feed(tmp_path, pattern="*.csv*"), journal.keep)
    assert report.same_as == "a.csv"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Order,Qty\n1,2\n", "column 'Sku' is missing"),
        ("Order;Sku;Qty\n1;A;2\n", "column 'Order' is missing"),
        ("Order,Sku,Qty,Qty\n", "column 'Qty' is there twice"),
        ("", "the file is empty"),
        (b"Order,Sku,Qty,Caf\xe9\n", "the header cannot be read: byte 18 of the line is not utf-8"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "the file is gzipped and broken"),
        ("Order,Sku,Qty\n" + "1,A,2\n" * 200, "the file is larger than 1000 bytes"),
        (gzip.compress(b"Order,Sku,Qty\n" + b"1,A,2\n" * 200, mtime=0), "the file is larger than 1000 bytes"),
    ],
    ids=["column", "delimiter", "twice", "empty", "encoding", "broken", "large", "bomb"],
)
async def test_a_whole_file_is_refused_with_its_reason_beside_it(tmp_path, content, reason):
    drop(tmp_path, "a.csv", content)
    journal = Journal()
    (report,) = await take_files(feed(tmp_path, max_file_bytes=1000), journal.keep)
    assert report.refused.startswith(reason)
    assert journal.kept == {}
    refused, why = names(tmp_path / "refused")
    assert refused.endswith("-a.csv")
    assert why == refused + ".reason.txt"
    assert (tmp_path / "refused" / why).read_text() == report.refused + "\n"


async def test_a_sent_file_that_is_refused_says_so(tmp_path):
    with pytest.raises(Refused) as caught:
        await take_file(drop(tmp_path / "x", content="Order,Qty\n1,2\n"), feed(tmp_path), Journal().keep)
    assert caught.value.field == "Sku"
    assert "it reads: Order, Qty" in caught.value.fix


async def test_bom_spaces_and_further_columns_in_the_header(tmp_path):
    drop(tmp_path, "a.csv", "\ufeffOrder, Sku ,Qty,Note\n1,A,2,hi\n".encode())
    journal = Journal()
    await take_files(feed(tmp_path), journal.keep)
    assert journal.rows()["order/shop/1"] == [{"Order": "1", "Sku": "A", "Qty": "2", "Note": "hi"}]


async def test_bad_rows_hold_their_document_and_the_others_go_on(tmp_path):
    content = b"Order,Sku,Qty\n1,A,2\n1,B\n2,caf\xe9,1\n3,C,4\n,D,1\n4,E,5,extra\n"
    drop(tmp_path, "a.csv", content)
    journal = Journal()
    (report,) = await take_files(feed(tmp_path), journal.keep)
    assert report == FileReport(file="a.csv", rows=6, documents=5, bad_rows=3)
    problems = {item.key: item.problem for item in journal.kept.values() if not item.key.startswith("file/")}
    assert problems == {
        "order/shop/1": "row 3: 2 columns where the header has 3",
        "order/shop/2": "row 4: byte 6 of the line is not utf-8",
        "order/shop/3": "",
        "order/shop/4": "row 7: 4 columns where the header has 3",
    }
    (alone,) = [item for item in journal.kept.values() if item.key.startswith("file/shop.orders/")]
    assert (alone.topic, alone.problem, alone.items) == ("bad_row", "the row has no group key", 1)
    assert journal.rows()["order/shop/4"] == [{"Order": "4", "Sku": "E", "Qty": "5", "(more)": "extra"}]


async def test_a_rule_with_a_problem_says_it_in_words(tmp_path):
    drop(tmp_path, "a.csv", "Order,Sku,Qty\n1,A,2\n1,B,-3\n")
    journal = Journal()
    await take_files(feed(tmp_path), journal.keep)
    odd = journal.one("odd/1")
    assert (odd.topic, odd.problem) == ("odd", "-3 of B (no note) Correct it.")


async def test_rows_without_a_group_are_documents_of_their_own_even_when_equal(tmp_path):
    drop(tmp_path, "a.csv", "Order,Sku,Qty\n1,A,2\n1,A,2\n")
    journal = Journal()
    (report,) = await take_files(feed(tmp_path, group_by=[]), journal.keep)
    assert report == FileReport(file="a.csv", rows=2, documents=2)
    assert {item.topic for item in journal.kept.values()} == {"order"}


async def test_lines_are_numbered_within_their_document(tmp_path):
    drop(tmp_path)
    journal = Journal()
    await take_files(feed(tmp_path, line_number="Line"), journal.keep)
    assert [row["Line"] for row in journal.rows()["order/shop/1"]] == ["1", "2"]


async def test_a_document_beyond_its_limits_is_held(tmp_path):
    drop(tmp_path, "a.csv", "Order,Sku,Qty\n" + "1,A,2\n" * 5 + "2,B,1\n")
    journal = Journal()
    (report,) = await take_files(feed(tmp_path, max_rows=3), journal.keep)
    assert (report.rows, report.documents) == (6, 2)
    held = journal.one("order/shop/1")
    assert held.items == 5
    assert held.problem.startswith("2 rows more than one document may have")
    assert len(journal.rows()["order/shop/1"]) == 3


async def test_a_row_larger_than_a_document_may_be_is_still_kept(tmp_path):
    drop(tmp_path, "a.csv", f"Order,Sku,Qty\n1,{'x' * 2000},2\n1,B,1\n")
    journal = Journal()
    await take_files(feed(tmp_path, max_bytes=1000), journal.keep)
    assert journal.one("order/shop/1").problem.startswith("1 rows more")


async def test_a_document_that_no_rule_fits_is_a_case(tmp_path):
    drop(tmp_path, "a.csv", "Order,Sku,Qty\n1,A,2\n")
    only = [{"topic": "order", "when": [{"column": "Order", "equals": "7"}], "key": "o/{Order}", "mapping": "o.yaml"}]
    journal = Journal()
    await take_files(feed(tmp_path, topics=only), journal.keep)
    (item,) = journal.kept.values()
    assert (item.topic, item.problem) == ("bad_row", "no topic of the feed fits these rows")


async def test_a_key_without_end_is_shortened_and_stays_its_own(tmp_path):
    drop(tmp_path, "a.csv", f"Order,Sku,Qty\n{'9' * 90},A,2\n{'9' * 91},A,2\n")
    topics = [{"topic": "order", "key": "order/{Order}/{Order}/{Order}", "mapping": "o.yaml"}]
    journal = Journal()
    await take_files(feed(tmp_path, topics=topics), journal.keep)
    keys = [item.key for item in journal.kept.values()]
    assert [len(key) for key in keys] == [200, 200]
    assert keys[0] != keys[1]


def scattered(orders: list[int]) -> str:
    return "Order,Sku,Qty\n" + "".join(f"o{order},S{number},1\n" for number, order in enumerate(orders))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=st.lists(st.integers(0, 6), max_size=60))
def test_rows_of_one_order_come_together_in_order_wherever_they_stand(tmp_path, orders):
    wanted: dict[str, list[str]] = defaultdict(list)
    for number, order in enumerate(orders):
        wanted[f"order/shop/o{order}"].append(f"S{number}")
    file = drop(tmp_path / "in", content=scattered(orders))

    async def read() -> list[tuple[str, list[str]]]:
        return [
            (item.key, [row["Sku"] for row in msgspec.json.decode(item.body)["rows"]])
            async for batch in read_documents(file, feed(tmp_path))
            for item in batch
        ]

    assert asyncio.run(read()) == list(wanted.items())


async def test_batches_are_bounded_and_progress_is_told(tmp_path):
    drop(tmp_path, "a.csv", scattered(list(range(1201))))
    journal, told = Journal(), []
    await take_files(feed(tmp_path), journal.keep, lambda report: told.append(report.documents))
    assert journal.batches == [500, 500, 201]
    assert told == [500, 1000, 1201, 1201]


async def test_memory_does_not_grow_with_the_file(tmp_path):
    async def peak(rows: int) -> int:
        # Every order is in two places of the file.
        orders = list(range(rows // 2)) * 2
        file = drop(tmp_path / "in", f"{rows}.csv", scattered(orders))
        count = 0
        tracemalloc.start()
        async for batch in read_documents(file, feed(tmp_path)):
            count += len(batch)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == rows // 2
        return most

    assert await peak(8_000) < 1.5 * await peak(2_000)


async def test_unfinished_foreign_and_linked_files_are_left_alone(tmp_path):
    for name in ("a.csv.tmp", "a.csv.part", ".a.csv", "a.txt"):
        drop(tmp_path, name)
    drop(tmp_path, "fresh.csv")
    outside = drop(tmp_path / "outside", "secret.csv")
    (tmp_path / "link.csv").symlink_to(outside)
    os.utime(tmp_path / "fresh.csv", (time.time() + 3, time.time() + 3))
    journal = Journal()
    assert await take_files(feed(tmp_path, settle_seconds=2.0), journal.keep) == []
    assert outside.exists()
    os.utime(tmp_path / "fresh.csv", (time.time() - 3, time.time() - 3))
    assert [report.file for report in await take_files(feed(tmp_path, settle_seconds=2.0), journal.keep)] == [
        "fresh.csv"
    ]


async def test_files_are_taken_oldest_first(tmp_path):
    for age, name in enumerate(("c.csv", "a.csv", "b.csv")):
        file = drop(tmp_path, name, f"Order,Sku,Qty\n{age},A,1\n")
        os.utime(file, (1000 - age, 1000 - age))
    reports = await take_files(feed(tmp_path), Journal().keep)
    assert [report.file for report in reports] == ["b.csv", "a.csv", "c.csv"]


async def test_a_file_that_failed_in_the_middle_is_taken_up_again(tmp_path):
    drop(tmp_path, "a.csv", scattered(list(range(1201))))
    journal = Journal(fail_after=1)
    with pytest.raises(RetryLater, match="the journal is away"):
        await take_files(feed(tmp_path), journal.keep)
    assert names(tmp_path) == []
    assert len(names(tmp_path / "processing")) == 1
    journal.fail_after = None
    assert await take_files(feed(tmp_path), journal.keep) == [
        FileReport(file="a.csv", rows=1201, documents=1201, duplicates=500)
    ]
    assert len(journal.kept) == 1201


async def test_a_file_another_process_works_on_is_left_to_it(tmp_path):
    held = drop(tmp_path / "processing", "0123456789ab.a.csv")
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert await take_files(feed(tmp_path), Journal().keep) == []
    assert [report.file for report in await take_files(feed(tmp_path), Journal().keep)] == ["a.csv"]


async def test_a_file_we_may_not_read_is_refused_and_the_others_go_on(tmp_path, monkeypatch):
    drop(tmp_path, "a.csv")
    drop(tmp_path, "b.csv")
    # Root may read everything, so the system's answer is given for it.
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("a.csv"))
    assert [report.file for report in await take_files(feed(tmp_path), Journal().keep)] == ["b.csv"]
    assert names(tmp_path / "refused")[1].endswith("-a.csv.reason.txt")


async def test_a_folder_that_cannot_be_made_is_tried_again(tmp_path):
    (tmp_path / "drop").write_text("a file where the folder should be")
    with pytest.raises(RetryLater, match=r"files of shop\.orders in .*drop cannot be taken"):
        await take_files(feed(tmp_path / "drop"), Journal().keep)


async def test_two_takers_share_the_files_between_them(tmp_path):
    for number in range(30):
        drop(tmp_path, f"{number}.csv", f"Order,Sku,Qty\n{number},A,1\n")
    journal = Journal()
    both = await asyncio.gather(*(take_files(feed(tmp_path), journal.keep) for _ in range(2)))
    assert sorted(report.file for reports in both for report in reports) == sorted(f"{n}.csv" for n in range(30))
    assert len(journal.kept) == 30


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.connectors.file_drop.feeds import Journal, feed
from crossdock.connectors.file_drop.take import take_files

journal = Journal()

async def keep(batch):
    results = await journal.keep(batch)
    print(*(item.dedup_key for item in batch), flush=True)
    await asyncio.sleep(60 if len(journal.batches) == 2 else 0)
    return results

asyncio.run(take_files(feed(Path(sys.argv[1])), keep))
"""


async def test_killed_in_the_middle_nothing_is_lost_and_nothing_is_new_twice(tmp_path):
    drop(tmp_path, "a.csv", scattered(list(range(1201))))
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    kept = {key for _ in range(2) for key in child.stdout.readline().split()}
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert len(kept) == 1000
    journal = Journal()
    (report,) = await take_files(feed(tmp_path), journal.keep)
    assert report == FileReport(file="a.csv", rows=1201, documents=1201)
    assert kept < {dedup_key for _, dedup_key in journal.kept}


def test_row_numbers_are_told_as_ranges():
    records = [Record(row, 0, 0, []) for row in (2, 3, 4, 9, 11, 12)]
    assert row_ranges(records) == [[2, 4], [9, 9], [11, 12]]
