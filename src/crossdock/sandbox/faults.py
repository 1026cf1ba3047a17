# SPDX-License-Identifier: Apache-2.0
"""Fault switches of a simulator: which misbehaviour, how often, for which paths, for how long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from typing import Literal

import msgspec

Kind = Literal[
    "down",
    "slow",
    "error_before",
    "error_after",
    "cut_after",
    "throttled",
    "duplicates",
    "reorder",
    "late",
    "bad_signature",
]
REQUEST_KINDS = frozenset({"down", "slow", "error_before", "error_after", "cut_after", "throttled"})
EVENT_KINDS = frozenset({"duplicates", "reorder", "late", "bad_signature"})


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One switch. Without `probability` and `count` it always applies until removed.

    `count` is how many more requests (or events) it hits. `seconds` is the delay of slow, late and reorder. `match`
    limits it to paths (or topics) that contain this text, `for_seconds` ends it by itself.
    """

    kind: Kind
    probability: float | None = None
    count: int | None = None
    seconds: float = 1.0
    match: str | None = None
    for_seconds: float | None = None
    until: float | None = None
    hits: int = 0


class FaultBook:
    """The switches that are set, drawn with a seeded generator so that a run can be repeated."""

    def __init__(self, seed: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rng = random.Random(seed)
        self.faults: list[Fault] = []
        self._clock = clock

    def add(self, fault: Fault) -> Fault:
        """Set a switch. Raises ValueError when its numbers make no sense."""
        if fault.probability is not None and not 0 <= fault.probability <= 1:
            raise ValueError(f"probability is {fault.probability}; give a number from 0 to 1")
        if fault.count is not None and fault.count < 1:
            raise ValueError(f"count is {fault.count}; give 1 or more, or leave it out")
        if not 0 <= fault.seconds <= 3600:
            raise ValueError(f"seconds is {fault.seconds}; give 0 to 3600")
        if fault.for_seconds is not None:
            fault.until = self._clock() + fault.for_seconds
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        self.faults.clear()

    def draw(self, kinds: Collection[str], subject: str) -> dict[str, Fault]:
        """The faults among `kinds` that hit this request or event, by kind. Uses up counts."""
        if not self.faults:
            return {}
        now = self._clock()
        self.faults = [fault for fault in self.faults if self._alive(fault, now)]
        drawn: dict[str, Fault] = {}
        for fault in self.faults:
            if fault.kind in kinds and fault.kind not in drawn and self._hits(fault, subject):
                fault.hits += 1
                if fault.count is not None:
                    fault.count -= 1
                drawn[fault.kind] = fault
        return drawn

    @staticmethod
    def _alive(fault: Fault, now: float) -> bool:
        return (fault.count is None or fault.count > 0) and (fault.until is None or fault.until > now)

    def _hits(self, fault: Fault, subject: str) -> bool:
        if fault.match is not None and fault.match not in subject:
            return False
        return fault.probability is None or self.rng.random() < fault.probability
