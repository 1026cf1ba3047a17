# SPDX-License-Identifier: Apache-2.0
"""NetSuite: sales orders, their cancellation and item fulfillments out through SuiteTalk REST."""
