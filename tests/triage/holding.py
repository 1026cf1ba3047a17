# SPDX-License-Identifier: Apache-2.0
"""What a case of a held order has that other cases have not."""

from __future__ import annotations

from typing import Any

from crossdock.errors import NeedsEdit
from crossdock.triage.failures import failures_kept, hold_of


def over_limit() -> NeedsEdit:
    """The failure of an order beyond its account's credit limit, as deciding names it."""
    error = NeedsEdit(
        "the total is 110.00, 0 of 100.00 USD credit is in use",
        field="total",
        rule="order.credit_limit",
        value="110.00",
        fix="lower the total to 100.00",
    )
    error.hold, error.mark = "credit", "00000000000000aa"
    return error


def held(*errors: NeedsEdit) -> dict[str, Any]:
    """The columns of a case of these failures, of one over the limit when none are given."""
    error = NeedsEdit.of(errors or (over_limit(),))
    return {
        "step": "decide",
        "rule": error.rule,
        "field": error.field,
        "value": str(error.value or ""),
        "reason": error.reason,
        "hold": hold_of(error),
        "failures": failures_kept(error),
    }
