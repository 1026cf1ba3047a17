# SPDX-License-Identifier: Apache-2.0
"""Revise a document in an editor, from a file, or field by field."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import typer

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def revise(body: bytes, file: Path | None, assign: list[str]) -> bytes:
    """`body` as the operator wants it: from `file` ("-" = standard input), by `path=value`, or from $EDITOR."""
    if file is not None:
        return sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    if assign:
        return assigned(body, assign)
    edited = click.edit(pretty(body), extension=".json")
    return body if edited is None or edited == pretty(body) else edited.encode()


def pretty(body: bytes) -> str:
    """JSON two spaces deep for an editor; what is no JSON as it is, bytes that are no UTF-8 shown as U+FFFD."""
    try:
        return msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def assigned(body: bytes, assign: list[str]) -> bytes:
    """`body` with each `path=value` set. A value that is JSON is taken as JSON when the old one was no text.

    Ends the command with code 2 when a path leads nowhere.
    """
    document = msgspec.json.decode(body)
    for text in assign:
        path, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not path=value", param_hint="--set")
        _set(document, path, value)
    return msgspec.json.encode(document)


def _set(document: Any, path: str, value: str) -> None:
    steps: list[Any] = [int(index) if index else name for name, index in _STEP.findall(path)]
    if not steps:
        raise typer.BadParameter(f"{path!r} is no path", param_hint="--set")
    *parents, last = steps
    here = document
    try:
        for step in parents:
            here = here[step]
        old = here[last] if isinstance(here, list) or last in here else None
        here[last] = value if isinstance(old, str) else _typed(value)
    except (KeyError, IndexError, TypeError) as error:
        raise typer.BadParameter(f"the document has no {path}", param_hint="--set") from error


def _typed(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot read {file}: {error.strerror}", param_hint="--file") from error
