# SPDX-License-Identifier: Apache-2.0
"""Wires the Business Central connector together."""

from __future__ import annotations

from typing import Final

from crossdock.connectors.business_central.list_prices import BusinessCentralPriceLister
from crossdock.connectors.business_central.list_stock import BusinessCentralLister
from crossdock.connectors.business_central.mapping import MAPPINGS
from crossdock.connectors.business_central.poller import BusinessCentralPoller
from crossdock.connectors.business_central.sender import BusinessCentralSender
from crossdock.sdk.connector import Connector
from crossdock.sdk.manifest import load_manifest

CONNECTOR: Final = Connector(
    manifest=load_manifest(__package__),
    mappings=MAPPINGS,
    make_sender=BusinessCentralSender,
    make_price_lister=BusinessCentralPriceLister,
    make_lister=BusinessCentralLister,
    make_poller=BusinessCentralPoller,
)
