# SPDX-License-Identifier: Apache-2.0
"""One thing wrong with a return."""

from __future__ import annotations

from crossdock.errors import NeedsEdit


def edit(field: str, rule: str, value: object, reason: str, fix: str) -> NeedsEdit:
    """The failure of rule `return.RULE` at `field`; `fix` is the smallest change that would make it pass."""
    return NeedsEdit(reason, field=field, rule=f"return.{rule}", value=value, fix=fix)
