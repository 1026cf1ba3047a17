# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: what Crossdock costs, as ratios to limits measured in the same run. `python -m bench` runs them."""
