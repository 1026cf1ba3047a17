# SPDX-License-Identifier: Apache-2.0
"""A plain JSON warehouse, as docs/reference/warehouse-rest.md describes it."""

from crossdock.sandbox.signing import signed_headers
from crossdock.sandbox.warehouse.simulator import WarehouseConfig, WarehouseSim

__all__ = ["WarehouseConfig", "WarehouseSim", "signed_headers"]
