# SPDX-License-Identifier: Apache-2.0
"""A small, honest part of SuiteQL: SELECT columns FROM one table WHERE conditions joined by AND ORDER BY columns.

What is outside of it is refused with an error that says so. All scalars come back as strings, nulls are left out, and
a bare date
column shows the day only: TO_CHAR(column, 'YYYY-MM-DD HH24:MI:SS') shows the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from crossdock.sandbox.netsuite.problems import NetSuiteError
from crossdock.sandbox.netsuite.records import Account
from crossdock.sandbox.netsuite.tables import TABLES, Candidates, Row

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w.]*)|(-?\d+(?:\.\d+)?)|(<>|!=|<=|>=|[=<>(),*]))")
FORMATS = {
    "YYYY-MM-DD HH24:MI:SS": "%Y-%m-%d %H:%M:%S",
    "YYYY-MM-DD": "%Y-%m-%d",
    "MM/DD/YYYY": "%m/%d/%Y",
    'YYYY-MM-DD"T"HH24:MI:SS': "%Y-%m-%dT%H:%M:%S",
    'YYYY-MM-DD"T"HH24:MI:SS"Z"': "%Y-%m-%dT%H:%M:%SZ",
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class Column(NamedTuple):
    """A column asked for, with the date format where TO_CHAR gives one."""

    name: str
    alias: str
    format: str | None


class Condition(NamedTuple):
    """One condition; all of them must hold."""

    column: str
    operator: str
    values: tuple[Any, ...]


class Query(NamedTuple):
    """A query that was read; `columns` is None for `*`."""

    columns: tuple[Column, ...] | None
    table: str
    conditions: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]


def refuse(detail: str) -> NetSuiteError:
    """The error for a query that cannot be run."""
    return NetSuiteError(
        400, "INVALID_PARAMETER", f"Invalid search query. Detailed unprocessed description follows. {detail}", "$.q"
    )


class Parser:
    """Reads one query. Raises NetSuiteError with what could not be read."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def read(self) -> Query:
        self._expect("SELECT")
        columns = self._columns()
        self._expect("FROM")
        table = self._name().lower()
        if self._peek_word() not in ("", "WHERE", "ORDER"):
            self._name()
        conditions: list[Condition] = []
        if self._accept("WHERE"):
            conditions.append(self._condition())
            while self._accept("AND"):
                conditions.append(self._condition())
        order: list[tuple[str, bool]] = []
        if self._accept("ORDER"):
            self._expect("BY")
            order.append(self._order())
            while self._accept(","):
                order.append(self._order())
        if self._at < len(self._tokens):
            raise refuse(
                f"cannot read from {self._tokens[self._at]!r} on; joins, OR, GROUP BY and functions are not simulated"
            )
        return Query(columns, table, tuple(conditions), tuple(order))

    def _columns(self) -> tuple[Column, ...] | None:
        if self._accept("*"):
            return None
        columns = [self._column()]
        while self._accept(","):
            columns.append(self._column())
        return tuple(columns)

    def _column(self) -> Column:
        pattern = None
        if self._accept("TO_CHAR"):
            self._expect("(")
            name = _bare(self._name())
            self._expect(",")
            pattern = _format(self._literal())
            self._expect(")")
        else:
            name = _bare(self._name())
        alias = _bare(self._name()) if self._accept("AS") else name
        return Column(name, alias, pattern)

    def _condition(self) -> Condition:
        column = _bare(self._name())
        if self._accept("IN"):
            self._expect("(")
            values = [self._value()]
            while self._accept(","):
                values.append(self._value())
            self._expect(")")
            return Condition(column, "IN", tuple(values))
        if self._accept("IS"):
            negated = self._accept("NOT")
            self._expect("NULL")
            return Condition(column, "NOT NULL" if negated else "NULL", ())
        operator = self._next()
        if operator not in OPERATORS:
            raise refuse(f"operator {operator!r} is not simulated")
        return Condition(column, operator, (self._value(),))

    def _value(self) -> Any:
        for function in ("TO_DATE", "TO_TIMESTAMP"):
            if self._accept(function):
                self._expect("(")
                text = self._literal()
                self._expect(",")
                pattern = _format(self._literal())
                self._expect(")")
                return _moment(text, pattern)
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return token
        raise refuse(f"cannot read the value {token!r}")

    def _order(self) -> tuple[str, bool]:
        name = _bare(self._name())
        if self._accept("DESC"):
            return name, True
        self._accept("ASC")
        return name, False

    def _literal(self) -> str:
        token = self._next()
        if not token.startswith("'"):
            raise refuse(f"a quoted text was expected at {token!r}")
        return token[1:-1]

    def _name(self) -> str:
        token = self._next()
        if not re.fullmatch(r"[A-Za-z_][\w.]*", token):
            raise refuse(f"a name was expected at {token!r}")
        return token

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise refuse("the query ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek_word(self) -> str:
        return self._tokens[self._at].upper() if self._at < len(self._tokens) else ""

    def _accept(self, word: str) -> bool:
        if self._peek_word() != word:
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise refuse(f"{word} was expected at {self._peek_word()!r}")


def run_query(account: Account, text: str) -> list[dict[str, Any]]:
    """The rows of a query, each a mapping of lower-case column to string. Raises NetSuiteError."""
    query = Parser(text).read()
    table = TABLES.get(query.table)
    if table is None:
        raise refuse(f"record '{query.table}' was not found; simulated are {', '.join(sorted(TABLES))}")
    named = (
        [entry.name for entry in query.columns or ()]
        + [entry.column for entry in query.conditions]
        + [name for name, _ in query.order]
    )
    for name in named:
        if name not in table.columns:
            raise refuse(f"Field '{name}' for record '{query.table}' was not found.")
    exact: Candidates = {}
    for condition in query.conditions:
        if condition.operator in ("=", "IN"):
            exact.setdefault(condition.column, frozenset(str(value) for value in condition.values))
    rows = [row for row in table.rows(account, exact) if all(_meets(row, condition) for condition in query.conditions)]
    for name, descending in reversed(query.order):
        rows.sort(key=lambda row: _sortable(row.get(name)), reverse=descending)
    columns = query.columns or tuple(Column(name, name, None) for name in table.columns)
    return [_shown(row, columns) for row in rows]


def _shown(row: Row, columns: Iterable[Column]) -> dict[str, Any]:
    shown: dict[str, Any] = {"links": []}
    for column in columns:
        value = row.get(column.name)
        if value is None:
            continue
        if isinstance(value, datetime):
            value = value.strftime(column.format or FORMATS["MM/DD/YYYY"])
        shown[column.alias] = str(value)
    return shown


def _meets(row: Row, condition: Condition) -> bool:
    held = row.get(condition.column)
    if condition.operator in ("NULL", "NOT NULL"):
        return (held is None) == (condition.operator == "NULL")
    if held is None:
        return False
    if condition.operator == "IN":
        return str(held) in {str(value) for value in condition.values}
    wanted = condition.values[0]
    if isinstance(held, datetime):
        if not isinstance(wanted, datetime):
            wanted = _any_moment(str(wanted))
        return OPERATORS[condition.operator](held, wanted)
    if condition.operator in ("<", "<=", ">", ">="):
        return OPERATORS[condition.operator](_sortable(held), _sortable(wanted))
    return OPERATORS[condition.operator](str(held), str(wanted))


def _sortable(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, ""
    if isinstance(value, datetime):
        return 1, value
    try:
        return 1, float(value)
    except ValueError:
        return 2, str(value)


def _tokens(text: str) -> Iterable[str]:
    place = 0
    text = text.strip().rstrip(";")
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise refuse(f"cannot read from {text[place : place + 20]!r} on")
        place = match.end()
        yield match.group().strip()


def _bare(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _format(pattern: str) -> str:
    if pattern not in FORMATS:
        raise refuse(f"the date format {pattern!r} is not simulated; use {', '.join(sorted(FORMATS))}")
    return FORMATS[pattern]


def _moment(text: str, pattern: str) -> datetime:
    try:
        return datetime.strptime(text, pattern)
    except ValueError as error:
        raise refuse(f"{text!r} does not fit its date format") from error


def _any_moment(text: str) -> datetime:
    for pattern in FORMATS.values():
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise refuse(f"{text!r} is not a date")
