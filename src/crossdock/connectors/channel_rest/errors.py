# SPDX-License-Identifier: Apache-2.0
"""What the channel's statuses mean for us. Source: docs/reference/channel-rest.md."""

from __future__ import annotations

from typing import Final

from crossdock.errors import NeedsEdit, RetryLater
from crossdock.sdk.http_status import Recovery, StatusTable, status_table

STATUSES: Final[StatusTable] = status_table(
    {
        404: Recovery(
            error=NeedsEdit,
            reason="the channel has no such order",
            fix="compare the order's key with the channel's order id; dismiss this one if the order was deleted there",
        ),
        409: Recovery(
            error=NeedsEdit,
            reason="the channel has another shipment under this reference",
            fix="compare both in the channel; correct the one there or dismiss this one",
        ),
        422: Recovery(
            error=NeedsEdit,
            reason="the channel refuses the shipment",
            fix="mend the field the channel names, then retry",
        ),
        429: Recovery(error=RetryLater, reason="the channel's calls per second are used up", throttled=True),
    }
)

# Of one level or price in a call that was answered with 207.
UNLISTED: Final = Recovery(
    error=NeedsEdit,
    reason="the channel does not list this SKU",
    fix="list it on the channel, correct crosswalk `sku`, or leave it out of what the channel is told",
)
REFUSED_LEVEL: Final = Recovery(
    error=NeedsEdit,
    reason="the channel refuses the number",
    fix="mend the field the channel names",
)
LEVEL_STATUSES: Final[StatusTable] = status_table({404: UNLISTED, 409: REFUSED_LEVEL, 422: REFUSED_LEVEL})
REFUSED_PRICE: Final = Recovery(
    error=NeedsEdit,
    reason="the channel refuses the price",
    fix="mend the field the channel names; its currency and its step are set under price_publication in the estate",
)
PRICE_STATUSES: Final[StatusTable] = status_table({404: UNLISTED, 409: REFUSED_PRICE, 422: REFUSED_PRICE})
