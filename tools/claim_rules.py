# SPDX-License-Identifier: Apache-2.0
"""The rules of `lint_claims`: what a page, a record or a fragment says must be there, is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.shape_rules import CHECKS, Finding

MOST_WORDS_OF_DECISION: Final = 250
MOST_WORDS_OF_CHANGE: Final = 80
CHANGE_TYPES: Final = ("feature", "change", "fix", "removal")
_NO_TEXT: Final = frozenset({".gz", ".png", ".ico", ".woff2", ".der", ".zip"})
# Package registries, by the part of the name that is theirs. Mirrors stand in for them, so no file may name one.
_REGISTRY: Final = re.compile(
    r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|yarnpkg|jsdelivr|unpkg|deb\.debian|rubygems)\.(?:org|com|net)\b", re.I
)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TICKED: Final = re.compile(r"`([^`]+)`")
# With the table's letter or as a distinction: `SET fence = $2` compares nothing.
_FENCED: Final = re.compile(r"\b[a-z]\.fence\s*=\s*\$\d|\bfence\s*(<>?|IS DISTINCT FROM)\s*\$\d")
_ROW: Final = re.compile(r"^\|(.+)\|\s*$")


def registry_hosts(root: Path, names: list[str]) -> Iterator[Finding]:
    """CL001: no file names a package registry's host."""
    for name in names:
        path = root / name
        if path.suffix in _NO_TEXT or not path.is_file() or path.is_symlink():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            found = _REGISTRY.search(line)
            if found:
                yield Finding(name, number, "CL001", f"names the registry {found[0]}; leave the host out.")


def decisions(root: Path) -> Iterator[Finding]:
    """CL002: a decision record is short and ends with `Check:` and the check that enforces it, which exists."""
    for path in sorted((root / "docs/decisions").glob("[0-9]*.md")):
        name, text = str(path.relative_to(root)), path.read_text(encoding="utf-8")
        lines = text.rstrip().splitlines()
        words = len(text.split())
        if words >= MOST_WORDS_OF_DECISION:
            yield Finding(name, 1, "CL002", f"{words} words; a record has fewer than {MOST_WORDS_OF_DECISION}.")
        if not lines or not lines[-1].startswith("Check: ") or not _TICKED.search(lines[-1]):
            yield Finding(name, len(lines), "CL002", "the last line must be: Check: `the check that enforces this`.")
            continue
        for check in _TICKED.findall(lines[-1]):
            if not exists(root, check):
                yield Finding(name, len(lines), "CL002", f"there is no check {check!r}.")


def exists(root: Path, check: str) -> bool:
    """Whether a check is there: `lint-imports ID`, `lint_shape CODE`, a file, or `file::test`."""
    tool, _, which = check.partition(" ")
    if tool == "lint-imports":
        return f'id = "{which}"' in (root / "pyproject.toml").read_text(encoding="utf-8")
    if tool == "lint_shape":
        return which in CHECKS
    place, _, test = check.partition("::")
    path = root / place
    if not test:
        return path.exists()
    return path.is_file() and f"def {test.split('[')[0]}(" in path.read_text(encoding="utf-8")


def changes(root: Path) -> Iterator[Finding]:
    """CL003: a change fragment is named ISSUE.TYPE.md (or +WORD.TYPE.md) and tells a user something in a few words."""
    for path in sorted((root / "changes").iterdir()) if (root / "changes").is_dir() else []:
        name = str(path.relative_to(root))
        if path.name in ("README.md", ".gitignore"):
            continue
        if not re.fullmatch(rf"(\d+|\+[\w-]+)\.({'|'.join(CHANGE_TYPES)})(\.\d+)?\.md", path.name):
            yield Finding(name, 1, "CL003", f"name it ISSUE.TYPE.md; types are {', '.join(CHANGE_TYPES)}.")
            continue
        words = len(path.read_text(encoding="utf-8").split())
        if not 4 <= words <= MOST_WORDS_OF_CHANGE:
            yield Finding(name, 1, "CL003", f"{words} words; say in 4 to {MOST_WORDS_OF_CHANGE} what a user notices.")


def links(root: Path, names: list[str]) -> Iterator[Finding]:
    """CL004: a page's links to other files of the repository lead somewhere."""
    for name in names:
        path = root / name
        if path.suffix != ".md" or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            places = [target.split("#")[0] for target in _LINK.findall(line)]
            ours = [p for p in places if p and "://" not in p and not p.startswith(("mailto:", "/"))]
            for place in ours:
                if not (path.parent / place).exists():
                    yield Finding(name, number, "CL004", f"the link to {place} leads nowhere.")


