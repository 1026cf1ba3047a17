# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.errors import NeedsConfig
from crossdock.runtime.embedded.binaries import find_nats, find_postgres
from crossdock.runtime.embedded.places import postgres_account


@pytest.fixture
def programs() -> Iterator[Path]:
    """A bin folder that everybody can reach, with an `initdb`; the test writes the `postgres`."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    _program(folder / "initdb", "exit 0")
    yield folder
    shutil.rmtree(folder)


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
    path.chmod(0o755)


def test_the_wheels_are_found() -> None:
    found = find_postgres(None, postgres_account())
    assert found.major >= 18
    assert (found.folder / "initdb").is_file()
    assert find_nats().name == "nats-server"


@pytest.mark.parametrize(("version", "major"), [("15.2 (Debian 15.2-1)", 15), ("19devel", 19)])
def test_any_postgres_from_15_on_will_do(programs: Path, version: str, major: int) -> None:
    _program(programs / "postgres", f'echo "postgres (PostgreSQL) {version}"')
    assert find_postgres(programs, postgres_account()).major == major


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('echo "postgres (PostgreSQL) 14.9"', "holds PostgreSQL 14; 15 is the oldest"),
        ("echo something else", "holds PostgreSQL 0"),
        ("exit 3", "cannot be run"),
    ],
)
def test_programs_that_will_not_do_are_refused_with_a_way_out(programs: Path, line: str, says: str) -> None:
    _program(programs / "postgres", line)
    with pytest.raises(NeedsConfig, match=says) as caught:
        find_postgres(programs, postgres_account())
    assert caught.value.field == "CROSSDOCK_POSTGRES_BIN"
    assert caught.value.fix


def test_a_folder_without_programs_is_refused(programs: Path) -> None:
    (programs / "initdb").unlink()
    _program(programs / "postgres", 'echo "postgres (PostgreSQL) 18.1"')
    with pytest.raises(NeedsConfig, match="there is no `initdb` in"):
        find_postgres(programs, postgres_account())
