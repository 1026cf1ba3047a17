# SPDX-License-Identifier: Apache-2.0
"""A simulated NetSuite account: SuiteTalk REST record and query services with their authentication and limits."""

from crossdock.sandbox.netsuite.keys import make_certificate
from crossdock.sandbox.netsuite.simulator import NetSuiteConfig, NetSuiteSim

__all__ = ["NetSuiteConfig", "NetSuiteSim", "make_certificate"]
