# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio

from crossdock.connectors.file_drop.fetch import fetch_files
from crossdock.connectors.file_drop.take import take_files
from crossdock.errors import NeedsConfig, RetryLater
from tests.connectors.file_drop.feeds import Journal, feed
from tests.connectors.file_drop.partner import Partner, serving

SECRETS = {"env:SFTP_PASSWORD": "right", "env:WRONG": "wrong"}


@pytest_asyncio.fixture
async def partner(tmp_path) -> AsyncIterator[Partner]:
    async with serving(tmp_path / "partner") as running:
        yield running


def resolve(reference: str) -> str:
    return SECRETS[reference]


async def test_finished_files_are_fetched_and_put_away(tmp_path, partner):
    (partner.root / "out" / "a.csv").write_text("Order,Sku,Qty\n1,A,2\n")
    (partner.root / "out" / "b.csv.part").write_text("growing")
    (partner.root / "out" / ".hidden.csv").write_text("x")
    (partner.root / "out" / "folder.csv").mkdir()
    drop = feed(tmp_path / "drop", sftp=partner.source)
    assert await fetch_files(drop, resolve) == [tmp_path / "drop" / "a.csv"]
    assert sorted(path.name for path in (partner.root / "out").iterdir()) == [
        ".hidden.csv",
        "b.csv.part",
        "folder.csv",
        "taken",
    ]
    journal = Journal()
    assert [report.documents for report in await take_files(drop, journal.keep)] == [1]
    assert await fetch_files(drop, resolve) == []


async def test_a_file_that_waits_is_never_overwritten(tmp_path, partner):
    drop = feed(tmp_path / "drop", sftp={**partner.source, "after": "delete"})
    for content in ("first", "second"):
        (partner.root / "out" / "a.csv").write_text(content)
        await fetch_files(drop, resolve)
    assert {path.name: path.read_text() for path in drop.folder.iterdir()} == {"a.csv": "first", "a~2.csv": "second"}
    assert list((partner.root / "out").iterdir()) == []


async def test_the_same_file_fetched_twice_makes_no_second_effect(tmp_path, partner):
    drop = feed(tmp_path / "drop", sftp=partner.source)
    journal = Journal()
    for _ in range(2):
        (partner.root / "out" / "a.csv").write_text("Order,Sku,Qty\n1,A,2\n")
        await fetch_files(drop, resolve)
        await take_files(drop, journal.keep)
    assert len(journal.batches) == 1


async def test_a_wrong_password_needs_an_operator(tmp_path, partner):
    with pytest.raises(NeedsConfig, match="was not logged in to") as caught:
        await fetch_files(feed(tmp_path, sftp={**partner.source, "password": "env:WRONG"}), resolve)
    assert "wrong" not in caught.value.reason


async def test_another_host_key_needs_an_operator(tmp_path, partner):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(NeedsConfig, match="was not logged in to"):
        await fetch_files(feed(tmp_path, sftp={**partner.source, "host_key": other}), resolve)


async def test_a_server_that_is_away_is_tried_again(tmp_path, partner):
    with pytest.raises(RetryLater, match="cannot be reached"):
        await fetch_files(feed(tmp_path, sftp={**partner.source, "port": 1}), resolve)


async def test_a_missing_folder_is_told(tmp_path, partner):
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1 cannot be reached"):
        await fetch_files(feed(tmp_path, sftp={**partner.source, "folder": "gone"}), resolve)


async def test_a_file_that_is_too_large_stays_and_is_told_after_the_others(tmp_path, partner):
    (partner.root / "out" / "a.csv").write_text("x" * 2000)
    (partner.root / "out" / "b.csv").write_text("small")
    drop = feed(tmp_path / "drop", sftp=partner.source, max_file_bytes=1000)
    with pytest.raises(NeedsConfig, match=r"a\.csv on 127\.0\.0\.1 is larger than 1000 bytes"):
        await fetch_files(drop, resolve)
    assert [path.name for path in drop.folder.iterdir()] == ["b.csv"]
    assert (partner.root / "out" / "a.csv").exists()


async def test_a_feed_without_server_fetches_nothing(tmp_path):
    assert await fetch_files(feed(tmp_path), resolve) == []
