# SPDX-License-Identifier: Apache-2.0
"""A plain JSON warehouse: fulfillment orders out, signed events in (docs/reference/warehouse-rest.md)."""
