# SPDX-License-Identifier: Apache-2.0
"""Crossdock: open distribution middleware. Start reading at `crossdock.flow`."""

__version__ = "0.1.0"
