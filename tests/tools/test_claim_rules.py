# SPDX-License-Identifier: Apache-2.0
"""Each rule of lint_claims fires on a claim that does not hold, and is quiet on one that does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tools import claim_rules
from tools.shape_rules import Finding


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "pyproject.toml", '[[contracts]]\nid = "layers"\n')
    write(tmp_path, "src/crossdock/orders/accept.py", "class SalesOrder: ...\n")
    write(tmp_path, "tests/test_kept.py", "def test_kept(): ...\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def places(findings: Iterable[Finding]) -> list[tuple[int, str]]:
    return [(finding.line, finding.code) for finding in findings]


@pytest.mark.parametrize("host", ["pypi", "files.pythonhosted", "registry.npmjs", "deb.debian"])
def test_a_registry_host_is_found_anywhere(root: Path, host: str) -> None:
    name = write(root, "lock.txt", "a==1\n--index-url https://" + host + ".org/simple\n")
    assert places(claim_rules.registry_hosts(root, [name])) == [(2, "CL001")]


def test_other_hosts_and_binary_files_pass(root: Path) -> None:
    names = [write(root, "a.md", "https://example.com/debian"), write(root, "b.gz", "pypi." + "org"), "not-there"]
    assert places(claim_rules.registry_hosts(root, names)) == []


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ("Check: `lint-imports layers`", []),
        ("Check: `lint_shape CD009`, `tests/test_kept.py::test_kept`", []),
        ("Check: `lint-imports nothing`", [(3, "CL002")]),
        ("Check: `lint_shape CD999`", [(3, "CL002")]),
        ("Check: `tests/test_kept.py::test_lost`", [(3, "CL002")]),
        ("Check: `tests/test_lost.py`", [(3, "CL002")]),
        ("Check: we are careful", [(3, "CL002")]),
        ("word " * 250 + "`lint_shape CD009`", [(1, "CL002"), (3, "CL002")]),
    ],
)
def test_a_decision_is_short_and_ends_with_a_check(root: Path, last: str, found: list[tuple[int, str]]) -> None:
    write(root, "docs/decisions/0001-a.md", f"# 0001 A\n\n{last}\n")
    assert places(claim_rules.decisions(root)) == found


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("2.feature.md", "Orders can be cancelled.", []),
        ("2.feature.1.md", "Orders can be cancelled.", []),
        ("+speed.change.md", "Orders are taken faster.", []),
        ("README.md", "", []),
        ("2.feature.md", "Better.", [(1, "CL003")]),
        ("2.feature.md", "word " * 81, [(1, "CL003")]),
        ("2.doc.md", "Orders can be cancelled.", [(1, "CL003")]),
        ("cancel.md", "Orders can be cancelled.", [(1, "CL003")]),
    ],
)
def test_a_change_is_named_and_says_something(root: Path, name: str, text: str, found: list[tuple[int, str]]) -> None:
    write(root, f"changes/{name}", text)
    assert places(claim_rules.changes(root)) == found


def test_links_lead_somewhere(root: Path) -> None:
    text = "[a](tests/test_kept.py#L1) [b](https://example.com) [c](#top)\n[d](docs/lost.md)\n"
    assert places(claim_rules.links(root, [write(root, "README.md", text)])) == [(2, "CL004")]


def test_glossary_words_are_in_order_once_and_real(root: Path) -> None:
    head = "| word | meaning |\n|---|---|\n"
    write(root, "docs/glossary.md", head + "| case | x |\n| `SalesOrder` | y |\n")
    assert places(claim_rules.glossary(root)) == []
    write(root, "docs/glossary.md", head + "| case | x |\n| case | y |\n| board | z |\n| `Lost` | w |\n")
    assert places(claim_rules.glossary(root)) == [(4, "CL005"), (5, "CL005"), (6, "CL005")]


def test_guarantees_name_a_test_or_say_why_not(root: Path) -> None:
    rows = [
        "| G1 | kept | `tests/test_kept.py::test_kept` |",
        "| G2 | once | not yet: the flow is missing |",
        "| G3 | order | we are careful |",
        "| G4 | stock | `tests/test_lost.py` |",
    ]
    write(root, "docs/guarantees.md", "\n".join(rows))
    assert places(claim_rules.guarantees(root)) == [(3, "CL006"), (4, "CL006")]


def test_queries_are_named_once_and_described(root: Path) -> None:
    good = "-- name: keep\n-- Keeps new messages.\nSELECT 1\n"
    write(
        root,
        "src/crossdock/journal/queries.sql",
        good + "-- name: keep\n-- Again it keeps.\n-- name: Lose-It\nSELECT\n",
    )
    assert places(claim_rules.queries(root)) == [(4, "CL007"), (6, "CL007"), (6, "CL007")]


def test_migrations_are_numbered_without_a_gap(root: Path) -> None:
    write(root, "src/crossdock/migrations/versions/0001_spine.sql", "")
    assert places(claim_rules.migrations(root)) == []
    write(root, "src/crossdock/migrations/versions/0003_more.sql", "")
    assert places(claim_rules.migrations(root)) == [(1, "CL008")]


def test_what_changes_a_delivery_compares_the_fence(root: Path) -> None:
    good = "-- name: record\n-- Writes ends.\nUPDATE delivery d SET fence = NULL WHERE d.fence = $1\n"
    name = "src/crossdock/delivery/queries.sql"
    write(root, name, good + "-- name: see\n-- Reads.\nSELECT FROM delivery\n")
    assert places(claim_rules.fences(root)) == []
    write(root, name, good + "-- name: free\n-- Frees.\nUPDATE delivery SET fence = $1\n")
    assert places(claim_rules.fences(root)) == [(4, "CL009")]
    write(root, "src/crossdock/delivery/record.py", "conn.fetchval(SQL.check_fence, 1)\nconn.execute(SQL.free, 1)\n")
    assert places(claim_rules.fences(root)) == []
    write(root, "src/crossdock/delivery/hasty.py", "conn.execute(SQL.free, 1)\n")
    assert places(claim_rules.fences(root)) == [(4, "CL009")]
