# SPDX-License-Identifier: Apache-2.0
"""One thing wrong with an order."""

from __future__ import annotations

from crossdock.errors import NeedsEdit


def edit(field: str, rule: str, value: object, reason: str, fix: str, about: str = "") -> NeedsEdit:
    """The failure of rule `order.RULE` at `field`; `fix` is the smallest change that would make it pass. `about`: what
    tells two failures with this value apart, so that a release of the one is none of the other."""
    failure = NeedsEdit(reason, field=field, rule=f"order.{rule}", value=value, fix=fix)
    failure.about = about
    return failure
