# SPDX-License-Identifier: Apache-2.0
"""Subscriptions: consumers are told of events by signed webhooks, in order per key, again until they have them."""
