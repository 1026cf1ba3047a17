# SPDX-License-Identifier: Apache-2.0
"""Billing: invoices, credit memos, payments and refunds find their order and are told to those who keep books."""
