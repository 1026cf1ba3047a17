# SPDX-License-Identifier: Apache-2.0
"""Check what an estate says of the life of orders: times are times, and only holds are released."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.canonical.hold import HOLDS
from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import At, at_place, unresolved


def check_orders(estate: Estate) -> Iterator[Finding]:
    """Findings about `orders`, and about what channels find suspicious."""
    for state, text in estate.orders.within.items():
        yield from _time(estate, ("orders", "within", state), text, "write 30m")
    if estate.orders.look_again:
        yield from _time(estate, ("orders", "look_again"), estate.orders.look_again, "write 15m")
    for number in range(len(estate.orders.release)):
        yield from _release(estate, number)
    for name, checks in estate.checks.items():
        channel = estate.channels.get(name)
        unknown = checks.fraud.unknown_account_above if checks.fraud is not None else None
        if unknown is not None and channel is not None and not channel.customer:
            what = "the channel has no `customer` for buyers without an account, so there are no such orders"
            at = ("checks", name, "fraud", "unknown_account_above")
            yield at_place(estate, at, what, "give the channel a customer, or leave this out", "warning")


def _release(estate: Estate, number: int) -> Iterator[Finding]:
    said = estate.orders.release[number]
    at: At = ("orders", "release", number)
    hold = HOLDS.get(said.rule)
    if hold is None or not hold.releasable:
        known = ", ".join(sorted(rule for rule, one in HOLDS.items() if one.releasable))
        what = f"nobody can release {said.rule!r}" if hold is not None else f"{said.rule!r} is no hold"
        yield at_place(estate, (*at, "rule"), what, f"use one of {known}")
    if said.channel:
        yield from unresolved(estate, (*at, "channel"), "channels", said.channel, estate.channels)
    if not (said.channel or said.customer or said.total_below is not None):
        what = "every failure of the rule is let through: the check might as well be off"
        yield at_place(estate, at, what, "name a channel, a customer or total_below", "warning")


def _time(estate: Estate, at: At, text: str, fix: str) -> Iterator[Finding]:
    try:
        duration(text)
    except ValueError as error:
        yield at_place(estate, at, str(error), fix)
