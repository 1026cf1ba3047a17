# SPDX-License-Identifier: Apache-2.0
"""Enrich an order with what it did not say and we know (Content Enricher); what it said stays."""

from __future__ import annotations

from msgspec.structs import replace

from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.orders.tax import TaxService, with_tax_codes


def enriched(order: SalesOrder, customer: Party, entity: str, catalog: Catalog, tax: TaxService | None) -> SalesOrder:
    """`order`, in our words, with our account and the entity that sells; the account's payment terms when it names
    none, and tax context codes by `tax`."""
    account = catalog.customers.get(customer.id)
    terms = order.terms or (account.terms if account is not None else "")
    ours = replace(order, customer=customer, entity=entity, terms=terms)
    return ours if tax is None else with_tax_codes(ours, tax)
