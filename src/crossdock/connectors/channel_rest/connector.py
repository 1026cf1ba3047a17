# SPDX-License-Identifier: Apache-2.0
"""Wires the sales channel connector together."""

from __future__ import annotations

from typing import Final

from crossdock.connectors.channel_rest.list_prices import ChannelPriceLister
from crossdock.connectors.channel_rest.list_stock import ChannelLister
from crossdock.connectors.channel_rest.mapping import MAPPINGS
from crossdock.connectors.channel_rest.receiver import ChannelReceiver
from crossdock.connectors.channel_rest.sender import ChannelSender
from crossdock.sdk.connector import Connector
from crossdock.sdk.manifest import load_manifest

CONNECTOR: Final = Connector(
    manifest=load_manifest(__package__),
    mappings=MAPPINGS,
    receiver=ChannelReceiver(),
    make_sender=ChannelSender,
    make_price_lister=ChannelPriceLister,
    make_lister=ChannelLister,
)
