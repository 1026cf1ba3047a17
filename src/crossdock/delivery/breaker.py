# SPDX-License-Identifier: Apache-2.0
"""Circuit breaker of one system: stops calling what does not answer, tries again with one call at a time."""

from __future__ import annotations

from crossdock.runtime.backoff import backoff

FAILURES_TO_OPEN = 5
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Breaker:
    """closed: calls go through. open: none until `until`. half-open: one probe; its outcome closes or opens again.

    Times are seconds of a monotonic clock that the caller passes in. Only failures of the system itself count, never
    what it says of a document.
    """

    def __init__(self) -> None:
        self.state = "closed"
        self.until = 0.0
        self.reason = ""
        self.last_success = float("-inf")
        self._failures = 0
        self._openings = 0

    def allows(self, now: float) -> int:
        """How many more items may be sent now: none, one (a probe), or any number (a large one)."""
        if self.state == "closed":
            return 1_000_000
        if self.state == "open" and now >= self.until:
            self.state = "half-open"
            return 1
        return 0

    def succeeded(self, now: float) -> bool:
        """A call was answered; whether that changed the state."""
        self.last_success = now
        self._failures = 0
        changed = self.state != "closed"
        self.state, self.reason, self._openings = "closed", "", 0
        return changed

    def failed(self, now: float, reason: str, *, at_once: bool = False, pause: float | None = None) -> bool:
        """A call failed for a reason of the system; whether that changed the state.

        `at_once` opens without waiting for more failures (credentials refused), `pause` overrides the schedule.
        """
        self._failures += 1
        if self.state == "closed" and not at_once and self._failures < FAILURES_TO_OPEN:
            return False
        if self.state == "open":
            return False
        self._openings += 1
        self.state = "open"
        self.reason = reason
        self.until = now + (pause or backoff(self._openings, first=FIRST_PAUSE, most=LONGEST_PAUSE))
        return True

    def probe_lost(self) -> None:
        """There was nothing to probe with, or the probe said nothing about the system: the next call may probe."""
        if self.state == "half-open":
            self.state = "open"
