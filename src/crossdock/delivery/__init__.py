# SPDX-License-Identifier: Apache-2.0
"""Deliver (Guaranteed Delivery): every obligation reaches its system once, within that system's limits."""
