# SPDX-License-Identifier: Apache-2.0
"""What the warehouse's statuses mean for us. Source: docs/reference/warehouse-rest.md."""

from __future__ import annotations

from typing import Final

from crossdock.errors import NeedsEdit, RetryLater
from crossdock.sdk.http_status import Recovery, StatusTable, status_table

CONFLICT: Final = Recovery(
    error=NeedsEdit,
    reason="the warehouse has another fulfillment order under this reference, or has cancelled it",
    fix="compare both in the warehouse; cancel the one there or dismiss this one",
)
REFUSED: Final = Recovery(
    error=NeedsEdit,
    reason="the warehouse refuses the fulfillment order",
    fix="mend the field the warehouse names, or correct its crosswalk, then retry",
)
SHIPPED: Final = Recovery(
    error=NeedsEdit,
    reason="the warehouse cannot cancel any more: something of it has shipped",
    fix="tell the warehouse to stop what has not left, or wait for the goods to come back",
)
RETURN_CONFLICT: Final = Recovery(
    error=NeedsEdit,
    reason="the warehouse has another return under this reference, or has cancelled it",
    fix="compare both in the warehouse; cancel the one there or dismiss this one",
)
RETURN_REFUSED: Final = Recovery(
    error=NeedsEdit,
    reason="the warehouse refuses to expect the return",
    fix="mend the field the warehouse names, or correct its crosswalk, then retry",
)
RETURN_BEGUN: Final = Recovery(
    error=NeedsEdit,
    reason="the warehouse cannot cancel any more: goods of the return have come back",
    fix="wait for what the warehouse says of them, then dismiss this with the reason",
)

STATUSES: Final[StatusTable] = status_table(
    {
        409: CONFLICT,
        422: REFUSED,
        429: Recovery(error=RetryLater, reason="the warehouse's calls per second are used up", throttled=True),
    }
)
