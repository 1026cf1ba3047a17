# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as a child: made once, reached through a private socket only, durable, recovered after kill -9."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psutil
import structlog
from asyncpg.exceptions import InterfaceError, PostgresError

from crossdock.errors import EngineAway, NeedsConfig
from crossdock.runtime.embedded.binaries import PostgresPrograms, find_postgres
from crossdock.runtime.embedded.leftovers import end, working_in
from crossdock.runtime.embedded.places import Home, find_home, make_private, postgres_account
from crossdock.runtime.embedded.state import write_private
from crossdock.runtime.postgres import connect
from crossdock.runtime.spawn import Account, Child, minimal_environment
from crossdock.settings import Settings

ROLE = DATABASE = "crossdock"
# SIGINT ends connections and writes a checkpoint, SIGQUIT leaves recovery to the next start.
_STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
_LARGEST_LOG = 16 * 1024 * 1024
_log = structlog.get_logger(__name__)

_CONFIGURATION = """\
# Written by Crossdock at every start; changes made here are lost.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 60
password_encryption = scram-sha-256
# Durability: what is acknowledged is on the disk.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_compression = off
min_wal_size = 128MB
max_wal_size = 1GB
checkpoint_timeout = 10min
# A small machine: no parallel plans for statements of a millisecond. Buffers take memory as data fills them.
shared_buffers = {buffers}MB
huge_pages = off
work_mem = 8MB
maintenance_work_mem = 64MB
jit = off
max_worker_processes = 4
max_parallel_workers_per_gather = 0
max_wal_senders = 2
max_replication_slots = 2
random_page_cost = 1.1
# Queue tables turn over quickly: clean up early.
autovacuum_naptime = 10s
autovacuum_max_workers = 2
autovacuum_vacuum_scale_factor = 0.05
autovacuum_vacuum_insert_scale_factor = 0.2
autovacuum_analyze_scale_factor = 0.05
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_checkpoints = off
log_line_prefix = '%m [%p] '
{newer}"""
# Reading by worker processes gains nothing here and keeps three of them in memory.
_FROM_18 = "io_method = sync\n"
# Recovery flushes a thousand files one by one, seconds on a busy disk; this is one call. Linux only.
_ON_LINUX = "recovery_init_sync_method = syncfs\n"


