# SPDX-License-Identifier: Apache-2.0
"""Engines that outlived a killed supervisor are recognised by what they work on, never by a number alone, and ended."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from crossdock.errors import EngineAway
from crossdock.runtime.spawn import Step


def working_in(name: str, folder: Path) -> list[psutil.Process]:
    """Living processes called `name` that work in `folder` (every PostgreSQL process does) or were started with it."""
    wanted = str(folder.resolve())
    return _living(name, lambda process: wanted in process.cmdline() or _folder_of(process) == wanted)


def started_with(name: str, argument: Path) -> list[psutil.Process]:
    """Living processes called `name` that were started with `argument`."""
    return _living(name, lambda process: str(argument) in process.cmdline())


def end(find: Callable[[], list[psutil.Process]], steps: tuple[Step, ...], what: str) -> int:
    """End the processes that `find` returns, step by step; how many there were. Blocks; EngineAway when one remains."""
    first = find()
    remaining = first
    for number, patience in (*steps, (signal.SIGKILL, 10.0)):
        if not remaining:
            return len(first)
        for process in remaining:
            _send(process, number)
        psutil.wait_procs(remaining, timeout=patience)
        remaining = find()
    if remaining:
        raise EngineAway(f"{what} of an earlier run does not end: process {remaining[0].pid}")
    return len(first)


def _living(name: str, ours: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is(process, name, ours)]


def _is(process: psutil.Process, name: str, ours: Callable[[psutil.Process], bool]) -> bool:
    try:
        return process.name() == name and process.status() != psutil.STATUS_ZOMBIE and ours(process)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # Gone meanwhile, or another account's: then it cannot be one of ours.
        return False


def _folder_of(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.AccessDenied:
        # A container's root without CAP_SYS_PTRACE may not look; the command line alone decides then.
        return ""


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
