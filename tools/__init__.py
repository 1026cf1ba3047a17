# SPDX-License-Identifier: Apache-2.0
"""What builds, checks and measures Crossdock; nothing here is installed."""
