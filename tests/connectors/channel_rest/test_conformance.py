# SPDX-License-Identifier: Apache-2.0
"""The channel_rest connector holds what every connector has to hold."""

from __future__ import annotations

from crossdock.sdk.conformance import conformance

TestConformance = conformance("channel_rest")
