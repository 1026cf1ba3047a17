# SPDX-License-Identifier: Apache-2.0
"""The warehouse's HTTP API: address, token, errors. Knows no order."""

from __future__ import annotations

from crossdock.connectors.warehouse_rest.errors import STATUSES
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.json_api import JsonApi


def open_client(config: SystemConfig) -> JsonApi:
    """One warehouse. Setting: `url`; secret: `token`. NeedsConfig when there is no address."""
    return JsonApi(config, "the warehouse", "/api/v1", STATUSES)
