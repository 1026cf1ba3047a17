# SPDX-License-Identifier: Apache-2.0
"""Machinery without a business word: engines, database, bus, HTTP client, clock, secrets, telemetry, processes."""
