# SPDX-License-Identifier: Apache-2.0
"""Fulfillment: what nodes are asked to ship, and what left."""
