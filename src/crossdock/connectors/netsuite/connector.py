# SPDX-License-Identifier: Apache-2.0
"""Wires the NetSuite connector together."""

from __future__ import annotations

from typing import Final

from crossdock.connectors.netsuite.changes import NetSuitePoller
from crossdock.connectors.netsuite.list_stock import NetSuiteLister
from crossdock.connectors.netsuite.mapping import MAPPINGS
from crossdock.connectors.netsuite.sender import NetSuiteSender
from crossdock.sdk.connector import Connector
from crossdock.sdk.manifest import load_manifest

CONNECTOR: Final = Connector(
    manifest=load_manifest(__package__),
    mappings=MAPPINGS,
    make_sender=NetSuiteSender,
    make_lister=NetSuiteLister,
    make_poller=NetSuitePoller,
)
