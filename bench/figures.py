# SPDX-License-Identifier: Apache-2.0
"""What a benchmark found: figures to read, and ratios that are held to a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from msgspec import Struct

Say = Callable[[str], None]
"""Told of progress, a short line each time."""


class Plan(Struct, frozen=True, kw_only=True):
    """How much is run: `quick` for a look of a minute, `rounds` of which the median counts."""

    quick: bool = False
    rounds: int = 3


class Figure(Struct, frozen=True):
    """One number to read. `note`: what it was measured with."""

    label: str
    value: float
    unit: str = ""
    note: str = ""

    def __str__(self) -> str:
        shown = f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"
        return f"{self.label:<46} {shown:>9} {self.unit}" + (f"   ({self.note})" if self.note else "")


class Check(Struct, frozen=True, kw_only=True):
    """A number that has a limit: `at_least` or `at_most`."""

    label: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def held(self) -> bool:
        """The limit is kept."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def __str__(self) -> str:
        limit = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        shown = f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"
        return f"{self.label:<46} {shown:>9} {self.unit}   ({limit}: {'kept' if self.held else 'MISSED'})"


class Finding(Struct, frozen=True, kw_only=True):
    """All that one benchmark found."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    checks: tuple[Check, ...] = ()

    @property
    def held(self) -> bool:
        """Every limit is kept."""
        return all(check.held for check in self.checks)

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.title}", *(f"  {line}" for line in (*self.figures, *self.checks))])


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each number over the rounds."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}
