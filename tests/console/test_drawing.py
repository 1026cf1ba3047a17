# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.console.drawing import NODE, Stream, ceiling, chart, draw_map, points, sparkline

counts = st.lists(st.integers(min_value=0, max_value=10**9), max_size=120)


@given(counts)
def test_points_stay_in_their_box(values: list[int]) -> None:
    for x, y in points(values, 120, 20, max(values, default=0)):
        assert 0 <= x <= 120
        assert 0 <= y <= 20


def test_the_largest_value_touches_the_upper_edge() -> None:
    assert points([0, 5, 10], 100, 20, 10) == [(0, 20), (50, 10), (100, 0)]


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (1.1, 2), (7, 10), (11, 20), (201, 500)])
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert ceiling(value) == top


def test_a_label_cannot_become_markup() -> None:
    assert "<script>" not in sparkline([1, 2], '"><script>')


def test_an_empty_chart_still_has_axes() -> None:
    drawn = chart([], [])
    assert [tick.text for tick in drawn.up] == ["0.5", "1"]
    assert drawn.first == ""


def test_an_hour_is_marked_in_quarters() -> None:
    drawn = chart([1] * 59, [1] * 59)
    assert [tick.text for tick in drawn.across] == ["−45 min", "−30 min", "−15 min", "now"]
    assert drawn.across[-1].at == drawn.width


def stream(name: str, rate: float = 1) -> Stream:
    return Stream(name, rate, f"{rate}/min", name, "good", "answers")


@given(st.integers(0, 12), st.integers(0, 12))
def test_no_system_stands_on_another(left: int, right: int) -> None:
    drawn = draw_map([stream(f"s{n}") for n in range(left)], [stream(f"t{n}") for n in range(right)])
    assert len(drawn.nodes) == len(drawn.edges) == left + right
    for node in drawn.nodes:
        assert 0 <= node.y <= drawn.height - NODE[1]
        others = [other for other in drawn.nodes if other is not node and other.x == node.x]
        assert all(abs(other.y - node.y) >= NODE[1] for other in others)


def test_more_flow_is_a_thicker_line() -> None:
    drawn = draw_map([stream("idle", 0), stream("calm", 2), stream("peak", 5000)], [])
    idle, calm, peak = (edge.weight for edge in drawn.edges)
    assert idle < calm < peak
