# SPDX-License-Identifier: Apache-2.0
"""Comparisons with other systems as they are written down: when each ran, what differed, key figures of the moment."""

from __future__ import annotations

from typing import Final

from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "comparing.sql")
NO_RUN: Final = (1 << 63) - 1
"""In place of the id of a comparison that is not written down (a dry run): later than every other."""
