# SPDX-License-Identifier: Apache-2.0
"""Mappings from YAML: the same words as in Python, checked, with every error at its file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from crossdock.mapping.compile import compile_mapping
from crossdock.mapping.failures import MappingError, Problem
from crossdock.sdk.words import Mapping

_LARGEST_FILE = 1_000_000
_MOST_NODES = 50_000
_TRUSTED = "crossdock.connectors."
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_PLACE = re.compile(r" - at `\$(?P<path>.*)`$")
_STEPS = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")

Place = tuple[str | int, ...]


def load_mapping(path: Path, *, functions: bool = False) -> Mapping:
    """The mapping in the YAML file `path`, compiled once to check it.

    `functions`: whether the file may name any Python module of converters, which then runs; those of installed
    connectors it may name anyway. Raises MappingError: every line of its reason is "file:line: what is
    wrong (how to mend it)".
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise MappingError(f"{path}: larger than {_LARGEST_FILE:,} bytes", fix="split the mapping")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}", fix="correct the path of the mapping file") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"{path}: not UTF-8 at byte {error.start}", fix="save the file as UTF-8") from error
    return parse_mapping(text, str(path), functions=functions)


def parse_mapping(text: str, name: str, *, functions: bool = False) -> Mapping:
    """As `load_mapping`, from `text`; `name` stands for the file in errors."""
    lines: dict[Place, int] = {}
    content = _read(text, name, lines)
    try:
        mapping = msgspec.convert(content, type=Mapping)
    except msgspec.ValidationError as error:
        said, place = _placed(str(error))
        raise MappingError(f"{name}:{_line(lines, place)}: {said}", fix="see docs/reference/mapping.md") from error
    if mapping.functions and not functions and not mapping.functions.startswith(_TRUSTED):
        raise MappingError(
            f"{name}:{_line(lines, ('functions',))}: this file may not name functions outside of connectors",
            fix="use standard converters, or those of a connector",
        )
    try:
        compile_mapping(mapping)
    except MappingError as error:
        problems = [
            Problem(problem.target, f"{name}:{_line(lines, _find(content, problem.target))}: {problem}", problem.fix)
            for problem in error.problems
        ]
        said = "\n".join(problem.reason for problem in problems)
        raise MappingError(said, rule=mapping.label, fix=error.fix, problems=problems) from error
    return mapping


def mapping_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a mapping file, for editors."""
    schema = msgspec.json.schema(Mapping)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/schemas/mapping/1",
        "title": "mapping",
        **schema,
    }


def _read(text: str, name: str, lines: dict[Place, int]) -> Any:
    if len(text) > _LARGEST_FILE:
        raise MappingError(f"{name}: larger than {_LARGEST_FILE:,} characters", fix="split the mapping")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}" if mark else ""
        raise MappingError(f"{name}{where}: not YAML: {error.problem}", fix="correct the file's YAML") from error
    except yaml.YAMLError as error:
        raise MappingError(f"{name}: not YAML: {error}", fix="correct the file's YAML") from error
    except RecursionError as error:
        raise MappingError(f"{name}: nested too deeply", fix="flatten the mapping") from error
    if node is None:
        raise MappingError(f"{name}:1: the file is empty", fix="write a mapping, see docs/reference/mapping.md")
    return _Reader(name, lines).plain(node, ())


class _Reader:
    """YAML nodes to plain data, remembering lines; what YAML 1.1 guesses wrongly (NO, 010, 12:30) stays text."""

    def __init__(self, name: str, lines: dict[Place, int]) -> None:
        self.name = name
        self.lines = lines
        self.count = 0

    def plain(self, node: yaml.Node, place: Place) -> Any:
        self.count += 1
        line = node.start_mark.line + 1
        if self.count > _MOST_NODES or len(place) > 60:
            raise MappingError(
                f"{self.name}:{line}: too much or too deeply nested", fix="split the mapping, use no aliases"
            )
        self.lines[place] = line
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(element, (*place, index)) for index, element in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._table(node, place)
        return _scalar(node.value) if isinstance(node, yaml.ScalarNode) and node.style is None else node.value

    def _table(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise MappingError(f"{self.name}:{line}: a key must be a plain word", fix="write `word: value`")
            if key in table:
                raise MappingError(f"{self.name}:{line}: {key} is given twice", fix="keep one of the two")
            table[key] = self.plain(value_node, (*place, key))
            self.lines[(*place, key)] = line
        return table


def _scalar(written: str) -> Any:
    if written in ("", "~", "null"):
        return None
    if written in ("true", "false"):
        return written == "true"
    if _INTEGER.fullmatch(written):
        return int(written)
    # A decimal stays text: a float would lose digits, and decimal fields read text.
    return written


def _placed(message: str) -> tuple[str, Place]:
    """msgspec's message without its path, and the path."""
    found = _PLACE.search(message)
    if not found:
        return message, ()
    steps = [int(index) if index.isdecimal() else key or index for index, key in _STEPS.findall(found["path"])]
    return message[: found.start()], tuple(steps)


def _line(lines: dict[Place, int], place: Place) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _find(content: Any, target: str) -> Place:
    """Where the rule for `target` (nested ones dotted: "lines.sku") stands in the file's content."""
    return _find_in(content.get("rules") or [], target, ("rules",))


def _find_in(rules: list[dict[str, Any]], target: str, place: Place) -> Place:
    best: Place = place
    for index, rule in enumerate(rules):
        own = str(rule.get("target", ""))
        if own == target:
            return (*place, index)
        if target.startswith(f"{own}.") and rule.get("each"):
            return _find_in(rule["each"], target[len(own) + 1 :], (*place, index, "each"))
        if own.startswith(f"{target}."):
            best = (*place, index)
    return best
