# SPDX-License-Identifier: Apache-2.0
"""Which topic a document of a feed is (Content-Based Router): the first of the estate's rules that holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from msgspec import Struct

from crossdock.estate.feeds import Condition, FileTopic

Row = dict[str, str]
_Test = Callable[[str], bool]
_Holds = Callable[[Sequence[Row]], Row | None]


class Routed(Struct, frozen=True):
    """The rule that holds, and the row that shows it."""

    topic: FileTopic
    row: Row


Route = Callable[[Sequence[Row]], Routed | None]


def compile_route(topics: Sequence[FileTopic]) -> Route:
    """A function from the rows of a document to the rule that holds; None when none does."""
    rules = [(topic, [_condition(condition) for condition in topic.when]) for topic in topics]

    def route(rows: Sequence[Row]) -> Routed | None:
        for topic, conditions in rules:
            shown = rows[0]
            for holds in conditions:
                met = holds(rows)
                if met is None:
                    break
                shown = met
            else:
                return Routed(topic, shown)
        return None

    return route


def _condition(condition: Condition) -> _Holds:
    test, column = _test(condition), condition.column

    def first(rows: Sequence[Row]) -> Row | None:
        return rows[0] if test(rows[0].get(column, "")) else None

    def some(rows: Sequence[Row]) -> Row | None:
        return next((row for row in rows if test(row.get(column, ""))), None)

    def every(rows: Sequence[Row]) -> Row | None:
        return rows[0] if all(test(row.get(column, "")) for row in rows) else None

    return {"first": first, "any": some, "every": every}[condition.rows]


def _test(condition: Condition) -> _Test:
    if (prefix := condition.prefix) is not None:
        return lambda text: text.startswith(prefix)
    if (equals := condition.equals) is not None:
        return lambda text: text == equals
    if (one_of := condition.one_of) is not None:
        chosen = frozenset(one_of)
        return lambda text: text in chosen
    if (empty := condition.empty) is not None:
        return lambda text: (not text.strip()) is empty
    if (zero := condition.zero) is not None:
        return lambda text: _compare(text, lambda number: (number == 0) is zero)
    if condition.below is not None:
        most = Decimal(condition.below)
        return lambda text: _compare(text, lambda number: number < most)
    least = Decimal(condition.above or "0")
    return lambda text: _compare(text, lambda number: number > least)


def _compare(text: str, holds: Callable[[Decimal], bool]) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and holds(number)
