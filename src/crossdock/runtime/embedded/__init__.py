# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and NATS JetStream from wheels, as child processes in a data folder."""

from __future__ import annotations

from crossdock.runtime.embedded.engines import Engines
from crossdock.runtime.embedded.places import erase
from crossdock.runtime.embedded.state import Endpoints, discover

__all__ = ["Endpoints", "Engines", "discover", "erase"]
