# SPDX-License-Identifier: Apache-2.0
"""What figures mean for people: counts in the navigation, how a system stands, what flows over the map."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from crossdock.console.drawing import Chart, Map, Stream, chart, draw_map
from crossdock.console.wording import count, duration, rate
from crossdock.journal.books import Book
from crossdock.observe.overview import Overview, SystemFigures

_SMOOTHED: Final = 5


class Counts(Struct, frozen=True):
    """The counts in the navigation: open cases, systems that need a look."""

    cases: int
    troubled: int


class Health(Struct, frozen=True):
    """How a system stands, in a tone and a word, with the reason."""

    tone: str
    word: str
    reason: str = ""


class Headline(Struct, frozen=True):
    """The figures at the top of the overview; rates per minute over the last five full minutes."""

    received: float
    settled: float
    open: int
    overdue: int
    cases: int
    money: tuple[tuple[str, Decimal], ...]


def counts(figures: Overview) -> Counts:
    """The navigation's counts."""
    troubled = sum(health(system, figures.at).tone in ("bad", "warn") for system in figures.systems)
    return Counts(figures.cases, troubled)


def per_minute(series: Sequence[int]) -> float:
    """Mean of the last five full minutes of a series whose last minute still runs."""
    return sum(series[-1 - _SMOOTHED : -1]) / _SMOOTHED


def total(lines: Sequence[Sequence[int]]) -> list[int]:
    """Series of one figure a minute added up."""
    return [sum(minute) for minute in zip(*lines, strict=True)]


def headline(figures: Overview) -> Headline:
    """The figures at the top."""
    return Headline(
        received=sum(per_minute(interface.received) for interface in figures.interfaces),
        settled=sum(per_minute(interface.settled) for interface in figures.interfaces),
        open=sum(interface.open for interface in figures.interfaces),
        overdue=sum(interface.overdue for interface in figures.interfaces),
        cases=figures.cases,
        money=tuple(sorted(figures.money.items())),
    )


def health(system: SystemFigures, at: datetime) -> Health:
    """How `system` stood at `at`; the worst thing about it decides."""
    if system.paused:
        by = f"by {system.paused_by}" if system.paused_by else ""
        return Health("warn", "paused", ": ".join(part for part in (by, system.pause_reason) if part))
    if system.breaker == "open":
        wait = (
            f"next probe in {duration(max((system.breaker_until - at).total_seconds(), 0))}"
            if system.breaker_until
            else ""
        )
        return Health("bad", "not answering", "; ".join(part for part in (system.breaker_reason, wait) if part))
    if system.breaker == "half_open":
        return Health("warn", "probing", system.breaker_reason)
    owes = system.due + system.sending + system.stock_waiting
    if owes and not system.driven:
        return Health("bad", "no worker", f"{count(owes)} wait, and no worker holds its lease: is one running?")
    if system.stock_problems:
        return Health("warn", "stock refused", f"{count(system.stock_problems)} stock levels were refused")
    if system.stock_reason and system.stock_waiting:
        return Health("warn", "stock waits", f"{count(system.stock_waiting)} stock levels wait: {system.stock_reason}")
    return Health("good", "answers") if system.driven or system.last_success else Health("idle", "quiet")


def over_time(figures: Overview) -> Chart:
    """Received and settled of all interfaces, without the minute that still runs."""
    received = total([interface.received[:-1] for interface in figures.interfaces])
    settled = total([interface.settled[:-1] for interface in figures.interfaces])
    return chart(received, settled)


def system_map(figures: Overview) -> Map:
    """Who sends on the left, who is sent to on the right; a system may be both."""
    states = {system.system: health(system, figures.at) for system in figures.systems}
    sources: dict[str, float] = {}
    for interface in figures.interfaces:
        sources[interface.system] = sources.get(interface.system, 0) + per_minute(interface.received)
    left = [
        Stream(name, flow, f"{rate(flow)}/min", f"{name}: {rate(flow)} documents a minute come in", "work", "sends")
        for name, flow in sorted(sources.items())
    ]
    right = [
        _target(system, states[system.system])
        for system in figures.systems
        if system.driven
        or system.last_success
        or system.due
        or system.sending
        or system.in_case
        or system.stock_waiting
    ]
    return draw_map(left, right)


def _target(system: SystemFigures, state: Health) -> Stream:
    flow = per_minute(system.delivered)
    waiting = system.due + system.sending + system.stock_waiting
    title = (
        f"{system.system}: {rate(flow)} deliveries a minute, {count(waiting)} wait; {state.word} {state.reason}".strip()
    )
    text = f"{rate(flow)}/min" if state.tone != "bad" else f"{count(waiting)} waiting"
    return Stream(system.system, flow, text, title, state.tone, state.word)


def unbalanced(books: Sequence[Book]) -> list[Book]:
    """The books that do not balance."""
    return [book for book in books if not book.balanced]
