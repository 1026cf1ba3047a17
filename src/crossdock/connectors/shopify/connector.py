# SPDX-License-Identifier: Apache-2.0
"""Wires the Shopify connector together."""

from __future__ import annotations

from typing import Final

from crossdock.connectors.shopify.list_prices import ShopifyPriceLister
from crossdock.connectors.shopify.list_stock import ShopifyLister
from crossdock.connectors.shopify.mapping import MAPPINGS
from crossdock.connectors.shopify.receiver import ShopifyReceiver
from crossdock.connectors.shopify.sender import ShopifySender
from crossdock.connectors.shopify.transaction import TRANSACTION
from crossdock.sdk.connector import Connector
from crossdock.sdk.manifest import load_manifest

CONNECTOR: Final = Connector(
    manifest=load_manifest(__package__),
    mappings=(*MAPPINGS, TRANSACTION),
    receiver=ShopifyReceiver(),
    make_sender=ShopifySender,
    make_price_lister=ShopifyPriceLister,
    make_lister=ShopifyLister,
)
