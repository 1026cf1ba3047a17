# SPDX-License-Identifier: Apache-2.0
"""Lint the shape of the code: `python -m tools.lint_shape PATH…` prints findings and exits 1 if there are any.

A line ends a rule for itself with `# CD002: why it must be so`; for a rule about a whole file (CD001, CD006, CD007)
the comment stands alone on one of the first five lines. An exemption without a reason, or of a rule that did not
fire, is a finding itself (CD000).
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from tools.shape_rules import CHECKS, File, Finding

_EXEMPT = re.compile(r"#\s*(CD\d{3})\b(?::?\s*(.*))?$")
_OF_FILE = frozenset({"CD001", "CD006", "CD007"})
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "static", "site", ".venv"})


def lint_text(path: str, text: str) -> list[Finding]:
    """Findings in one file, sorted. `path` decides which rules apply (docstrings are for `src/` only).

    Raises SyntaxError when the text is not Python.
    """
    file = File(PurePath(path), text.splitlines(), ast.parse(text, filename=path))
    exempt = dict(_exemptions(text))
    used: set[tuple[int, str]] = set()
    findings = []
    for code, check in CHECKS.items():
        for line, message in check(file):
            mark = _mark_for(exempt, line, code)
            if mark is None:
                findings.append(Finding(path, line, code, message))
            else:
                used.add(mark)
    for (line, code), reason in exempt.items():
        if not reason:
            findings.append(Finding(path, line, "CD000", f"the exemption from {code} gives no reason."))
        elif (line, code) not in used:
            findings.append(Finding(path, line, "CD000", f"{code} does not fire here; take the exemption away."))
    return sorted(findings)


def _exemptions(text: str) -> Iterator[tuple[tuple[int, str], str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        match = _EXEMPT.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            yield (token.start[0], match[1]), (match[2] or "").strip()


def _mark_for(exempt: dict[tuple[int, str], str], line: int, code: str) -> tuple[int, str] | None:
    places = range(1, 6) if code in _OF_FILE else (line,)
    return next(((place, code) for place in places if (place, code) in exempt), None)


def lint_paths(roots: Iterable[Path]) -> list[Finding]:
    """Findings in every Python file under `roots`; a root that does not exist is passed over."""
    findings = []
    for root in roots:
        for path in sorted(root.rglob("*.py")) if root.is_dir() else []:
            if not _PASSED_OVER.intersection(path.parts):
                findings += lint_text(str(path), path.read_text(encoding="utf-8"))
    return findings


def main(arguments: list[str]) -> int:
    """Print what was found; 1 if anything was."""
    findings = lint_paths(Path(name) for name in arguments or ["src", "tools", "tests"])
    for finding in findings:
        print(finding)
    print(f"lint_shape: {len(findings)} findings" if findings else "lint_shape: all in shape")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
