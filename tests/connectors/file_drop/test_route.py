# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from crossdock.connectors.file_drop.converters import sum_of_products
from crossdock.connectors.file_drop.route import compile_route
from crossdock.estate.feeds import FileTopic


def holds(condition: dict[str, object], rows: list[dict[str, str]]) -> bool:
    topic = msgspec.convert({"topic": "t", "key": "k", "when": [condition]}, FileTopic)
    return compile_route([topic])(rows) is not None


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        ({"prefix": "C"}, "C1", "1C"),
        ({"equals": "C"}, "C", "c"),
        ({"one_of": ["A", "B"]}, "B", "C"),
        ({"empty": True}, "  ", "x"),
        ({"empty": False}, "x", ""),
        ({"zero": True}, "0.00", "0.01"),
        ({"zero": True}, "-0", ""),
        ({"zero": False}, "1", "0"),
        ({"below": "0"}, "-1", "0"),
        ({"below": "0"}, "-0.1", "NaN"),
        ({"above": "10"}, "11", "10"),
        ({"above": "10"}, "1e3", "many"),
    ],
)
def test_conditions(test, yes, no):
    assert holds({"column": "X", **test}, [{"X": yes}])
    assert not holds({"column": "X", **test}, [{"X": no}])


@pytest.mark.parametrize(("rows", "wanted"), [("first", False), ("any", True), ("every", False)])
def test_which_rows_are_asked(rows, wanted):
    assert holds({"column": "X", "rows": rows, "equals": "b"}, [{"X": "a"}, {"X": "b"}]) is wanted


def test_a_missing_column_is_empty():
    assert holds({"column": "X", "empty": True}, [{}])


def test_the_first_rule_that_holds_wins_and_shows_the_row_that_met_it():
    topics = msgspec.convert(
        [
            {"topic": "both", "key": "k", "when": [{"column": "X", "equals": "b"}, {"column": "Y", "equals": "1"}]},
            {"topic": "some", "key": "k", "when": [{"column": "X", "rows": "any", "equals": "b"}]},
            {"topic": "rest", "key": "k"},
        ],
        list[FileTopic],
    )
    routed = compile_route(topics)([{"X": "a", "Y": "1"}, {"X": "b", "Y": "2"}])
    assert routed is not None
    assert (routed.topic.topic, routed.row) == ("some", {"X": "b", "Y": "2"})
    rest = compile_route(topics)([{"X": "a"}])
    assert rest is not None
    assert rest.topic.topic == "rest"


def test_the_total_is_the_sum_of_rounded_lines():
    rows = [{"q": "3", "p": "0.335"}, {"q": "1", "p": "0.004"}, {"q": "-2", "p": "1.005"}]
    # 1.005 → 1.01, 0.004 → 0.00, -2.010 → -2.01
    assert sum_of_products(rows, "q", "p") == Decimal("-1.00")
    assert sum_of_products(rows, "q", "p", 3) == Decimal("-1.001")


@pytest.mark.parametrize("bad", [{"q": "x", "p": "1"}, {"q": "1"}, {"q": "Infinity", "p": "1"}, {"q": "1", "p": None}])
def test_a_number_that_cannot_be_read_names_its_line(bad):
    with pytest.raises(ValueError, match="line 2: q times p cannot be worked out"):
        sum_of_products([{"q": "1", "p": "1"}, bad], "q", "p")
