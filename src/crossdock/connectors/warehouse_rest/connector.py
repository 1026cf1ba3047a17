# SPDX-License-Identifier: Apache-2.0
"""Wires the warehouse connector together."""

from __future__ import annotations

from typing import Final

from crossdock.connectors.warehouse_rest.list_stock import WarehouseLister
from crossdock.connectors.warehouse_rest.mapping import MAPPINGS
from crossdock.connectors.warehouse_rest.receiver import WarehouseReceiver
from crossdock.connectors.warehouse_rest.sender import WarehouseSender
from crossdock.sdk.connector import Connector
from crossdock.sdk.manifest import load_manifest

CONNECTOR: Final = Connector(
    manifest=load_manifest(__package__),
    mappings=MAPPINGS,
    receiver=WarehouseReceiver(),
    make_sender=WarehouseSender,
    make_lister=WarehouseLister,
)
