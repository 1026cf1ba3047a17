# SPDX-License-Identifier: Apache-2.0
"""A word is in the glossary before a class or a table carries it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from msgspec import Struct

from crossdock import canonical, errors
from tools.claim_rules import cells_of

ROOT = Path(__file__).resolve().parents[2]


def words() -> set[str]:
    """Every word of the glossary and every name in backticks in it, in lower case without underscores."""
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rows = [cells for line in text.splitlines() if (cells := cells_of(line))]
    found = {cells[0].strip("`") for cells in rows}
    found |= {name for cells in rows for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    return {_plain(word) for word in found}


def _plain(word: str) -> str:
    return re.sub(r"[ _]", "", word).lower()


def test_every_canonical_object_and_error_has_its_line() -> None:
    modules = [import_module(f"crossdock.canonical.{module.name}") for module in iter_modules(canonical.__path__)]
    classes = {
        name
        for module in (*modules, errors)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Struct | Exception) and value.__module__ == module.__name__
    }
    assert {"SalesOrder", "Money", "NeedsEdit"} <= classes
    assert {name for name in classes if _plain(name) not in words()} == set()


def test_every_table_has_its_line() -> None:
    versions = (ROOT / "src/crossdock/migrations/versions").glob("*.sql")
    sql = "".join(path.read_text(encoding="utf-8") for path in versions)
    tables = set(re.findall(r"CREATE TABLE (\w+)", sql))
    assert {"message", "delivery", "channel_stock"} <= tables
    assert {name for name in tables if _plain(name) not in words()} == set()
