# SPDX-License-Identifier: Apache-2.0
"""What process trees use: CPU seconds by part, ended children included, and memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import psutil

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied)
OWN = ("up", "gateway", "worker", "scheduler", "postgres")
"""The parts that Crossdock answers for; NATS is printed apart."""


def cpu_by_part(root: int) -> Counter[str]:
    """CPU seconds used so far by the process `root` and everything below it, by part.

    The children that a process has outlived and waited for are in its own account (`cutime` of proc(5)), so backends
    of PostgreSQL that ended are counted too. The difference of two readings is what the time between them cost.
    """
    used: Counter[str] = Counter()
    for process in _tree(root):
        with suppress(*GONE):
            times = process.cpu_times()
            used[_part(process)] += times.user + times.system + times.children_user + times.children_system
    return used


def total(used: Mapping[str, float], parts: tuple[str, ...] = OWN) -> float:
    """The sum over `parts`."""
    return sum(used.get(part, 0.0) for part in parts)


def memory_by_part(root: int) -> Counter[str]:
    """Megabytes (10^6 bytes) in use by the tree of `root`, by part: proportional set size, so that what processes
    share is counted once."""
    held: Counter[str] = Counter()
    for process in _tree(root):
        with suppress(*GONE):
            held[_part(process)] += process.memory_full_info().pss / 1e6
    return held


class MemoryPeak:
    """The most memory that the trees of `roots` held together, looked at twice a second while the block runs."""

    def __init__(self, *roots: int) -> None:
        self._roots = roots
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> MemoryPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.megabytes = max(self.megabytes, sum(sum(memory_by_part(root).values()) for root in self._roots))
            if self._ended.wait(0.5):
                return


def _tree(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except GONE:
        return []


def _part(process: psutil.Process) -> str:
    name = process.name()
    if name.startswith("postgres"):
        return "postgres"
    if name.startswith("nats"):
        return "nats"
    words = process.cmdline()
    return words[words.index("crossdock") + 1] if "crossdock" in words[:-1] else name
