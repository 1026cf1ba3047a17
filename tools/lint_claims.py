# SPDX-License-Identifier: Apache-2.0
"""Lint what the project claims: `python -m tools.lint_claims [ROOT]` prints findings and exits 1 if there are any."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain
from pathlib import Path

from tools import claim_rules as rules
from tools.shape_rules import Finding


def project_files(root: Path) -> list[str]:
    """Names of the files git knows or would add, sorted, relative to `root`. Raises CalledProcessError outside git."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    return sorted({name for name in listing.stdout.decode().split("\0") if name})


def lint(root: Path, names: list[str]) -> list[Finding]:
    """Every finding about the files `names` and the records under `root`, sorted."""
    return sorted(
        chain(
            rules.registry_hosts(root, names),
            rules.decisions(root),
            rules.changes(root),
            rules.links(root, names),
            rules.glossary(root),
            rules.guarantees(root),
            rules.queries(root),
            rules.migrations(root),
            rules.fences(root),
        )
    )


def main(arguments: list[str]) -> int:
    """Print what was found; 1 if anything was."""
    root = Path(arguments[0] if arguments else ".").resolve()
    findings = lint(root, project_files(root))
    for finding in findings:
        print(finding)
    print(f"lint_claims: {len(findings)} findings" if findings else "lint_claims: every claim holds")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
