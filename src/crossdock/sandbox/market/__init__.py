# SPDX-License-Identifier: Apache-2.0
"""A plain JSON sales channel (B2B portal, marketplace), as docs/reference/channel-rest.md describes it."""

from crossdock.sandbox.market.simulator import MarketConfig, MarketSim

__all__ = ["MarketConfig", "MarketSim"]
