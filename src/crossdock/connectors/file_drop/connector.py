# SPDX-License-Identifier: Apache-2.0
"""The file drop connector: it takes files, so it has neither a receiver for requests nor a sender."""

from crossdock.sdk.connector import Connector
from crossdock.sdk.manifest import load_manifest

CONNECTOR = Connector(manifest=load_manifest(__package__))
