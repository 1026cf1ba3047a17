# SPDX-License-Identifier: Apache-2.0
"""What deciding on returns needs to know besides the documents."""

from __future__ import annotations

from collections.abc import Container, Mapping

from msgspec import Struct

from crossdock.journal.decided import NewDelivery
from crossdock.returns.policy import ReturnRules
from crossdock.returns.sold import Products, Sold


class ReturnContext(Struct, frozen=True, kw_only=True):
    """`sold`: the orders of the batch with their returns, whose turns are taken; they change as it is decided on.

    `system_of`: location → who works there; `channel_system`: channel → its system; `told`: the (system, operation)
    that the estate has an outgoing interface for: nobody else is told.
    """

    sold: Mapping[str, Sold]
    rules: ReturnRules
    products: Products
    system_of: Mapping[str, str]
    channel_system: Mapping[str, str]
    told: Container[tuple[str, str]]

    def tell(
        self, system: str, operation: str, kind: str, reference: str, body: bytes | None = None
    ) -> tuple[NewDelivery, ...]:
        """The obligation to tell `system`, none when it is not told of such."""
        if (system, operation) not in self.told:
            return ()
        return (NewDelivery(system=system, operation=operation, object=kind, reference=reference, body=body),)
