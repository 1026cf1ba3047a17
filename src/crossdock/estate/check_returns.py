# SPDX-License-Identifier: Apache-2.0
"""Check by which policy goods come back."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.shape import ReturnPolicy


def check_returns(estate: Estate) -> Iterator[Finding]:
    """Findings about `returns`."""
    returns = estate.returns
    if returns is None:
        return
    yield from _policy(estate, ("returns",), returns)
    for name, policy in returns.channels.items():
        at = ("returns", "channels", name)
        yield from unresolved(estate, at, "channels", name, estate.channels)
        yield from _policy(estate, at, policy)


def _policy(estate: Estate, at: tuple[str, ...], policy: ReturnPolicy) -> Iterator[Finding]:
    if policy.location:
        yield from unresolved(estate, (*at, "location"), "locations", policy.location, estate.locations)
    strange = sorted(set(policy.free_reasons) - set(policy.reasons)) if policy.reasons else []
    if strange:
        yield at_place(
            estate,
            (*at, "free_reasons"),
            f"{strange[0]!r} is no reason that may be given",
            f"put one of {', '.join(policy.reasons)}, or add it to reasons",
        )