def glossary(root: Path) -> Iterator[Finding]:
    """CL005: glossary words are in order, said once, and a word in backticks is a name in the source."""
    path = root / "docs/glossary.md"
    if not path.is_file():
        return
    source = "\n".join(
        file.read_text(encoding="utf-8")
        for kind in ("*.py", "*.sql")
        for file in sorted((root / "src").rglob(kind))
        if "node_modules" not in file.parts
    )
    before = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("## "):
            before = ""  # each section has an order of its own
        cells = cells_of(line)
        if not cells or cells[0] in ("word", "pattern", "") or set(cells[0]) <= {"-", ":"}:
            continue
        word = cells[0].replace("`", "")
        if word.casefold() <= before.casefold():
            yield Finding(
                "docs/glossary.md", number, "CL005", f"{word!r} comes after {before!r}: keep the order, once each."
            )
        before = word
        for name in _TICKED.findall(cells[0]):
            if not re.search(rf"\b{re.escape(name)}\b", source):
                yield Finding("docs/glossary.md", number, "CL005", f"nothing in src/ is called {name!r}.")


def guarantees(root: Path) -> Iterator[Finding]:
    """CL006: what docs/guarantees.md promises is shown by a check that exists, or says `not yet:` and why."""
    path = root / "docs/guarantees.md"
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        cells = cells_of(line)
        if not cells or not re.fullmatch(r"G\d+", cells[0]):
            continue
        checks = _TICKED.findall(cells[-1])
        if not checks and not cells[-1].startswith("not yet: "):
            yield Finding(
                str(path.relative_to(root)), number, "CL006", f"{cells[0]} names no test and no reason why not."
            )
        for check in checks:
            if not exists(root, check):
                yield Finding(str(path.relative_to(root)), number, "CL006", f"{cells[0]}: there is no check {check!r}.")


def cells_of(line: str) -> list[str]:
    """The cells of a row of a Markdown table, stripped; empty for another line."""
    row = _ROW.match(line)
    return [cell.strip() for cell in row[1].split("|")] if row else []


def queries(root: Path) -> Iterator[Finding]:
    """CL007: each statement in a queries.sql has a name of its own and a line that says what it does."""
    for path in sorted((root / "src").rglob("queries.sql")):
        name, seen = str(path.relative_to(root)), set[str]()
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if not line.startswith("-- name:"):
                continue
            query = line.removeprefix("-- name:").strip()
            if not re.fullmatch(r"[a-z][a-z0-9_]*", query) or query in seen:
                yield Finding(name, number, "CL007", f"{query!r} is no name of its own in snake_case.")
            seen.add(query)
            after = lines[number] if number < len(lines) else ""
            if not re.match(r"-- \S+ \S+", after):
                yield Finding(name, number, "CL007", f"{query} has no line that says what it does.")


def migrations(root: Path) -> Iterator[Finding]:
    """CL008: migrations are SQL files numbered 0001, 0002 ... without a gap or a double."""
    names = sorted(path.name for path in (root / "src/crossdock/migrations/versions").glob("*.sql"))
    for place, name in enumerate(names, 1):
        if not re.fullmatch(rf"{place:04d}_[a-z0-9_]+\.sql", name):
            yield Finding(
                f"src/crossdock/migrations/versions/{name}", 1, "CL008", f"expected {place:04d}_what.sql here."
            )


def fences(root: Path) -> Iterator[Finding]:
    """CL009: what changes a delivery compares the fence of the lease, or is run by modules that check it first."""
    folder = root / "src/crossdock/delivery"
    path = folder / "queries.sql"
    if not path.is_file():
        return
    modules = [module.read_text(encoding="utf-8") for module in sorted(folder.glob("*.py"))]
    line = 1
    for statement in re.split(r"(?m)^(?=-- name:)", path.read_text(encoding="utf-8")):
        if re.search(r"\b(UPDATE|DELETE FROM) delivery\b", statement) and not _FENCED.search(statement):
            name = statement.partition("\n")[0].removeprefix("-- name:").strip()
            users = [text for text in modules if f"SQL.{name}," in text or f"SQL.{name})" in text]
            if not users or not all("SQL.check_fence" in text for text in users):
                yield Finding(str(path.relative_to(root)), line, "CL009", f"{name} does not compare the fence.")
        line += statement.count("\n")