def buffers_for(memory: int) -> int:
    """Megabytes of shared buffers on a machine with so many bytes of memory: a sixteenth, within 96 and 256.

    A ledger of millions of rows wants its levels and indexes in them; they take memory only as pages are read.
    """
    return max(96, min(256, memory // (16 * 1024 * 1024)))


class PostgresServer:
    """One cluster in a data folder. `prepare` and `settle` block, run them in a thread; `start` in the main one."""

    name = "postgres"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log_file = settings.data / "postgres.log"
        self._password = ""
        self._home: Home | None = None
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        return self._child.pid if self._child else 0

    @property
    def sockets(self) -> Path:
        """The folder of its socket, once prepared."""
        return self._prepared.sockets

    @property
    def url(self) -> str:
        """Its URL, once prepared. It holds the password."""
        return self._url(DATABASE)

    def prepare(self, sockets_before: str = "") -> None:
        """Find programs and folders, make the cluster on first use, write its configuration."""
        account = postgres_account()
        programs = find_postgres(self._settings.postgres_bin, account)
        home = find_home(self._settings.data, account, sockets_before)
        self._home = home
        self._password = _kept_password(self._settings.data / "postgres.password")
        cluster = home.data / "cluster"
        self._cluster = cluster
        if not (cluster / "PG_VERSION").is_file():
            _make_cluster(programs, home, account, self._password)
        _check_version(cluster, programs)
        newer = (_FROM_18 if programs.major >= 18 else "") + (_ON_LINUX if sys.platform == "linux" else "")
        buffers = buffers_for(psutil.virtual_memory().total)
        configuration = _CONFIGURATION.format(sockets=home.sockets, buffers=buffers, newer=newer)
        _write_for(cluster / "postgresql.conf", configuration, account)
        _write_for(cluster / "pg_hba.conf", "local all all scram-sha-256\n", account)
        self._child = Child(
            [str(programs.folder / "postgres"), "-D", str(cluster)],
            stop=_STOP,
            orphaned=signal.SIGINT,
            environment=minimal_environment(),
            output=self._log_file,
            account=account,
        )

    def settle(self) -> None:
        """End what an earlier run left behind, so that a start finds the cluster free; keep the log small."""
        ended = end(lambda: working_in("postgres", self._cluster), _STOP, "PostgreSQL")
        if ended:
            _log.warning("ended PostgreSQL left by an earlier run", processes=ended)
        # Nothing of ours lives any more: a number in here belongs to nobody, or by now to a stranger, in whose favour
        # PostgreSQL would refuse to start.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        self.trim_log()

    def trim_log(self) -> None:
        """Keep one older part once the log has grown to 16 MB."""
        if self._log_file.is_file() and self._log_file.stat().st_size > _LARGEST_LOG:
            shutil.copyfile(self._log_file, self._log_file.with_suffix(".log.1"))
            os.truncate(self._log_file, 0)

    def start(self) -> None:
        """Start the process; `ready` tells when it answers."""
        if self._child is None:
            raise RuntimeError("prepare() comes before start()")
        self._child.start()

    async def ready(self, within: float) -> None:
        """Return when it answers and its database is there; recovery after a crash may take its time.

        Raises EngineAway, with the end of the log, when it ended or does not answer `within` seconds.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while True:
            if await self._answers(give_up=loop.time() > until):
                return
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop it in order. A socket folder of ours in the temporary folder stays for the next start."""
        if self._child:
            await self._child.stop()

    async def _answers(self, give_up: bool) -> bool:
        """True once it took a connection and its database is there; EngineAway when there is nothing to wait for."""
        try:
            connection = await connect(self._url("postgres"), timeout=5)
        except (OSError, PostgresError, InterfaceError) as error:
            if self.running and not give_up:
                return False
            why = "does not answer in time" if self.running else "ended while starting"
            tail = await asyncio.to_thread(_tail, self._log_file)
            raise EngineAway(f"PostgreSQL {why}; {self._log_file} ends with: {tail}") from error
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")  # CD009: no placeholder for a name; a constant
        finally:
            await connection.close()
        return True

    @property
    def _prepared(self) -> Home:
        if self._home is None:
            raise RuntimeError("prepare() comes first")
        return self._home

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}:{self._password}@/{database}?host={quote(str(self._prepared.sockets))}"


def _kept_password(path: Path) -> str:
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text("ascii").strip()


def _make_cluster(programs: PostgresPrograms, home: Home, account: Account | None, password: str) -> None:
    """Run initdb into a draft and rename it, so that an interrupted one is never taken for a cluster."""
    draft, word = home.data / "draft", home.data / "draft.password"
    shutil.rmtree(draft, ignore_errors=True)
    make_private(draft, account)
    _write_for(word, password, account)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if programs.major >= 17 else []
    try:
        made = subprocess.run(  # noqa: S603 - a program found by us, no shell
            [
                *(f"{programs.folder}/initdb", f"--pgdata={draft}", f"--username={ROLE}", f"--pwfile={word}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", *locale, "--no-instructions"),
            ],
            check=False,
            capture_output=True,
            timeout=300,
            cwd="/",
            env=minimal_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    finally:
        word.unlink(missing_ok=True)
    if made.returncode:
        raise NeedsConfig(
            f"initdb could not make a database in {home.data}: {made.stderr.decode('utf-8', 'replace')[-800:].strip()}",
            field="data",
            value=str(home.data),
            fix="free space or give another --data; or set DATABASE_URL to a server you run",
        )
    draft.rename(home.data / "cluster")


def _check_version(cluster: Path, programs: PostgresPrograms) -> None:
    made_by = (cluster / "PG_VERSION").read_text("ascii").strip()
    if made_by != str(programs.major):
        raise NeedsConfig(
            f"the database in {cluster} was made by PostgreSQL {made_by}, the programs are version {programs.major}",
            field="CROSSDOCK_POSTGRES_BIN",
            value=str(programs.folder),
            fix=f"run PostgreSQL {made_by} by CROSSDOCK_POSTGRES_BIN, dump the database and load it into new data",
        )


def _write_for(path: Path, text: str, account: Account | None) -> None:
    write_private(path, text.encode())
    if account:
        os.chown(path, account.uid, account.gid)


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-1500:].decode("utf-8", "replace").strip()
    except OSError as error:
        return f"(cannot be read: {error.strerror})"
