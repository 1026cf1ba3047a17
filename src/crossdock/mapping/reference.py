# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reference/mapping.md, written from the code they describe."""

from __future__ import annotations

import inspect

from crossdock.mapping.converters import CONVERTERS, usage


def converter_table() -> str:
    """The standard converters as a Markdown table: how each is written and what it does."""
    rows = [
        f"| `{_escaped(usage(name, convert))}` | {_told(convert.__doc__)} |" for name, convert in CONVERTERS.items()
    ]
    return "\n".join(["| converter | gives |", "|---|---|", *rows, ""])


def _told(docstring: str | None) -> str:
    return _escaped(" ".join(inspect.cleandoc(docstring or "").split()))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
