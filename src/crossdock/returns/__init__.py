# SPDX-License-Identifier: Apache-2.0
"""Returns: what may come back, what has, where it goes, and what money goes back for it."""
