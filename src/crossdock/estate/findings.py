# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an estate: where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from crossdock.errors import NeedsConfig

Severity = Literal["error", "warning"]


class Finding(Struct, frozen=True, order=True):
    """One thing to mend. `where`: "file:line path.in.the.estate"."""

    where: str
    what: str
    fix: str
    severity: Severity = "error"


class EstateError(NeedsConfig):
    """The estate cannot be used until the findings are mended."""

    code = "estate"

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{first.where}: {first.what}{more}", fix=first.fix)
        self.findings = tuple(findings)
