# SPDX-License-Identifier: Apache-2.0
"""YAML as plain data that remembers where everything stood; bounded, without aliases, tags or repeated keys.

Only `true`, `false`, `null` and numbers are special: `NO` stays the text it looks like (YAML 1.1 would make it false).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from crossdock.estate.findings import EstateError, Finding

MAX_FILE_BYTES = 2_000_000
MAX_DEPTH = 30
At = tuple[str | int, ...]
Scalar = Callable[[yaml.Node], Any]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?[0-9]+\.[0-9]+")
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,308})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Place(Struct, frozen=True):
    """Where something stands: a file and a line, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}"


class Source(Struct, frozen=True):
    """What one YAML file says: plain data, and the place of every key and element by its path."""

    data: Any
    places: dict[At, Place]


def read_source(
    file: Path, *, largest: int = MAX_FILE_BYTES, deepest: int = MAX_DEPTH, json_numbers: bool = False
) -> Source:
    """Read one YAML file, at most `largest` bytes and `deepest` levels. EstateError names file, line and fix.

    `json_numbers`: whatever JSON takes for a number is one (1e3, integers of 64 bits), not only what is plainly one.
    """
    try:
        size = file.stat().st_size
        if size > largest:
            what = f"the file has {size} bytes, at most {largest}"
            raise _refusal(Place(file, 1), what, "make it smaller; an estate is split by include")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise _refusal(Place(file, 1), f"cannot be read: {error.strerror}", f"put the file at {file}") from error
    except UnicodeDecodeError as error:
        raise _refusal(Place(file, 1), f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    try:
        _guard(file, text, deepest)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1 if mark else 1)
        raise _refusal(place, f"not YAML: {error.problem}", "mend the line; indentation counts") from error
    except yaml.YAMLError as error:
        raise _refusal(Place(file, 1), f"not YAML: {error}", "remove characters that cannot be printed") from error
    places: dict[At, Place] = {(): Place(file, 1)}
    scalar = _json_scalar if json_numbers else _scalar
    data = None if root is None else _plain(root, (), file, places, scalar)
    return Source(data, places)


def _refusal(place: Place, what: str, fix: str) -> EstateError:
    return EstateError([Finding(str(place), what, fix)])


def _guard(file: Path, text: str, deepest: int) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = Place(file, _line(event.start_mark))
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refusal(place, "anchors and aliases are not read", "write the value out where it is used")
        if tag := getattr(event, "tag", None):
            raise _refusal(place, f"the tag {tag} is not read", "leave the tag out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > deepest:
                raise _refusal(place, f"nested deeper than {deepest} levels", "nest less; an estate needs at most ten")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1


def _plain(node: yaml.Node, at: At, file: Path, places: dict[At, Place], scalar: Scalar) -> Any:
    places.setdefault(at, Place(file, _line(node.start_mark)))
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, at, file, places, scalar))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*at, number), file, places, scalar) for number, child in enumerate(node.value)]
    return scalar(node)


def _pairs(
    node: yaml.MappingNode, at: At, file: Path, places: dict[At, Place], scalar: Scalar
) -> Iterator[tuple[str, Any]]:
    for key_node, value_node in node.value:
        place = Place(file, _line(key_node.start_mark))
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refusal(place, "a key is not a plain name", "write `name: value`")
        key = str(key_node.value)
        if (*at, key) in places:
            raise _refusal(place, f"{key!r} is there twice, first at {places[(*at, key)]}", "keep one of them")
        places[(*at, key)] = place
        yield key, _plain(value_node, (*at, key), file, places, scalar)


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _json_scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    number = _JSON_NUMBER.fullmatch(text) if getattr(node, "style", None) is None else None
    if number is None:
        return _scalar(node)
    if number[2] is None and number[3] is None and -(2**63) <= int(text) < 2**64:
        return int(text)
    return float(text) if isfinite(float(text)) else text
