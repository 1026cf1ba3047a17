# SPDX-License-Identifier: Apache-2.0
"""What process trees use: CPU seconds by part, ended children included, and memory."""

from __future__ import annotations

import threading
from contextlib import suppress

import psutil

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied)
OWN = ("up", "gateway", "worker", "scheduler", "postgres")
"""The parts that Crossdock answers for; NATS is printed apart."""
Used = dict[str, float]
"""CPU seconds or megabytes by part."""


def cpu_by_part(root: int) -> Used:
    """CPU seconds used so far by the process `root` and everything below it, by part.

    The children that a process has outlived and waited for are in its own account (`cutime` of proc(5)), so backends
    of PostgreSQL that ended are counted too. The difference of two readings is what the time between them cost.
    """
    used: Used = {}
    for process in _tree(root):
        with suppress(*GONE):
            times = process.cpu_times()
            seconds = times.user + times.system + times.children_user + times.children_system
            part = _part(process)
            used[part] = used.get(part, 0.0) + seconds
    return used


def cpu_of(*roots: int) -> Used:
    """The sum of `cpu_by_part` of several trees."""
    sums: Used = {}
    for root in roots:
        for part, seconds in cpu_by_part(root).items():
            sums[part] = sums.get(part, 0.0) + seconds
    return sums


def spent(before: Used, after: Used, count: int = 1000) -> Used:
    """What was used between two readings, per 1,000 of `count` documents; 0 for each of OWN that is not there."""
    parts = dict.fromkeys((*OWN, *after), 0.0)
    return {part: (after.get(part, 0.0) - before.get(part, 0.0)) * 1000 / count for part in parts}


def total(used: Used) -> float:
    """The sum over the parts Crossdock answers for."""
    return sum(used.get(part, 0.0) for part in OWN)


def memory_by_part(root: int) -> Used:
    """Megabytes (10^6 bytes) in use by the tree of `root`, by part: proportional set size, so that what processes
    share is counted once."""
    held: Used = {}
    for process in _tree(root):
        with suppress(*GONE):
            part, pss = _part(process), process.memory_full_info().pss / 1e6
            held[part] = held.get(part, 0.0) + pss
    return held


class MemoryPeak:
    """The most memory that the trees of `roots` held together, looked at twice a second while the block runs."""

    def __init__(self, *roots: int) -> None:
        self._roots = roots
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._held: Used = {}

    @property
    def megabytes(self) -> float:
        """The sum at the peak."""
        return sum(self._held.values())

    def __str__(self) -> str:
        """The parts at the peak."""
        return ", ".join(f"{part} {held:.0f}" for part, held in sorted(self._held.items(), key=lambda one: -one[1]))

    def __enter__(self) -> MemoryPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            held = {part: held for root in self._roots for part, held in memory_by_part(root).items()}
            self._held = max(self._held, held, key=lambda one: sum(one.values()))
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
