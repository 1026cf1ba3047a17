# SPDX-License-Identifier: Apache-2.0
"""The consumers of an estate: what each may see and do, and the meters of their plans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from crossdock.governance.caller import Caller
from crossdock.governance.meter import Limits, Meter


class Admitted(Struct, frozen=True):
    """A caller and the meter of what it uses."""

    caller: Caller
    meter: Meter


class Consumers:
    """`callers` with all their scopes, by consumer; `plans` by name. One meter for each consumer and plan: a consumer's
    keys and tokens share what its plan allows."""

    def __init__(
        self,
        callers: Mapping[str, Caller],
        plans: Mapping[str, Limits],
        ticks: Callable[[], int] = time.monotonic_ns,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._callers = callers
        self._plans = plans
        self._ticks = ticks
        self._seconds = seconds
        self._meters: dict[tuple[str, str], Meter] = {}
        for name, caller in callers.items():
            self._meter(name, caller.plan)

    def admit(self, consumer: str, scopes: frozenset[str] | None = None, plan: str = "") -> Admitted | None:
        """`consumer` with those of `scopes` (None: all) that it has itself, under `plan` ("" or one that is no longer
        there: its own); None when there is no such consumer."""
        caller = self._callers.get(consumer)
        if caller is None:
            return None
        chosen = plan if plan in self._plans else caller.plan
        granted = caller.scopes if scopes is None else caller.scopes & scopes
        return Admitted(replace(caller, scopes=granted, plan=chosen), self._meter(consumer, chosen))

    def meters(self) -> Iterator[Meter]:
        """Every meter there is."""
        yield from list(self._meters.values())

    def meter(self, consumer: str, plan: str) -> Meter | None:
        """The meter of a consumer under a plan; None when there is none."""
        return self._meters.get((consumer, plan))

    def _meter(self, consumer: str, plan: str) -> Meter:
        found = self._meters.get((consumer, plan))
        if found is None:
            found = self._meters[consumer, plan] = Meter(consumer, self._plans[plan], self._ticks, self._seconds)
        return found
