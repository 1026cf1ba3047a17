# SPDX-License-Identifier: Apache-2.0
"""Shopify: orders in by signed webhooks; fulfillments and stock out through the Admin GraphQL API."""
