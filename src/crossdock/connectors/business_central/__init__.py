# SPDX-License-Identifier: Apache-2.0
"""Dynamics 365 Business Central: sales orders, their cancellation, shipments and returns out through API v2.0."""
