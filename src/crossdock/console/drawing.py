# SPDX-License-Identifier: Apache-2.0
"""Geometry of what is drawn on the server: sparklines, the chart over time and the map of systems."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct


def points(values: Sequence[float], width: float, height: float, top: float) -> list[tuple[float, float]]:
    """`values` as points from left to right in a box of `width` × `height`; `top` is the value at its upper edge."""
    if not values:
        return []
    step = width / max(1, len(values) - 1)
    scale = height / top if top > 0 else 0.0
    return [(round(index * step, 2), round(height - min(value, top) * scale, 2)) for index, value in enumerate(values)]


def path(line: Sequence[tuple[float, float]]) -> str:
    """An SVG path through `line`."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in line) if line else ""


def area(line: Sequence[tuple[float, float]], height: float) -> str:
    """An SVG path around what lies between `line` and the lower edge."""
    return f"{path(line)}L{line[-1][0]:g} {height:g}L{line[0][0]:g} {height:g}Z" if line else ""


def sparkline(values: Sequence[float], label: str) -> Markup:
    """A small line with its area; flat at the bottom when nothing happened. `label` is read out by screen readers."""
    line = points(values, 120, 20, max(values, default=0))
    return Markup(
        '<svg class="spark" viewBox="0 0 120 22" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<path class="base" d="M0 21.5H120"/><path class="area" d="{area}"/><path class="path" d="{path}"/></svg>'
    ).format(label=label, area=area(line, 21), path=path(line))


def ceiling(value: float) -> float:
    """The next round number (1, 2 or 5 times a power of ten) at or above `value`, at least 1."""
    size = 1.0
    while True:
        for step in (1, 2, 5):
            if value <= size * step:
                return size * step
        size *= 10


class Tick(Struct, frozen=True):
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


class Chart(Struct, frozen=True):
    """A chart over time, ready to be put into SVG: two lines, and the ticks of both axes."""

    width: float
    height: float
    area: str
    first: str
    second: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def chart(first: Sequence[float], second: Sequence[float], *, width: float = 480, height: float = 134) -> Chart:
    """Two series of one value a minute, the newest last; `first` has its area filled."""
    top = ceiling(max([*first, *second], default=0))
    minutes = max(len(first), len(second), 2) - 1
    marks = [minute for minute in (60, 45, 30, 15, 0) if minute <= minutes + 1]
    across = tuple(
        Tick(round(max(0.0, width - minute * width / minutes), 1), f"−{minute} min" if minute else "now")
        for minute in marks
    )
    line = points(first, width, height, top)
    return Chart(
        width=width,
        height=height,
        area=area(line, height),
        first=path(line),
        second=path(points(second, width, height, top)),
        across=across,
        up=tuple(Tick(round(height - height * part, 1), f"{top * part:g}") for part in (0.5, 1)),
    )


class Node(Struct, frozen=True):
    """A system on the map; `x`, `y` is the upper left corner of its box."""

    name: str
    note: str
    tone: str
    x: float
    y: float


class Edge(Struct, frozen=True):
    """A stream on the map, from left to right. `weight`: stroke width; `x`, `y`: where its rate is written."""

    path: str
    text: str
    title: str
    tone: str
    weight: float
    x: float
    y: float


class Map(Struct, frozen=True):
    """The map of systems: sources on the left, Crossdock in the middle, targets on the right."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hub: float


class Stream(Struct, frozen=True):
    """What flows between a system and Crossdock. `rate`: items per minute; `note` stands under the system's name."""

    system: str
    rate: float
    text: str
    title: str
    tone: str
    note: str


NODE = (132.0, 40.0)
_ROW = 58.0
_WIDTH = 620.0
_HUB = (120.0, _WIDTH / 2 - 60)


def _weight(rate: float) -> float:
    for at_least, weight in ((1000, 5.0), (100, 4.0), (10, 3.0), (0.01, 2.0)):
        if rate >= at_least:
            return weight
    return 1.0


def _edge(stream: Stream, start: tuple[float, float], end: tuple[float, float], label: float) -> Edge:
    middle = (start[0] + end[0]) / 2
    curve = f"M{start[0]:g} {start[1]:g}C{middle:g} {start[1]:g} {middle:g} {end[1]:g} {end[0]:g} {end[1]:g}"
    outer, inner = (start[1], end[1]) if label < _WIDTH / 2 else (end[1], start[1])
    # On the side of the line that it does not bend to.
    y = outer + 17 if outer > inner else outer - 7
    return Edge(curve, stream.text, stream.title, stream.tone, _weight(stream.rate), label, y)


def draw_map(sources: Sequence[Stream], targets: Sequence[Stream]) -> Map:
    """Where everything stands: one row per system on each side, edges that meet at the middle in their order."""
    rows = max(len(sources), len(targets), 1)
    height = rows * _ROW + 12
    nodes: list[Node] = []
    edges: list[Edge] = []
    for streams, left in ((sources, True), (targets, False)):
        offset = (height - len(streams) * _ROW) / 2 + (_ROW - NODE[1]) / 2
        spread = min(11.0, (height - 20) / max(1, len(streams)))
        for index, stream in enumerate(streams):
            x, y = (1.0 if left else _WIDTH - NODE[0] - 1), offset + index * _ROW
            nodes.append(Node(stream.system, stream.note, stream.tone, x, y))
            meet = height / 2 + (index - (len(streams) - 1) / 2) * spread
            outer = y + NODE[1] / 2
            if left:
                edges.append(_edge(stream, (x + NODE[0], outer), (_HUB[1], meet), x + NODE[0] + 12))
            else:
                edges.append(_edge(stream, (_HUB[1] + _HUB[0], meet), (x, outer), x - 12))
    return Map(_WIDTH, height, tuple(nodes), tuple(edges), height / 2)
