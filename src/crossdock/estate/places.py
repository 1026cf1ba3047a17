# SPDX-License-Identifier: Apache-2.0
"""Findings about one place of an estate."""

from __future__ import annotations

from collections.abc import Container, Iterator

from crossdock.estate.findings import Finding, Severity
from crossdock.estate.load import Estate

At = tuple[str | int, ...]


def at_place(estate: Estate, at: At, what: str, fix: str, severity: Severity = "error") -> Finding:
    """A finding about the entry at path `at`."""
    return Finding(f"{estate.place(*at)} {'.'.join(map(str, at))}", what, fix, severity)


def unresolved(estate: Estate, at: At, section: str, name: str, known: Container[str]) -> Iterator[Finding]:
    """A finding when `name`, which the entry at `at` refers to, is not in `section` of the estate."""
    if name not in known:
        fix = f"add it under {section}, or correct the name"
        yield at_place(estate, at, f"there is no {name!r} among the {section}", fix)
