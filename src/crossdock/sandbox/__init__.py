# SPDX-License-Identifier: Apache-2.0
"""Simulated outside systems that keep their vendors' published rules.

Nothing here imports the rest of Crossdock: a simulator that shared code with the connector it tests would agree with
its mistakes.
Each simulator keeps its own books, which an oracle compares with Crossdock's. See docs/reference/simulators.md.
"""
