# SPDX-License-Identifier: Apache-2.0
"""Take files in (Polling Consumer): each feed by itself, so that a partner whose server is away delays nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import structlog

from crossdock.connectors.file_drop.feed import DropFeed
from crossdock.connectors.file_drop.fetch import Resolve, fetch_files
from crossdock.connectors.file_drop.take import take_files
from crossdock.errors import CrossdockError
from crossdock.sdk.receiving import Incoming, KeepResult

FILES_SECONDS = 2.0

Keep = Callable[[Sequence[Incoming]], Awaitable[list[KeepResult]]]

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


async def watch_feed(stop: asyncio.Event, feed: DropFeed, keep: Keep, resolve: Resolve) -> None:
    """Fetch and take the files of `feed` until `stop` is set. Trouble is logged when it begins and when it ends.

    The folder is looked into every two seconds, an SFTP server as often as the feed says; what lies in the folder is
    taken also while the server is away.
    """
    watch = _Watch(feed)
    loop = asyncio.get_running_loop()
    fetch_at = 0.0
    while not stop.is_set():
        if feed.declared.sftp is not None and loop.time() >= fetch_at:
            await watch.attempt("fetch", fetch_files(feed, resolve))
            fetch_at = loop.time() + feed.declared.sftp.every_seconds
        for report in await watch.attempt("take", take_files(feed, keep)) or ():
            log.info("files.taken", interface=feed.interface, **msgspec.structs.asdict(report))
        with suppress(TimeoutError):
            async with asyncio.timeout(FILES_SECONDS):
                await stop.wait()


class _Watch:
    """What went wrong last, so that it is told once and not every two seconds."""

    def __init__(self, feed: DropFeed) -> None:
        self._name = feed.interface
        self._trouble: dict[str, str] = {}

    async def attempt(self, step: str, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The result of `work`; None when it failed."""
        try:
            result = await work
        except CrossdockError as error:
            self._tell(step, error.reason, error.fix)
        except Exception as error:  # edge: a bug that one file provokes must not stop the other feeds and tasks
            log.exception("files.failed", interface=self._name, step=step)
            self._tell(step, f"unexpected {type(error).__name__}: {error}", "")
        else:
            if self._trouble.pop(step, ""):
                log.info("files.well_again", interface=self._name, step=step)
            return result
        return None

    def _tell(self, step: str, reason: str, fix: str) -> None:
        if self._trouble.get(step) != reason:
            self._trouble[step] = reason
            log.warning("files.trouble", interface=self._name, step=step, reason=reason, fix=fix)
