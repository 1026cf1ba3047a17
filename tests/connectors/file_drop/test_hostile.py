# SPDX-License-Identifier: Apache-2.0
"""Files that hurt: each is taken with its bad rows held, or refused whole; nothing else is ever raised."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from crossdock.connectors.file_drop.connector import CONNECTOR
from crossdock.connectors.file_drop.take import take_files
from crossdock.sdk.connector import load_connector
from tests.connectors.file_drop.feeds import Journal, feed

SAMPLES = Path(str(files("crossdock.connectors.file_drop"))) / "samples" / "hostile"
# Sample → (rows, documents, bad rows), or the beginning of the reason it is refused for.
WANTED: dict[str, tuple[int, int, int] | str] = {
    "forgotten-quote": (3, 3, 1),
    "foreign-encoding": (2, 2, 1),
    "not-a-number": (3, 3, 0),
    "truncated": (2, 2, 1),
    "nul-bytes": (2, 2, 2),
    "missing-column": "column 'Sku' is missing",
    "utf-16": "the header cannot be read",
    "empty": "the file is empty",
    "formulas-and-paths": (3, 3, 0),
    "header-only": (0, 0, 0),
}


def test_every_sample_has_its_expectation():
    assert {path.stem for path in SAMPLES.iterdir()} == WANTED.keys()


@pytest.mark.parametrize("name", WANTED)
async def test_hostile_files(tmp_path, name):
    shutil.copy(SAMPLES / f"{name}.csv", tmp_path)
    journal = Journal()
    (report,) = await take_files(feed(tmp_path), journal.keep)
    wanted = WANTED[name]
    if isinstance(wanted, str):
        assert report.refused.startswith(wanted)
        assert journal.kept == {}
    else:
        assert (report.rows, report.documents, report.bad_rows) == wanted
        assert len([item for item in journal.kept.values() if item.problem]) == wanted[2]


def test_the_connector_is_found_by_name():
    assert load_connector("file_drop") is CONNECTOR
    assert CONNECTOR.manifest.name == "file_drop"
    assert CONNECTOR.receiver is None
    assert CONNECTOR.make_sender is None
