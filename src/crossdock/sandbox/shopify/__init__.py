# SPDX-License-Identifier: Apache-2.0
"""A simulated Shopify store: Admin GraphQL 2026-10 with its cost bucket, and signed webhooks."""

from crossdock.sandbox.shopify.orders import make_order
from crossdock.sandbox.shopify.signing import signed_headers
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim

__all__ = ["ShopifyConfig", "ShopifySim", "make_order", "signed_headers"]
