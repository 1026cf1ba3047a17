# SPDX-License-Identifier: Apache-2.0
"""The business_central connector holds what every connector has to hold."""

from __future__ import annotations

from crossdock.sdk.conformance import conformance

TestConformance = conformance("business_central")
