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

    def tell(self, wanted: NewDelivery) -> tuple[NewDelivery, ...]:
        """The obligation, none when its system is not told of such."""
        return (wanted,) if (wanted.system, wanted.operation) in self.told else ()


def to_erp(sold: Sold, operation: str, kind: str, reference: str, body: bytes | None = None) -> NewDelivery:
    """What the ERP of an order is told of its return: after the order itself and what has left of it."""
    key = f"order/{sold.order.order_key}"
    return NewDelivery(system=sold.erp, operation=operation, object=kind, reference=reference, body=body, key=key)
