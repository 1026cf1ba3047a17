# SPDX-License-Identifier: Apache-2.0
"""CPU seconds of everything that runs below this process, by what it is."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

import psutil


def cpu_seconds() -> dict[str, float]:
    """CPU seconds so far of the processes below this one, living or ended, by name."""
    used: dict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used[_name(process)] += times.user + times.system + times.children_user + times.children_system
    return {name: round(seconds, 2) for name, seconds in sorted(used.items())}


def ended_seconds() -> float:
    """CPU seconds of this process's children that have ended."""
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    if "crossdock.sandbox.serve" in words:
        return "simulated NetSuite"
    if words[1:3] == ["-m", "crossdock"]:
        return f"crossdock {words[3]}"
    return {"postgres": "PostgreSQL", "nats-server": "NATS"}.get(process.name(), process.name())
