# SPDX-License-Identifier: Apache-2.0
"""A plain JSON warehouse: fulfillment orders out, signed stock and shipment events in (docs/reference/warehouse-rest.md)."""
