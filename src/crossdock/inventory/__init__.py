# SPDX-License-Identifier: Apache-2.0
"""Inventory: a ledger of movements, the levels they add up to, and what channels are told of them."""
