# SPDX-License-Identifier: Apache-2.0
"""The rules of `lint_shape`: what the shape of a file may not be, one small check each."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

MOST_LINES_OF_FILE: Final = 400
MOST_LINES_OF_FUNCTION: Final = 60
MOST_PARAMETERS: Final = 7
SPDX: Final = "# SPDX-License-Identifier: Apache-2.0"
VAGUE: Final = frozenset(
    {"service", "services", "util", "utils", "helper", "helpers", "model", "models", "common", "manager", "managers"}
    | {"misc", "base", "shared", "core", "lib", "stuff"}
)
RUNS_SQL: Final = frozenset(
    {"execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany", "prepare", "cursor", "copy_from_query"}
)
_EDGE: Final = re.compile(r"#.*\bedge\b[^:]*:\s*\S")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class File:
    """One parsed source file; `path` is relative to the repository, `lines` without line ends."""

    path: PurePath
    lines: list[str]
    tree: ast.Module

    @property
    def in_source(self) -> bool:
        """Whether the file is installed with Crossdock."""
        return self.path.parts[:1] == ("src",)


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong, where, and how to mend it. `line` counts from 1."""

    path: str
    line: int
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.text}"


Check = Callable[[File], Iterator[tuple[int, str]]]


def functions(file: File) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(file.tree) if isinstance(node, Function))


def long_file(file: File) -> Iterator[tuple[int, str]]:
    """CD001: a file that holds a second idea."""
    if len(file.lines) > MOST_LINES_OF_FILE:
        yield 1, f"{len(file.lines)} lines; at most {MOST_LINES_OF_FILE}. Name the second idea in it and move it out."


def long_function(file: File) -> Iterator[tuple[int, str]]:
    """CD002: a function nobody reads in one go."""
    for node in functions(file):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MOST_LINES_OF_FUNCTION:
            yield node.lineno, f"{node.name} has {length} lines; at most {MOST_LINES_OF_FUNCTION}. Name its steps."


def many_parameters(file: File) -> Iterator[tuple[int, str]]:
    """CD003: parameters that want to be one value."""
    for node in functions(file):
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > MOST_PARAMETERS:
            yield node.lineno, f"{node.name} takes {count} parameters; at most {MOST_PARAMETERS}. Give them one struct."


def inner_import(file: File) -> Iterator[tuple[int, str]]:
    """CD004: an import that hides a dependency until a line is reached."""
    lines = {
        node.lineno
        for function in functions(file)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for line in sorted(lines):
        yield line, "import inside a function. Move it to the top; if that makes a circle, the modules are cut wrongly."


def broad_except(file: File) -> Iterator[tuple[int, str]]:
    """CD005: catching everything is for a step's edge, and says so with `# edge: why`."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in caught)
        passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None  # tidies up, hides nothing
        if broad and not passes_on and not _EDGE.search(file.lines[node.lineno - 1]):
            yield (
                node.lineno,
                "catches everything. Name the errors, or say on this line `# edge: why` if it is a step's edge.",
            )


def vague_name(file: File) -> Iterator[tuple[int, str]]:
    """CD006: names that become drawers."""
    for part in (*file.path.parts[:-1], file.path.stem):
        if part in VAGUE:
            yield 1, f"{part!r} says nothing. Name the file by its verb or by the one thing it holds."


def no_licence(file: File) -> Iterator[tuple[int, str]]:
    """CD007: the first line names the licence (the second after a `#!`)."""
    first = next((line for line in file.lines if not line.startswith("#!")), "")
    if first.strip() != SPDX:
        yield 1, f"the first line must be: {SPDX}"


def no_docstring(file: File) -> Iterator[tuple[int, str]]:
    """CD008: what others call says what it returns, in which units, and what it raises (installed code only)."""
    if not file.in_source:
        return
    if file.lines and not ast.get_docstring(file.tree) and file.tree.body:
        yield 1, "the module has no docstring."
    for node in _public(file.tree.body):
        if not ast.get_docstring(node):
            yield node.lineno, f"{node.name} is public and has no docstring."


def _public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def assembled_sql(file: File) -> Iterator[tuple[int, str]]:
    """CD009: SQL put together from pieces where it is run; tests may count any table by its name."""
    if file.path.parts[:1] == ("tests",):
        return
    for node in ast.walk(file.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr in RUNS_SQL and _assembled(node.args[0]):
            yield (
                node.lineno,
                f"SQL assembled for {node.func.attr}(). Name it in queries.sql and pass values beside it.",
            )


def _assembled(value: ast.expr) -> bool:
    if isinstance(value, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in value.values)
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Add | ast.Mod) and any(_text(side) for side in (value.left, value.right))
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in ("format", "format_map", "join", "replace") and _text(value.func.value)
    return False


def _text(value: ast.expr) -> bool:
    return (isinstance(value, ast.Constant) and isinstance(value.value, str)) or _assembled(value)


def silent_skip(file: File) -> Iterator[tuple[int, str]]:
    """CD010: a skipped test says why."""
    called = {id(node.func): node for node in ast.walk(file.tree) if isinstance(node, ast.Call)}
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Attribute):
            continue
        name = ast.unparse(node)
        if not name.endswith(("pytest.skip", "mark.skip", "mark.skipif", "mark.xfail")):
            continue
        call = called.get(id(node))
        if call is None or not _says_why(call, name):
            yield node.lineno, f"{name} without a reason."


def _says_why(call: ast.Call, name: str) -> bool:
    reasons = [word.value for word in call.keywords if word.arg in ("reason", "msg")]
    if name.endswith(("pytest.skip", "mark.skip")):
        reasons += call.args[:1]
    return any(not (isinstance(reason, ast.Constant) and not reason.value) for reason in reasons)


CHECKS: Final[dict[str, Check]] = {
    "CD001": long_file,
    "CD002": long_function,
    "CD003": many_parameters,
    "CD004": inner_import,
    "CD005": broad_except,
    "CD006": vague_name,
    "CD007": no_licence,
    "CD008": no_docstring,
    "CD009": assembled_sql,
    "CD010": silent_skip,
}
