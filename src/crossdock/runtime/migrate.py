# SPDX-License-Identifier: Apache-2.0
"""The database schema, forward only: `migrations/versions/NNNN_name.sql`, applied by alembic in its own process."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
from asyncpg.exceptions import UndefinedTableError

from crossdock.errors import CrossdockError, EngineAway, NeedsConfig
from crossdock.runtime.postgres import away, connect

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql$")
_LONGEST = 3600.0


class Revision(msgspec.Struct, frozen=True):
    """One step of the schema. `number`: four digits, counted from 0001 without gaps; `name`: its file's name."""

    number: str
    name: str
    sql: str


class Applied(msgspec.Struct):
    """What the applying process reports: the revisions it made, or why it could not."""

    revisions: list[str] = []
    error: str = ""
    away: bool = False


def revisions(folder: Traversable | None = None) -> list[Revision]:
    """The revisions this version brings, in order. `folder`: where the files are (default: the package's own).

    Raises ValueError for a file that is not named NNNN_name.sql and for a gap or repeat in the numbers.
    """
    folder = folder or files("crossdock").joinpath("migrations", "versions")
    found: list[Revision] = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.match(file.name)
        if not match or int(match[1]) != len(found) + 1:
            raise ValueError(f"{file.name}: revisions are named NNNN_name.sql and counted from 0001 without gaps")
        found.append(Revision(match[1], file.name, file.read_text("utf-8")))
    return found


async def pending(url: str) -> list[str]:
    """The numbers of the revisions that the database at `url` lacks, in order. Reads only; alembic is not loaded.

    Raises EngineAway, and NeedsConfig when the database is at a revision that this version does not know.
    """
    known = [revision.number for revision in revisions()]
    current = await _current(url)
    if current and current not in known:
        raise NeedsConfig(
            f"the database is at revision {current}, this version of Crossdock knows up to {known[-1]}",
            field="DATABASE_URL",
            value=current,
            fix="run the newer version that made that revision; there is no way back",
        )
    return [number for number in known if number > current]


async def migrate(url: str) -> list[str]:
    """Bring the database at `url` up to date; the numbers of the revisions applied, none when it was.

    Any number of processes may call it at once: an advisory lock lets one work and the others find it done. Each
    revision is one transaction. Raises EngineAway, NeedsConfig (as `pending`), or CrossdockError with what the
    database said.
    """
    if not await pending(url):
        return []
    # A process of its own: alembic and SQLAlchemy need 30 MB that a server should not keep for the rest of its life.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crossdock.runtime.migrate_apply"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        # By standard input, since arguments are seen by everybody on the machine and the URL holds a password.
        output, _ = await asyncio.wait_for(process.communicate(url.encode()), _LONGEST)
    except BaseException:
        # Time out or cancelled: what the database has not committed it takes back.
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    try:
        applied = msgspec.json.decode(output, type=Applied)
    except msgspec.DecodeError as error:
        raise CrossdockError(f"the migration process ended with code {process.returncode} and no report") from error
    if applied.error:
        raise EngineAway(applied.error) if applied.away else CrossdockError(f"migration failed: {applied.error}")
    return applied.revisions


async def _current(url: str) -> str:
    with away():
        connection = await connect(url, timeout=10)
        try:
            return str(await connection.fetchval("SELECT max(version_num) FROM alembic_version") or "")
        except UndefinedTableError:
            return ""
        finally:
            await connection.close()
