# SPDX-License-Identifier: Apache-2.0
"""Decide where an order goes (Content-Based Router): legal entity, ERP, fulfillment nodes."""
